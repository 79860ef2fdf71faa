"""HTTP as servers really speak it: every legal form reads the same, and a busy server is no dead end."""

import json

import pytest

from tests.api_server import (
    DEAF,
    FIN,
    LAST_CHUNK,
    RESET,
    ApiServer,
    Reply,
    Step,
    head,
    http_chunk,
    reply,
)
from tests.bodies import completion, error
from tests.certificates import Authority
from tests.program import LARGE, Program

BODY = json.dumps(completion("Hello.")).encode()
LENGTH = b"content-length: %d\r\n\r\n" % len(BODY)
MIB = 1 << 20
EARLY_HINTS = b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"

FORMS: list[tuple[str, Reply]] = [
    ("HTTP/1.0 up to the end of the connection", (b"HTTP/1.0 200 OK\r\n\r\n" + BODY, FIN)),
    ("a body up to the end of the connection", (b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + BODY, FIN)),
    ("no reason phrase", (b"HTTP/1.1 200 \r\n" + LENGTH + BODY,)),
    ("a preliminary 100 Continue", (b"HTTP/1.1 100 Continue\r\n\r\n", 0.05, b"HTTP/1.1 200 OK\r\n" + LENGTH + BODY)),
    ("header names in capitals", (b"HTTP/1.1 200 OK\r\n" + LENGTH.upper() + BODY,)),
    ("another success than 200", (b"HTTP/1.1 201 Created\r\n" + LENGTH + BODY,)),
    (
        "chunks with extensions and trailers",
        (
            head(200, {"transfer-encoding": "chunked", "trailer": "x-checksum"}),
            b"%x;name=value\r\n" % len(BODY) + BODY + b"\r\n",
            b"0\r\nx-checksum: 1\r\n\r\n",
        ),
    ),
    (
        "chunks of one byte",
        (head(200, {"transfer-encoding": "chunked"}), *(http_chunk(bytes([byte])) for byte in BODY), LAST_CHUNK),
    ),
    ("a header byte by byte", (*(bytes([b]) for b in b"HTTP/1.1 200 OK\r\n" + LENGTH), BODY)),
    ("preliminary 102 and 103 responses", (EARLY_HINTS, 0.05, b"HTTP/1.1 200 OK\r\n" + LENGTH + BODY)),
    (
        "white space behind the transfer coding",
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked \r\n\r\n", http_chunk(BODY), LAST_CHUNK),
    ),
    ("200 header fields", (head(200, {f"x-{n}": n for n in range(200)} | {"content-length": len(BODY)}) + BODY,)),
    ("lines that end with LF alone", (b"HTTP/1.1 200 OK\n" + LENGTH.replace(b"\r", b"") + BODY,)),
]


@pytest.mark.parametrize("answer", [pytest.param(answer, id=name) for name, answer in FORMS])
def test_a_response_is_understood_with(qwen: Program, api: ApiServer, answer: Reply) -> None:
    """Any legal form of a response gives the same answer."""
    api.answer(answer)
    result = qwen.call("ask", "hi")
    assert (result.status, result.text, result.stderr) == (0, "Hello.\n", "")


BROKEN: list[tuple[str, Reply]] = [
    ("a status line that is none", (b"HTTP/1.1 two hundred\r\n\r\n",)),
    ("a header line that is none", (b"HTTP/1.1 200 OK\r\n: none\r\n\r\n",)),
    ("a length that is none", (b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n{}",)),
    ("two lengths", (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 7\r\n\r\n{}",)),
    ("an HTTP chunk without a length", (head(200, {"transfer-encoding": "chunked"}) + b"none\r\n{}\r\n",)),
    ("a megabyte of header", (b"HTTP/1.1 200 OK\r\nx: " + b"x" * MIB,)),
]


@pytest.mark.parametrize("answer", [pytest.param(answer, id=name) for name, answer in BROKEN])
def test_a_response_is_refused_with(qwen: Program, api: ApiServer, answer: Reply) -> None:
    """What is not HTTP is a protocol error, or cannot be told from a connection that was cut."""
    assert not callable(answer)
    api.answer((*answer, FIN))
    result = qwen.call("ask", "hi")
    assert result.status in (6, 9)
    assert result.stdout == b""
    assert "internal error" not in result.message


@pytest.mark.parametrize("status", [204, 205])
def test_a_success_without_a_body_is_no_answer(qwen: Program, api: ApiServer, status: int) -> None:
    api.answer((head(status, {"content-length": 0} if status == 205 else {}),))
    result = qwen.call("ask", "hi")
    assert (result.status, result.stdout) == (9, b"")
    assert "empty" in result.message


@pytest.mark.parametrize("ending", [FIN, RESET], ids=["closes", "resets"])
def test_a_refusal_that_comes_before_the_prompt_is_read(qwen: Program, api: ApiServer, ending: Step) -> None:
    """A server that answers 413 and hangs up has its answer reported, or is a clear failure of the network."""
    api.reads_bodies = False
    api.answer((*reply(error(413, "Too large"), status=413), 0.3, ending))
    result = qwen.call("ask", "--retries", "0", input=LARGE)
    assert (result.status, result.stdout) in ((4, b""), (6, b""))
    assert "413" in result.message or "cut" in result.message


def test_an_early_refusal_is_reported_while_the_connection_stands(qwen: Program, api: ApiServer) -> None:
    """A server that answers in the middle of the upload, and reads no more, is heard at once."""
    api.reads_bodies = False
    api.answer((*reply(error(413, "Too large"), status=413), DEAF))
    result = qwen.call("ask", input=LARGE)
    assert (result.status, result.stdout) == (4, b"")
    assert "413" in result.message


def test_a_refusal_during_the_upload_is_heard_over_tls(qwen: Program, tls_api: ApiServer, authority: Authority) -> None:
    tls_api.reads_bodies = False
    tls_api.answer((*reply(error(413, "Too large"), status=413), DEAF))
    result = qwen("ask", input=LARGE, server=tls_api, env={"SSL_CERT_FILE": str(authority.certificate)})
    assert (result.status, result.stdout) == (4, b"")
    assert "413" in result.message


@pytest.mark.parametrize("command", ["ask", "stream", "json"])
def test_what_is_not_http_ends_with_a_clear_line(qwen: Program, api: ApiServer, command: str) -> None:
    api.answer((b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n\r\n",))
    result = qwen.call(command, "hi")
    assert (result.status, result.stdout) == (9, b"")
    assert "does not speak HTTP: illegal status line" in result.message
    assert "bytearray" not in result.message


@pytest.mark.parametrize("name", ["content-type", "x-inference-id", "location", "retry-after", "date"])
def test_bytes_that_are_no_text_in_a_header_are_no_obstacle(qwen: Program, api: ApiServer, name: str) -> None:
    api.answer(reply(completion("Hello."), headers={name: "\udcff\udc80 ; x=\udce9"}))
    result = qwen.call("ask", "-v", "hi")
    assert (result.status, result.text) == (0, "Hello.\n")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(qwen: Program, api: ApiServer, status: int) -> None:
    with ApiServer() as elsewhere:
        api.answer(reply({}, status=status, headers={"location": f"{elsewhere.base_url}/chat/completions"}))
        result = qwen.call("ask", "hi")
    assert (result.status, result.stdout) == (9, b"")
    assert "redirect" in result.message
    assert elsewhere.connections == 0


@pytest.mark.parametrize("status", [302, 307])
@pytest.mark.parametrize("command", ["stream", "json", "cost --balance"])
def test_no_redirect_gets_the_key(qwen: Program, api: ApiServer, command: str, status: int) -> None:
    with ApiServer() as elsewhere:
        api.answer(reply({}, status=status, headers={"location": elsewhere.base_url}))
        result = qwen.call(*command.split(), *([] if "cost" in command else ["hi"]))
    assert result.status == 9
    assert (elsewhere.connections, result.stdout) == (0, b"")


def test_bytes_behind_a_response_are_not_the_beginning_of_the_next_one(qwen: Program, api: ApiServer) -> None:
    """Whoever sends more than it has said is not asked again on the same connection."""
    smuggled = b"HTTP/1.1 200 OK\r\n" + LENGTH + BODY.replace(b"Hello.", b"Fooled")
    (first,) = reply(completion("Hello."))
    assert isinstance(first, bytes)
    api.answer((first + smuggled,), reply(completion("Hello.")))
    result = qwen.call("map", "-P", "1", input="a\nb\n")
    assert (result.status, result.text, api.connections) == (0, "Hello.\nHello.\n", 2)
