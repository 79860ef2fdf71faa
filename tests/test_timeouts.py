"""Nothing waits longer than the flags promise, and nothing that still moves is given up."""

from collections.abc import Iterator

import pytest

from tests.api_server import (
    EVENT_STREAM,
    SILENCE,
    ApiServer,
    Reply,
    Request,
    Step,
    head,
    reply,
    stream,
    unanswering_port,
)
from tests.bodies import chunk, chunks, completion, event, event_stream
from tests.program import LARGE, SECONDS, Program

SILENT: list[tuple[str, Reply]] = [
    ("says nothing", (SILENCE,)),
    ("stops within the header", (b"HTTP/1.1 200 OK\r\nContent-", SILENCE)),
    ("stops after the header", (head(200, {"content-length": 100}), SILENCE)),
    ("stops within the body", (head(200, {"content-length": 100}) + b'{"choices"', SILENCE)),
    ("stops after the header of a stream", (head(200, EVENT_STREAM), SILENCE)),
]


@pytest.mark.parametrize(("name", "answer"), SILENT, ids=[name for name, _ in SILENT])
def test_a_server_that(qwen: Program, api: ApiServer, name: str, answer: Reply) -> None:
    """A server that falls silent at any point costs no more than `--timeout`."""
    api.answer(answer)
    result = qwen.call("stream" if "stream" in name else "ask", "--timeout", "0.5", "hi")
    assert result.status == 6
    assert "--timeout" in result.message
    assert result.seconds >= 0.5
    assert api.request.closed.wait(SECONDS)


def test_a_stream_that_falls_silent_keeps_what_arrived(qwen: Program, api: ApiServer) -> None:
    api.answer(stream(event(chunk("One ")), event(chunk("two")), SILENCE, whole=False))
    result = qwen("stream", "--timeout", "0.5", "hi")
    assert (result.status, result.text) == (6, "One two\n")
    assert "--timeout" in result.message


@pytest.mark.parametrize("command", ["ask", "stream"])
def test_a_server_that_drips_is_listened_to(qwen: Program, api: ApiServer, command: str) -> None:
    streaming = command == "stream"
    body = event_stream([chunk("Hello.", finish_reason="stop")]) if streaming else b'{"choices":[' + b" " * 40
    rest = b"" if streaming else b'{"message":{"content":"Hello."},"finish_reason":"stop"}]}'

    def drip(_: Request) -> Iterator[Step]:
        yield head(200, {"content-type": "text/event-stream", "content-length": len(body + rest)})
        for byte in body[:6]:
            yield bytes([byte])
            yield 0.4
        yield body[6:] + rest

    api.answer(drip)
    result = qwen.call(command, "--timeout", "2", "hi")
    assert (result.status, result.stderr) == (0, "")
    assert b"Hello." in result.stdout
    assert result.seconds > 2


def test_keep_alive_comments_keep_a_stream_alive(qwen: Program, api: ApiServer) -> None:
    thinking: list[Step] = [b": keep-alive\n\n", 0.4] * 6
    api.answer(stream(*thinking, event_stream(chunks("Hello."))))
    result = qwen.call("stream", "--timeout", "2", "hi")
    assert (result.status, result.text) == (0, "Hello.\n")
    assert result.seconds > 2


def test_a_port_that_never_answers_costs_the_connect_timeout(qwen: Program) -> None:
    with unanswering_port() as port:
        url = f"http://127.0.0.1:{port}/v1"
        result = qwen.call("ask", "--connect-timeout", "0.5", "--retries", "0", "hi", env={"AIMLAPI_BASE_URL": url})
    assert (result.status, result.stdout) == (6, b"")
    assert "--connect-timeout" in result.message
    assert result.seconds >= 0.5


def test_a_usage_error_does_not_wait_for_a_connection(qwen: Program) -> None:
    with unanswering_port() as port:
        changes = {"AIMLAPI_BASE_URL": f"http://127.0.0.1:{port}/v1"}
        result = qwen("ask", "--connect-timeout", "600", "-f", "missing", env=changes)
    assert (result.status, result.stdout) == (7, b"")
    assert "missing" in result.message


def test_a_server_that_never_shakes_hands_costs_the_connect_timeout(qwen: Program, api: ApiServer) -> None:
    changes = {"AIMLAPI_BASE_URL": f"https://127.0.0.1:{api.port}/v1"}
    result = qwen("ask", "--connect-timeout", "0.5", "--retries", "0", "hi", env=changes)
    assert (result.status, result.stdout) == (6, b"")
    assert "--connect-timeout" in result.message
    assert result.seconds >= 0.5


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "soon", ""])
def test_a_timeout_that_is_none_is_a_usage_error(qwen: Program, value: str) -> None:
    result = qwen.call("ask", "--timeout", value, "hi")
    assert (result.status, result.stdout) == (2, b"")
    assert "--timeout" in result.stderr


def test_an_upload_that_goes_on_is_no_silence(qwen: Program, api: ApiServer) -> None:
    """What counts is the time without a byte, not the time for all of them.

    The buffers of the system hold a third of it when the last byte is sent, which is silence until they are read.
    """
    api.read_pause = 0.05
    api.answer(reply(completion("Hello.")))
    result = qwen("ask", "--timeout", "2.5", input=LARGE, timeout=60)
    assert (result.status, result.text, result.stderr) == (0, "Hello.\n", "")
    assert result.seconds > 2.5


def test_a_server_that_does_not_read_costs_the_timeout(qwen: Program, api: ApiServer) -> None:
    api.reads_bodies = False
    # Long enough not to fit into the buffers of the system, and nobody takes it out.
    api.answer((3600.0,))
    with qwen.start("ask", "--timeout", "1", input=LARGE * 2) as running:
        api.wait_for_requests()
        result = running.finish()
    assert (result.status, result.stdout) == (6, b"")
    assert "--timeout" in result.message
