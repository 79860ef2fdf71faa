"""Proxies: which one is used, what it sees, and how it is named when it fails."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_cli.connection.proxies import is_exempt
from tests.api_server import FIN, SILENCE, ApiServer, events, head, reply, stream
from tests.bodies import chunk, chunks, completion, event
from tests.certificates import Authority
from tests.program import KEY, Program


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


ELSEWHERE = {"AIMLAPI_BASE_URL": "https://elsewhere.example/v1"}


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


def test_a_stream_through_a_proxy_that_speaks_tls_is_printed_as_it_arrives(qwen: Program, authority: Authority) -> None:
    seen = threading.Event()
    with ApiServer(authority.stranger) as server, tunnel(server.port, authority.context) as proxy:
        server.answer(stream(event(chunk("one ")), seen, event(chunk("two", finish_reason="stop"))))
        changes = {**ELSEWHERE, "HTTPS_PROXY": proxy.url, "SSL_CERT_FILE": str(authority.certificate)}
        with qwen.start("stream", "hi", env=changes) as running:
            running.wait_for(b"one ")
            seen.set()
            assert running.finish().text == "one two\n"


def test_a_certificate_is_checked_behind_a_proxy_too(qwen: Program, authority: Authority) -> None:
    with ApiServer(authority.stranger) as server, tunnel(server.port) as proxy:
        changes = {"HTTPS_PROXY": proxy.url, "AIMLAPI_BASE_URL": "https://elsewhere.example/v1"}
        result = qwen("ask", "--retries", "0", "hi", env=changes)
    assert (result.status, result.stdout, server.requests) == (6, b"", [])
    assert "certificate" in result.message


@pytest.mark.parametrize(
    ("status", "part"),
    [pytest.param(403, "403", id="forbids"), pytest.param(407, "USER:PASSWORD", id="wants a password")],
)
def test_a_proxy_is_named_when_it(qwen: Program, status: int, part: str) -> None:
    with ApiServer() as proxy:
        proxy.answer(reply(body=b"no", status=status))
        url = f"127.0.0.1:{proxy.port}"
        result = qwen.call("ask", "hi", env={**ELSEWHERE, "HTTPS_PROXY": f"http://user:{PASSWORD}@{url}"})
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
        result = qwen.call("ask", "--retries", "1", "hi", env={**ELSEWHERE, "HTTPS_PROXY": url})
    proxy.verify()
    assert (result.status, result.stdout) == (6, b"")
    note, last = result.stderr.splitlines()
    assert f"proxy {url}" in note
    assert f"proxy {url}" in last
    assert str(status) in last


@pytest.mark.parametrize(
    ("winner", "loser"),
    [
        pytest.param("HTTPS_PROXY", "ALL_PROXY", id="the scheme's before that for all"),
        # As with curl, which knows `http_proxy` in small letters alone.
        pytest.param("https_proxy", "HTTPS_PROXY", id="the small name before the capitals"),
    ],
)
def test_one_variable_comes_before_another(qwen: Program, winner: str, loser: str) -> None:
    with ApiServer() as used, ApiServer() as ignored:
        used.answer(reply(status=403))
        changes = {winner: f"127.0.0.1:{used.port}", loser: f"127.0.0.1:{ignored.port}"}
        assert qwen.call("ask", "hi", env={**ELSEWHERE, **changes}).status == 6
    used.verify()
    assert ignored.connections == 0


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_proxy_that_refuses_connections_is_named_with_its_variable(qwen: Program, variable: str) -> None:
    with socket.socket() as refusing:
        refusing.bind(("127.0.0.1", 0))
        url = f"127.0.0.1:{refusing.getsockname()[1]}"
        result = qwen.call("ask", "--retries", "0", "hi", env={**ELSEWHERE, variable: f"HTTP://{url}"})
    assert (result.status, result.stdout) == (6, b"")
    assert f"proxy {url}: Connection refused; check {variable} and NO_PROXY" in result.message


def test_a_proxy_without_a_host_is_not_passed_over(qwen: Program) -> None:
    result = qwen.call("ask", "hi", env={**ELSEWHERE, "HTTPS_PROXY": "http://"})
    assert (result.status, "HTTPS_PROXY names no host" in result.message) == (2, True)


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
        result = qwen.call("ask", "--retries", "0", "hi", env=changes)
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


@pytest.mark.parametrize("sign", ["#", "?", "/"])
def test_a_password_that_needs_an_escape_is_not_taken_for_a_part_of_the_address(qwen: Program, sign: str) -> None:
    url = f"http://user:{PASSWORD}{sign}x@127.0.0.1:1"
    result = qwen.call("ask", "--retries", "0", "hi", env={**ELSEWHERE, "HTTPS_PROXY": url})
    assert result.status == 2
    assert result.message == (f"HTTPS_PROXY: its user name or password contains '{sign}'; write it as %{ord(sign):02X}")


def test_a_socks_proxy_says_which_package_it_needs(qwen: Program) -> None:
    without = "import sys; sys.modules['socksio'] = None; from qwen_cli.__main__ import run; run()"
    script = f'shift 3; exec python -c "{without}" "$@"'
    result = qwen("ask", "hi", env={**ELSEWHERE, "ALL_PROXY": "socks5://127.0.0.1:1"}, script=script)
    assert (result.status, result.stdout) == (2, b"")
    assert "pipx inject qwen-cli socksio" in result.message


def test_no_proxy_gets_what_goes_to_loopback(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello.")))
    with ApiServer() as proxy:
        address = f"http://127.0.0.1:{proxy.port}"
        names = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy")
        assert qwen("ask", "hi", env=dict.fromkeys(names, address)).text == "Hello.\n"
    assert proxy.connections == 0
