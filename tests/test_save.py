"""`--save`: the raw response in a file of its own, beside the answer."""

import json
import signal
import time

import pytest

from tests.api_server import SILENCE, ApiServer, events, reply, stream
from tests.bodies import chunk, chunks, completion, event
from tests.program import Program


def test_the_receipt_is_kept_of_what_is_refused_and_never_of_nothing(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Half", finish_reason="length")), events(chunks("Hi")), reply({}, status=400))
    assert qwen.call("ask", "--save", "a.json", "hi").status == 8
    assert qwen.call("stream", "--save", "b.json", "-x", "hi").status == 9
    assert qwen.call("ask", "--save", "c.json", "hi").status == 4
    assert set(qwen.files()) == {"a.json", "b.json"}
    assert "responses\t2\n" in qwen.call("cost", "--saved", "a.json", "b.json").text
    assert qwen.call("ask", "-o", "./a.json", "--save", "a.json", "hi").status == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_the_receipt_of_an_interrupted_stream_is_what_came(
    qwen: Program, api: ApiServer, number: signal.Signals
) -> None:
    api.answer(stream(event(chunk("One ")), SILENCE, whole=False))
    with qwen.start("stream", "--save", "chunks", "hi") as running:
        running.wait_for(b"One ")
        running.send(number)
        assert running.finish().status == 128 + number
    assert qwen.files() == {"chunks": json.dumps(chunk("One ")).encode() + b"\n"}


def test_the_receipt_of_a_stream_is_its_chunks_and_that_of_a_body_one_line(qwen: Program, api: ApiServer) -> None:
    sent = chunks("Hello.")
    api.answer(events(sent), reply(body=json.dumps(completion()).encode() + b"\r\n\n"))
    assert qwen("stream", "--save", "chunks", "hi").text == "Hello.\n"
    assert qwen("ask", "--save", "body", "hi").text == "Hello.\n"
    assert qwen.files()["chunks"] == b"".join(json.dumps(each).encode() + b"\n" for each in sent)
    assert qwen.files()["body"] == json.dumps(completion()).encode() + b"\n"


def test_the_receipt_of_a_stream_can_be_read_whatever_stands_between_its_chunks(qwen: Program, api: ApiServer) -> None:
    api.answer(events(["keep-alive", *chunks("Hello."), "null", "7", []]))
    assert qwen.call("stream", "--save", "chunks", "hi").text == "Hello.\n"
    assert "total_tokens\t53\n" in qwen.call("cost", "--saved", "chunks").text


def test_the_receipt_of_an_interrupted_body_is_what_came(qwen: Program, api: ApiServer) -> None:
    """Which may be a stream that nobody asked for: it is counted like any other."""
    sent = event(chunk("One ", usage={"total_tokens": 3}))
    api.answer(stream(sent, SILENCE, whole=False))
    with qwen.start("ask", "--save", "receipt", "hi") as running:
        api.wait_for_requests()
        time.sleep(0.5)
        running.send(signal.SIGINT)
        assert running.finish().status == 130
    assert qwen.files() == {"receipt": sent.rstrip() + b"\n"}
    assert "total_tokens\t3\n" in qwen.call("cost", "--saved", "receipt").text
