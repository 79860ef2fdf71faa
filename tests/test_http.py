"""HTTP as servers and proxies really speak it: every legal form reads the same, and a busy server is no dead end."""

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from subprocess import PIPE

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_cli.connection.proxies import is_exempt
from tests.api_server import (
    DEAF,
    FIN,
    LAST_CHUNK,
    RESET,
    SILENCE,
    ApiServer,
    Reply,
    Step,
    events,
    head,
    http_chunk,
    reply,
)
from tests.bodies import chunks, completion, error
from tests.certificates import Authority
from tests.program import KEY, Program

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
    result = qwen("ask", "hi")
    assert (result.status, result.stdout) == (9, b"")
    assert "empty" in result.message


LARGE = "0123456789abcde\n" * (16 * MIB // 16)


@pytest.mark.parametrize("ending", [FIN, RESET], ids=["closes", "resets"])
def test_a_refusal_that_comes_before_the_prompt_is_read(qwen: Program, api: ApiServer, ending: Step) -> None:
    """A server that answers 413 and hangs up has its answer reported, or is a clear failure of the network."""
    api.reads_bodies = False
    api.answer((*reply(error(413, "Too large"), status=413), 0.3, ending))
    result = qwen("ask", "--retries", "0", input=LARGE)
    assert (result.status, result.stdout) in ((4, b""), (6, b""))
    assert "413" in result.message or "cut" in result.message


def test_an_early_refusal_is_reported_while_the_connection_stands(qwen: Program, api: ApiServer) -> None:
    """A server that answers in the middle of the upload, and reads no more, is heard at once."""
    api.reads_bodies = False
    api.answer((*reply(error(413, "Too large"), status=413), DEAF))
    result = qwen("ask", input=LARGE)
    assert (result.status, result.stdout) == (4, b"")
    assert "413" in result.message
    assert result.seconds < 6


def test_a_refusal_during_the_upload_is_heard_over_tls(qwen: Program, tls_api: ApiServer, authority: Authority) -> None:
    tls_api.reads_bodies = False
    tls_api.answer((*reply(error(413, "Too large"), status=413), DEAF))
    result = qwen("ask", input=LARGE, server=tls_api, env={"SSL_CERT_FILE": str(authority.certificate)})
    assert (result.status, result.stdout) == (4, b"")
    assert "413" in result.message
    assert result.seconds < 6


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
        result = running.finish(timeout=10)
    assert (result.status, result.stdout) == (6, b"")
    assert "--timeout" in result.message


def test_a_connection_that_the_server_gave_up_during_a_slow_input_is_made_again(qwen: Program, api: ApiServer) -> None:
    """Whether or not the program connects while it still reads its input."""
    api.patience = 0.3
    api.answer(reply(completion("Hello.")))
    with qwen.start("ask", "Say:", input=PIPE) as running:
        running.write(b"slow ")
        threading.Event().wait(1)
        running.write(b"words\n")
        running.close_input()
        result = running.finish()
    assert (result.status, result.text, result.stderr) == (0, "Hello.\n", "")
    assert api.request.json["messages"][0]["content"] == "slow words\n\nSay:"


# Proxies.


class Tunnel:
    """A proxy that knows CONNECT, and leads every tunnel to one port of this machine."""

    def __init__(self, port: int, context: ssl.SSLContext | None) -> None:
        self.heads: list[bytes] = []
        self._port = port
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}"

    def serve(self) -> None:
        """Serve one tunnel."""
        with suppress(OSError):
            ours, _ = self._listener.accept()
            if self._context is not None:
                ours = self._context.wrap_socket(ours, server_side=True)
            with ours:
                start = b""
                while b"\r\n\r\n" not in start:
                    start += ours.recv(1 << 16)
                self.heads.append(start)
                with socket.create_connection(("127.0.0.1", self._port)) as theirs:
                    ours.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    back = threading.Thread(target=self._copy, args=(theirs, ours))
                    back.start()
                    self._copy(ours, theirs)
                    back.join()

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """End the wait for a client."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextmanager
def tunnel(port: int, context: ssl.SSLContext | None = None) -> Iterator[Tunnel]:
    """A running proxy, which speaks TLS if it is given a context."""
    proxy = Tunnel(port, context)
    thread = threading.Thread(target=proxy.serve)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join()


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("command", ["ask", "stream"])
def test_a_proxy_is_used_and_sees_no_key(qwen: Program, authority: Authority, command: str, name: str) -> None:
    with ApiServer(authority.stranger) as server, tunnel(server.port) as proxy:
        server.answer(events(chunks("Hello.")) if command == "stream" else reply(completion("Hello.")))
        changes = {
            name: proxy.url,
            "AIMLAPI_BASE_URL": "https://elsewhere.example/v1",
            "SSL_CERT_FILE": str(authority.certificate),
        }
        result = qwen(command, "hi", env=changes)
    server.verify()
    assert (result.status, result.text, result.stderr) == (0, "Hello.\n", "")
    assert server.request.headers["authorization"] == f"Bearer {KEY}"
    assert proxy.heads[0].startswith(b"CONNECT elsewhere.example:443 ")
    assert KEY.encode() not in proxy.heads[0]


@pytest.mark.parametrize("is_cut", [False, True], ids=["is used", "may cut the answer"])
def test_a_proxy_that_speaks_tls(qwen: Program, authority: Authority, *, is_cut: bool) -> None:
    """Its certificate is checked like any other, against what `SSL_CERT_FILE` names."""
    with ApiServer(authority.stranger) as server, tunnel(server.port, authority.context) as proxy:
        server.answer((head(200, {"content-length": 99}) + b"{", FIN) if is_cut else reply(completion("Hello.")))
        changes = {**ELSEWHERE, "HTTPS_PROXY": proxy.url, "SSL_CERT_FILE": str(authority.certificate)}
        result = qwen("ask", "--retries", "0", "hi", env=changes)
    server.verify()
    assert (result.status, result.text) == ((6, "") if is_cut else (0, "Hello.\n"))
    assert proxy.heads[0].startswith(b"CONNECT elsewhere.example:443 ")


def test_a_certificate_is_checked_behind_a_proxy_too(qwen: Program, authority: Authority) -> None:
    with ApiServer(authority.stranger) as server, tunnel(server.port) as proxy:
        changes = {"HTTPS_PROXY": proxy.url, "AIMLAPI_BASE_URL": "https://elsewhere.example/v1"}
        result = qwen("ask", "--retries", "0", "hi", env=changes)
    assert (result.status, result.stdout, server.requests) == (6, b"", [])
    assert "certificate" in result.message


ELSEWHERE = {"AIMLAPI_BASE_URL": "https://elsewhere.example/v1"}


@pytest.mark.parametrize(
    ("status", "part"),
    [pytest.param(403, "403", id="forbids"), pytest.param(407, "USER:PASSWORD", id="wants a password")],
)
def test_a_proxy_is_named_when_it(qwen: Program, status: int, part: str) -> None:
    with ApiServer() as proxy:
        proxy.answer(reply(body=b"no", status=status))
        url = f"127.0.0.1:{proxy.port}"
        result = qwen("ask", "hi", env={**ELSEWHERE, "HTTPS_PROXY": f"http://user:{PASSWORD}@{url}"})
    proxy.verify()
    assert (result.status, result.stdout) == (6, b"")
    assert f"proxy {url}" in result.message
    assert str(status) in result.message
    assert part in result.message
    assert PASSWORD not in result.message
    assert proxy.request.method == "CONNECT"
    assert "authorization" not in proxy.request.headers


PASSWORD = "hunter2"


@pytest.mark.parametrize("status", [502, 503])
def test_a_proxy_that_fails_is_asked_again(qwen: Program, status: int) -> None:
    with ApiServer() as proxy:
        proxy.answer(reply(status=status), reply(status=status))
        url = f"127.0.0.1:{proxy.port}"
        result = qwen("ask", "--retries", "1", "hi", env={**ELSEWHERE, "HTTPS_PROXY": url})
    proxy.verify()
    assert (result.status, result.stdout) == (6, b"")
    note, last = result.stderr.splitlines()
    assert f"proxy {url}" in note
    assert f"proxy {url}" in last
    assert str(status) in last


def test_a_proxy_that_refuses_connections_is_named(qwen: Program) -> None:
    with socket.socket() as refusing:
        refusing.bind(("127.0.0.1", 0))
        url = f"127.0.0.1:{refusing.getsockname()[1]}"
        result = qwen("ask", "--retries", "0", "hi", env={**ELSEWHERE, "HTTPS_PROXY": f"http://{url}"})
    assert (result.status, result.stdout) == (6, b"")
    assert f"proxy {url}: Connection refused" in result.message


def test_the_answer_to_connect_is_a_part_of_connecting(qwen: Program) -> None:
    """A proxy that takes the connection and says nothing costs `--connect-timeout`, and is named."""
    with ApiServer() as proxy:
        proxy.answer((SILENCE,))
        url = f"127.0.0.1:{proxy.port}"
        result = qwen(
            "ask", "--connect-timeout", "0.5", "--retries", "0", "hi", env={**ELSEWHERE, "HTTPS_PROXY": f"http://{url}"}
        )
    assert (result.status, result.stdout) == (6, b"")
    assert f"proxy {url}" in result.message
    assert "--connect-timeout" in result.message
    assert result.seconds < 5


@pytest.mark.parametrize("exempt", ["[::1]", "::1/128", "fd00::/8", "10.0.0.0/8, *", "::1"])
def test_no_proxy_may_hold_addresses_and_networks(qwen: Program, exempt: str) -> None:
    """They exempt whom they name, and are no obstacle to anybody else."""
    with ApiServer() as proxy:
        proxy.answer(*[reply(status=403)] * ("*" not in exempt))
        changes = {**ELSEWHERE, "HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}", "NO_PROXY": exempt}
        result = qwen.call("ask", "--retries", "0", "hi", env=changes)
    proxy.verify()
    assert result.status == 6
    assert ("403" in result.message) is ("*" not in exempt)


EXEMPT = [
    ("example.org", "example.org"),
    ("api.example.org", "example.org"),
    ("api.example.org", ".example.org"),
    ("api.example.org", "*.example.org"),
    ("API.example.org", "x, Example.ORG ,y"),
    ("anything", "*"),
    ("10.1.2.3", "10.0.0.0/8"),
    ("fd77::2", "fd00::/8"),
    ("::1", "[::1]"),
]


@pytest.mark.parametrize(("host", "no_proxy"), EXEMPT)
def test_no_proxy_exempts(host: str, no_proxy: str) -> None:
    assert is_exempt(host, no_proxy)


@pytest.mark.parametrize(
    ("host", "no_proxy"),
    [("badexample.org", "example.org"), ("11.1.2.3", "10.0.0.0/8"), ("example.org", ""), ("fd77::2", "10.0.0.0/8")],
)
def test_no_proxy_does_not_exempt(host: str, no_proxy: str) -> None:
    assert not is_exempt(host, no_proxy)


@given(st.text(), st.text())
def test_no_setting_of_no_proxy_is_a_defect(host: str, no_proxy: str) -> None:
    assert is_exempt(host, no_proxy) in (True, False)


def test_no_proxy_is_honoured(qwen: Program) -> None:
    with ApiServer() as proxy:
        changes = {
            "HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}",
            "NO_PROXY": "elsewhere.invalid",
            "AIMLAPI_BASE_URL": "https://elsewhere.invalid/v1",
            "RES_OPTIONS": "attempts:1 timeout:1",
        }
        result = qwen("ask", "--retries", "0", "hi", env=changes)
    assert (result.status, proxy.connections) == (6, 0)
    assert "elsewhere.invalid" in result.message


@pytest.mark.parametrize(
    "url",
    [
        *("not a url", "ftp://127.0.0.1", "http://", "http://127.0.0.1:99999", "socks5://127.0.0.1:1", "http://[::1"),
        *("http://a..b:1", f"http://{'x' * 64}:1", "http://1.2.3.400:1", "http://xn--a:1"),
    ],
)
def test_a_proxy_that_is_none_ends_with_a_clear_line(qwen: Program, url: str) -> None:
    changes = {
        "HTTPS_PROXY": url,
        "AIMLAPI_BASE_URL": "https://elsewhere.invalid/v1",
        "RES_OPTIONS": "attempts:1 timeout:1",
    }
    result = qwen.call("ask", "--retries", "0", "hi", env=changes)
    assert result.status in (2, 6)
    assert "internal error" not in result.message


def test_a_socks_proxy_says_which_package_it_needs(qwen: Program) -> None:
    without = "import sys; sys.modules['socksio'] = None; from qwen_cli.__main__ import run; run()"
    script = f'shift 3; exec python -c "{without}" "$@"'
    result = qwen("ask", "hi", env={**ELSEWHERE, "ALL_PROXY": "socks5://127.0.0.1:1"}, script=script)
    assert (result.status, result.stdout) == (2, b"")
    assert "pipx inject qwen-cli socksio" in result.message
