"""The sandbox as an HTTP server: paths, keys, connections, bodies, web pages, many clients at once."""

import json
import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest

from qwen_cli.sandbox.server import serving
from tests.sandbox import CHAT, KEY, asking, chat, connect, send


@pytest.fixture(scope="module")
def shared() -> Iterator[str]:
    """One sandbox without faults for all of these tests."""
    with serving() as base_url:
        yield base_url


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", CHAT, KEY, 200),
        ("POST", CHAT, {}, 200),
        ("GET", "/v1/models", {}, 200),
        ("GET", "/models", KEY, 404),
        ("POST", "/v1/completions", KEY, 404),
        ("GET", "/", KEY, 404),
        ("GET", "//[", KEY, 404),
        ("GET", CHAT, KEY, 404),
        ("POST", "/v1/models", KEY, 404),
    ],
)
def test_routes_and_keys(shared: str, method: str, path: str, headers: dict[str, str], status: int) -> None:
    body = json.dumps(asking()).encode() if method == "POST" else None
    answer = send(shared, method, path, body, headers)
    assert answer.status == status
    if status != 200:
        assert answer.json["statusCode"] == status


def test_a_connection_is_kept_through_refusals(shared: str) -> None:
    connection = connect(shared)
    try:
        for path, status in ((CHAT, 200), ("/nowhere", 404), (CHAT, 200)):
            connection.request("POST", path, json.dumps(asking()), KEY)
            response = connection.getresponse()
            response.read()
            assert response.status == status
            assert response.headers.get("Connection") != "close"
    finally:
        connection.close()


@pytest.mark.parametrize(
    "field", ["Transfer-Encoding: chunked", *(f"Content-Length: {n}" for n in ("x", "-1", "1" * 9))]
)
def test_a_body_without_a_length_is_refused_and_the_connection_closed(shared: str, field: str) -> None:
    host, port = shared.split("/")[2].split(":")
    with socket.create_connection((host, int(port)), timeout=60) as client:
        client.sendall(f"POST {CHAT} HTTP/1.1\r\n{field}\r\n\r\n".encode())
        received = b"".join(iter(lambda: client.recv(65536), b""))
    assert received.startswith(b"HTTP/1.1 411 ")
    assert b'"message":"Content-Length: ' in received


def test_a_web_page_is_refused_by_its_host_and_origin(shared: str) -> None:
    place = shared.split("/")[2]
    port = place.partition(":")[2]

    def status(**headers: str) -> int:
        return send(shared, "POST", CHAT, json.dumps(asking()).encode(), KEY | headers).status

    assert [status(Host=host) for host in ("evil.example", f"evil.example:{port}", f"127.0.0.1:{port}0")] == [403] * 3
    assert [status(Origin=origin) for origin in ("https://evil.example", "null", f"http://{place}")] == [403] * 3
    assert [status(), status(Host=f"localhost:{port}"), status(Host=place)] == [200] * 3
    assert send(shared, "GET", "/v1/models", headers={"Host": "evil.example"}).status == 403


# Under strain


def test_many_clients_at_once(shared: str) -> None:
    contents: list[str] = []
    threads = [
        threading.Thread(target=lambda n=n: contents.append(chat(shared, f"number {n}").content)) for n in range(200)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(contents) == sorted(f"number {n}" for n in range(200))


def test_clients_that_hang_up_leave_no_trace(shared: str, capsys: pytest.CaptureFixture[str]) -> None:
    host, port = shared.split("/")[2].split(":")
    body = json.dumps(asking("word " * 10_000, stream=True)).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nAuthorization: Bearer k\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    for sent in (b"", b"POST", head, head + body[:-5], head + body, head + body):
        for abruptly in (True, False):
            with socket.create_connection((host, int(port)), timeout=60) as client:
                client.sendall(sent)
                if abruptly:
                    if sent == head + body:
                        client.recv(10)
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    deadline = time.monotonic() + 60
    while any("process_request" in thread.name for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert capsys.readouterr() == ("", "")


def test_listens_on_loopback_only(shared: str) -> None:
    assert shared.startswith("http://127.0.0.1:")
    with socket.socket() as client:
        # Another address of this machine's loopback network: served too, if the server listened everywhere.
        assert client.connect_ex(("127.0.0.2", int(shared.split("/")[2].split(":")[1]))) != 0


def test_stops_listening_when_done() -> None:
    with serving() as base_url:
        assert chat(base_url).status == 200
    with pytest.raises(ConnectionRefusedError):
        chat(base_url)
