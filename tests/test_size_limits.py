"""What is too large stops at the stated limit, and what is only passed on is not kept."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api_server import EVENT_STREAM, ApiServer, Request, Step, events, head, http_chunk
from tests.bodies import chunk, chunks, completion, event
from tests.program import SECONDS, Program


def flood(request: Request) -> Iterator[Step]:
    """A response that never ends: spaces, as an event stream where one was asked for."""
    yield head(200, EVENT_STREAM if request.json.get("stream") else {"transfer-encoding": "chunked"})
    while True:
        yield http_chunk(b" " * (1 << 20))


@pytest.mark.parametrize("command", ["ask", "stream", "cost"])
def test_a_response_without_end_stops_at_the_stated_limit(qwen: Program, api: ApiServer, command: str) -> None:
    api.answer(flood)
    result = qwen(command, "hi", timeout=60)
    assert (result.status, result.stdout) == (9, b"")
    assert "MiB" in result.message
    assert result.peak_memory < 300 << 20
    assert api.request.closed.wait(SECONDS)


MANY = "x" * 100_000

FLOODS: list[tuple[str, str, bytes]] = [
    ("an event of lines without end", "stream", b"data: " + MANY.encode() + b"\n"),
    ("a field without end", "json --stream", b"x" * 100_000),
    ("a refusal", "stream", event(chunk(delta={"refusal": MANY}))),
    ("a refusal in JSON", "json --stream", event(chunk(delta={"refusal": MANY}))),
    ("a tool call", "stream", event(chunk(delta={"tool_calls": [{"index": 0, "function": {"arguments": MANY}}]}))),
    ("content that is held against a format", "stream --response-format json_object", event(chunk(MANY))),
]


@pytest.mark.parametrize(("command", "piece"), [pytest.param(*rest, id=name) for name, *rest in FLOODS])
def test_a_stream_without_end_stops_at_the_stated_limit_of(
    qwen: Program, api: ApiServer, command: str, piece: bytes
) -> None:
    """What has to be kept until the end is bounded, so memory is."""

    def endless(_: Request) -> Iterator[Step]:
        yield head(200, EVENT_STREAM)
        while True:
            yield http_chunk(piece)

    api.answer(endless)
    with Path("/dev/null").open("wb") as out:
        result = qwen(*command.split(), "hi", stdout=out, timeout=60)
    assert result.status == 9
    assert "MiB" in result.message
    assert result.peak_memory < 400 << 20
    assert api.request.closed.wait(SECONDS)


def test_a_stream_that_is_only_printed_is_not_kept(qwen: Program, api: ApiServer) -> None:
    many = json.dumps(chunk("x" * 1000))
    api.answer(events([*[many] * 20_000, *chunks("end")]))
    result = qwen("stream", "hi", timeout=60)
    assert (result.status, len(result.stdout)) == (0, 20_000_000 + 4)
    # The body is kept for the verdict, and read as text and as JSON at the end.
    assert result.peak_memory < 300 << 20


def test_json_streams_a_large_response_through(qwen: Program, api: ApiServer) -> None:
    size = 60 << 20
    before, after = json.dumps(completion("CONTENT")).encode().split(b"CONTENT")

    def large(_: Request) -> Iterator[Step]:
        yield head(200, {"content-length": len(before) + size + len(after)}) + before
        for _megabyte in range(size >> 20):
            yield b"x" * (1 << 20)
        yield after

    api.answer(large)
    with (qwen.cwd / "out").open("wb") as out:
        result = qwen("json", "hi", stdout=out, timeout=60)
    assert (result.status, result.stderr) == (0, "")
    assert (qwen.cwd / "out").stat().st_size == len(before) + size + len(after) + len("\n")
    # The body is kept for the verdict, and read as text and as JSON at the end.
    assert result.peak_memory < 300 << 20
