"""Nothing waits longer than the flags promise, and nothing that still moves is given up."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

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
from tests.certificates import Authority
from tests.program import Program

SLACK = 4
"""Seconds beyond what the flags promise: for starting, and for a machine that is busy."""

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
    result = qwen("stream" if "stream" in name else "ask", "--timeout", "0.5", "hi")
    assert result.status == 6
    assert "--timeout" in result.message
    assert 0.5 <= result.seconds < 0.5 + SLACK
    assert api.request.closed.wait(1)


def test_a_stream_that_falls_silent_keeps_what_arrived(qwen: Program, api: ApiServer) -> None:
    api.answer(stream(event(chunk("One ")), event(chunk("two")), SILENCE, whole=False))
    result = qwen("stream", "--timeout", "0.5", "hi")
    assert (result.status, result.text) == (6, "One two\n")
    assert "--timeout" in result.message
    assert result.seconds < 0.5 + SLACK


@pytest.mark.parametrize("command", ["ask", "stream"])
def test_a_server_that_drips_is_listened_to(qwen: Program, api: ApiServer, command: str) -> None:
    streaming = command == "stream"
    body = event_stream([chunk("Hello.", finish_reason="stop")]) if streaming else b'{"choices":[' + b" " * 40
    rest = b"" if streaming else b'{"message":{"content":"Hello."},"finish_reason":"stop"}]}'

    def drip(_: Request) -> Iterator[Step]:
        yield head(200, {"content-type": "text/event-stream", "content-length": len(body + rest)})
        for byte in body[:6]:
            yield bytes([byte])
            yield 0.2
        yield body[6:] + rest

    api.answer(drip)
    result = qwen(command, "--timeout", "0.8", "hi")
    assert (result.status, result.stderr) == (0, "")
    assert b"Hello." in result.stdout
    assert result.seconds > 1.2


def test_keep_alive_comments_keep_a_stream_alive(qwen: Program, api: ApiServer) -> None:
    thinking: list[Step] = [b": keep-alive\n\n", 0.2] * 6
    api.answer(stream(*thinking, event_stream(chunks("Hello."))))
    result = qwen("stream", "--timeout", "0.8", "hi")
    assert (result.status, result.text) == (0, "Hello.\n")


def test_a_port_that_refuses_ends_with_6(qwen: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
    result = qwen("ask", "--retries", "0", "hi", env={"AIMLAPI_BASE_URL": url})
    assert (result.status, result.stdout) == (6, b"")
    assert "127.0.0.1" in result.message
    assert result.seconds < SLACK


def test_a_port_that_never_answers_costs_the_connect_timeout(qwen: Program) -> None:
    with unanswering_port() as port:
        url = f"http://127.0.0.1:{port}/v1"
        result = qwen("ask", "--connect-timeout", "0.5", "--retries", "0", "hi", env={"AIMLAPI_BASE_URL": url})
    assert (result.status, result.stdout) == (6, b"")
    assert "--connect-timeout" in result.message
    assert 0.5 <= result.seconds < 0.5 + SLACK


def test_a_usage_error_does_not_wait_for_a_connection(qwen: Program) -> None:
    with unanswering_port() as port:
        result = qwen("ask", "-f", "missing", env={"AIMLAPI_BASE_URL": f"http://127.0.0.1:{port}/v1"})
    assert (result.status, result.stdout) == (7, b"")
    assert "missing" in result.message
    assert result.seconds < SLACK


def test_a_name_that_does_not_resolve_ends_with_6(qwen: Program) -> None:
    changes = {"AIMLAPI_BASE_URL": "https://nobody.invalid/v1", "RES_OPTIONS": "attempts:1 timeout:1"}
    result = qwen("ask", "--retries", "0", "hi", env=changes)
    assert (result.status, result.stdout) == (6, b"")
    assert "nobody.invalid" in result.message
    assert result.seconds < 10 + SLACK


def test_a_certificate_that_is_not_trusted_ends_with_6_and_says_how_to_trust_it(
    qwen: Program, tls_api: ApiServer
) -> None:
    result = qwen("ask", "hi", server=tls_api)
    assert (result.status, result.stdout) == (6, b"")
    assert "certificate" in result.message
    assert "SSL_CERT_FILE" in result.message
    assert tls_api.requests == []


@pytest.mark.parametrize("command", ["ask", "json"])
def test_ssl_cert_file_makes_it_trusted(qwen: Program, tls_api: ApiServer, authority: Authority, command: str) -> None:
    tls_api.answer(reply(completion("Hello.")))
    result = qwen(command, "hi", server=tls_api, env={"SSL_CERT_FILE": str(authority.certificate)})
    assert (result.status, result.stderr) == (0, "")
    assert b"Hello." in result.stdout


def test_a_certificate_for_another_name_is_not_trusted(qwen: Program, authority: Authority) -> None:
    with ApiServer(authority.stranger) as stranger:
        changes = {"SSL_CERT_FILE": str(authority.certificate)}
        result = qwen("ask", "--retries", "0", "hi", server=stranger, env=changes)
    assert (result.status, result.stdout) == (6, b"")
    assert "certificate" in result.message
    assert result.message.endswith("certificate is not valid for '127.0.0.1'; check the network and --base-url")
    assert stranger.requests == []


@pytest.mark.parametrize("content", [None, "this is no certificate\n"], ids=["is missing", "holds none"])
def test_an_ssl_cert_file_that(qwen: Program, tls_api: ApiServer, content: str | None) -> None:
    """A file of authorities that is missing or holds none ends with a line that names it, and nothing is sent."""
    file: Path = qwen.cwd / "authority.pem"
    if content is not None:
        file.write_text(content)
    result = qwen("ask", "--retries", "0", "hi", server=tls_api, env={"SSL_CERT_FILE": str(file)})
    assert result.status in (6, 7)
    assert result.stdout == b""
    assert "authority.pem" in result.message
    assert tls_api.requests == []


def test_a_server_that_never_shakes_hands_costs_the_connect_timeout(qwen: Program, api: ApiServer) -> None:
    changes = {"AIMLAPI_BASE_URL": f"https://127.0.0.1:{api.port}/v1"}
    result = qwen("ask", "--connect-timeout", "0.5", "--timeout", "2", "--retries", "0", "hi", env=changes)
    assert (result.status, result.stdout) == (6, b"")
    assert result.message
    assert 0.5 <= result.seconds < 2 + SLACK


def test_a_server_that_speaks_no_tls_ends_with_6(qwen: Program) -> None:
    """Whatever it answers to the first bytes of TLS, on the connection made ahead and on the next one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                        connection.recv(1 << 16)

        thread = threading.Thread(target=serve)
        thread.start()
        changes = {"AIMLAPI_BASE_URL": f"https://127.0.0.1:{listener.getsockname()[1]}/v1"}
        result = qwen("ask", "--retries", "0", "hi", env=changes)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert (result.status, result.stdout) == (6, b"")
    assert "TLS failed" in result.message
    assert result.seconds < SLACK


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "soon", ""])
def test_a_timeout_that_is_none_is_a_usage_error(qwen: Program, value: str) -> None:
    result = qwen("ask", "--timeout", value, "hi")
    assert (result.status, result.stdout) == (2, b"")
    assert "--timeout" in result.stderr
