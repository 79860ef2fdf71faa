"""The sandbox as an HTTP server: paths, keys, connections, bodies, web pages, many clients at once."""

import json
import socket
import threading
from collections.abc import Iterator

import pytest

from qwen_cli.sandbox.server import serving
from tests.sandbox import CHAT, KEY, Answer, asking, chat, connect, send


@pytest.fixture(scope="module")
def shared() -> Iterator[str]:
    """One sandbox without faults for all of these tests."""
    with serving() as base_url:
        yield base_url


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", CHAT, {}, 401),
        ("POST", CHAT, {"Authorization": ""}, 401),
        ("POST", CHAT, {"Authorization": "Bearer "}, 401),
        ("POST", CHAT, {"Authorization": "Basic abc"}, 401),
        ("GET", "/v2/billing", {}, 401),
        ("GET", "/v1/models", {}, 200),
        ("GET", "/models", {}, 200),
        ("POST", "/chat/completions", KEY, 200),
        ("POST", "/v1/completions", KEY, 404),
        ("GET", "/", KEY, 404),
        ("GET", "//[", KEY, 404),
        ("GET", CHAT, KEY, 404),
        ("POST", "/v1/models", KEY, 404),
        ("DELETE", "/v1/models", KEY, 501),
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


def test_a_body_sent_in_chunks_is_refused_and_the_connection_closed(shared: str) -> None:
    connection = connect(shared)
    try:
        text = json.dumps(asking("in pieces")).encode()
        connection.request("POST", CHAT, iter([text[:5], text[5:]]), KEY, encode_chunked=True)
        response = connection.getresponse()
        answer = Answer(response)
        assert answer.status == 411
        assert answer.json["statusCode"] == 411
        assert answer.message.startswith("Content-Length: ")
        assert answer.headers["Connection"] == "close"
    finally:
        connection.close()


@pytest.mark.parametrize("length", ["+5", "x", "-1", "1" * 19, "5, 5"])
def test_a_length_that_is_no_number_is_refused(shared: str, length: str) -> None:
    received = exchange(shared, f"POST {CHAT} HTTP/1.1\r\nContent-Length: {length}\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 411 ")
    assert b'"message":"Content-Length: ' in received


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("GET", 400),
        ("GET / HTTP/x", 400),
        ("GET / HTTP/3.0", 505),
        ("BREW /v1/models HTTP/1.1", 501),
        (f"GET /{'a' * 70_000} HTTP/1.1", 414),
    ],
)
def test_what_is_no_request_is_refused_in_the_same_form(shared: str, line: str, status: int) -> None:
    received = exchange(shared, f"{line}\r\n\r\n")
    refusal = json.loads(received[received.index(b"{") :])
    assert refusal["statusCode"] == status
    assert refusal.keys() == {"message", "path", "requestId", "statusCode", "timestamp"}


def exchange(base_url: str, text: str) -> bytes:
    """All that comes back, until the sandbox closes the connection."""
    host, port = base_url.split("/")[2].split(":")
    with socket.create_connection((host, int(port)), timeout=60) as client:
        client.sendall(text.encode())
        return b"".join(iter(lambda: client.recv(65536), b""))


def test_64_megabytes_are_taken_and_more_is_a_413_that_arrives(shared: str) -> None:
    picture = [{"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 63_999_600}}]
    assert chat(shared, picture).content == "(1 image)"
    connection = connect(shared)
    try:
        connection.putrequest("POST", CHAT)
        connection.putheader("Content-Length", str(65 << 20))
        connection.endheaders()
        for _ in range(65):
            connection.send(bytes(1 << 20))
        answer = Answer(connection.getresponse())
        assert answer.status == 413
        assert answer.message == "body: it is longer than 67108864 bytes"
    finally:
        connection.close()


def test_a_web_page_is_refused_by_its_host_and_origin(shared: str) -> None:
    place = shared.split("/")[2]
    port = place.partition(":")[2]

    def status(**headers: str) -> int:
        return send(shared, "POST", CHAT, json.dumps(asking()).encode(), KEY | headers).status

    assert [status(Host=host) for host in ("evil.example", f"evil.example:{port}", f"127.0.0.1:{port}0")] == [403] * 3
    assert [status(Origin=origin) for origin in ("https://evil.example", "null", f"http://{place}")] == [403] * 3
    assert [status(), status(Host=f"localhost:{port}"), status(Host=place.upper())] == [200] * 3
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
