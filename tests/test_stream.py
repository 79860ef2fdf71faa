"""`stream` prints the answer as it arrives."""

import json
import os
import threading
from pathlib import Path

import pytest

from tests.api_server import EVENT_STREAM, LAST_CHUNK, ApiServer, events, head, http_chunk, stream
from tests.bodies import chunk, chunks, error, event
from tests.program import TERMINAL, Program, lines_of

RECORDED = Path(__file__).resolve().parents[2] / "shared" / "api" / "recorded-stream.sse"


def test_prints_the_content_and_asks_for_a_stream_with_its_usage(qwen: Program, api: ApiServer) -> None:
    api.answer(events(chunks("Hel", "lo", ".", reasoning=["They ", "greet."])))
    result = qwen("stream", "hi")
    assert (result.status, result.stdout, result.stderr) == (0, b"Hello.\n", "")
    assert api.request.json == {
        "model": "alibaba/qwen3.6-35b-a3b",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize("flags", [(), ("-r",), ("--show", "both")], ids=["content", "reasoning", "both"])
def test_each_piece_is_out_before_the_next_is_sent(qwen: Program, api: ApiServer, flags: tuple[str, ...]) -> None:
    seen = [threading.Event(), threading.Event()]
    name = "reasoning_content" if flags == ("-r",) else "content"
    first, second, third = (chunk(delta={name: piece}) for piece in ("one ", "two ", "three"))
    last = chunk("", finish_reason="stop")
    api.answer(stream(event(first), seen[0], event(second), seen[1], event(third), event(last)))
    with qwen.start("stream", *flags, "hi") as running:
        running.wait_for(b"one ")
        assert running.output() == b"one "
        seen[0].set()
        running.wait_for(b"two ")
        assert running.output() == b"one two "
        seen[1].set()
        result = running.finish()
    assert (result.status, result.text) == (0, "one two three\n")


def test_a_piece_is_out_although_the_next_has_begun_to_arrive(qwen: Program, api: ApiServer) -> None:
    seen = threading.Event()
    rest = http_chunk(event(chunk("two", finish_reason="stop")))
    api.answer((head(200, EVENT_STREAM), http_chunk(event(chunk("one "))) + rest[:1], seen, rest[1:], LAST_CHUNK))
    with qwen.start("stream", "hi") as running:
        running.wait_for(b"one ")
        seen.set()
        assert running.finish().text == "one two\n"


def test_pieces_that_arrive_together_are_written_together(
    qwen: Program, api: ApiServer, packets: tuple[int, int]
) -> None:
    seen = threading.Event()
    api.answer(stream(b"".join(map(event, map(chunk, ["one ", "two "]))), seen, *map(event, chunks("three"))))
    reader, writer = packets
    with qwen.start("stream", "hi", stdout=writer) as running:
        assert os.read(reader, 1 << 16) == b"one two "
        seen.set()
        assert running.finish().status == 0


def test_a_note_of_how_the_stream_ended_follows_the_text(qwen: Program, api: ApiServer) -> None:
    api.answer(stream(event(chunk("text", finish_reason="stop")) + event(error(500))))
    result = qwen.call("stream", "hi", terminal=TERMINAL)
    text, note, *_ = lines_of(result.terminal)
    assert (result.status, text) == (0, "text")
    assert note.startswith("qwen-cli: the answer is complete, but its usage may be missing: ")


@pytest.mark.parametrize(
    ("pieces", "printed", "left_alone"),
    [
        pytest.param(["a"], b"a\n", b"a", id="none becomes one"),
        pytest.param(["a\n"], b"a\n", b"a\n", id="one stays one"),
        pytest.param(["a", "\n", "\n\n"], b"a\n", b"a\n\n\n", id="many in pieces become one"),
        pytest.param(["a\n", "\nb"], b"a\n\nb\n", b"a\n\nb", id="those within are text"),
    ],
)
def test_ends_with_exactly_one_newline_or_as_the_model_sent_it(
    qwen: Program, api: ApiServer, pieces: list[str], printed: bytes, left_alone: bytes
) -> None:
    api.answer(*[events(chunks(*pieces))] * 2)
    assert qwen.call("stream", "hi").stdout == printed
    assert qwen.call("stream", "--no-newline", "hi").stdout == left_alone


def test_a_file_holds_the_whole_stream_once_it_succeeded(qwen: Program, api: ApiServer) -> None:
    seen = threading.Event()
    qwen.file("answer", "old")
    api.answer(stream(event(chunk("new")), seen, event(chunk(" text", finish_reason="stop"))))
    with qwen.start("stream", "-o", "answer", "hi") as running:
        api.wait_for_requests()
        assert qwen.files()["answer"] == b"old"
        seen.set()
        result = running.finish()
    assert (result.status, result.stdout, qwen.files()) == (0, b"", {"answer": b"new text\n"})


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded stream is not part of the project")
def test_reads_a_recorded_stream_of_the_service(qwen: Program, api: ApiServer) -> None:
    body = RECORDED.read_bytes()
    sent = [line.removeprefix("data: ") for line in body.decode().splitlines() if line.startswith("data: ")]
    deltas = [choice["delta"] for data in sent for choice in json.loads(data)["choices"]]
    content = "".join(delta.get("content") or "" for delta in deltas)
    reasoning = "".join(delta.get("reasoning_content") or "" for delta in deltas)
    assert content
    assert reasoning
    api.answer(*[stream(*(body[start : start + 97] for start in range(0, len(body), 97)))] * 2)
    result = qwen.call("stream", "--show", "both", "hi")
    assert (result.status, result.text) == (0, content.rstrip("\n") + "\n")
    assert result.stderr == reasoning.removesuffix("\n") + "\n"
    assert qwen.call("json", "--stream", "hi").text.splitlines() == sent
