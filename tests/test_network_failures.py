"""What went wrong on the way to the server, in one line."""

import socket
import threading
from contextlib import suppress

from tests.program import Program


def test_a_port_that_refuses_ends_with_6(qwen: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
    result = qwen.call("ask", "--retries", "0", "hi", env={"AIMLAPI_BASE_URL": url})
    assert (result.status, result.stdout) == (6, b"")
    assert "127.0.0.1" in result.message
    assert "Connection refused" in result.message


def test_a_name_that_does_not_resolve_ends_with_6(qwen: Program) -> None:
    changes = {"AIMLAPI_BASE_URL": "https://nobody.invalid/v1", "RES_OPTIONS": "attempts:1 timeout:1"}
    result = qwen.call("ask", "--retries", "0", "hi", env=changes)
    assert (result.status, result.stdout) == (6, b"")
    assert "nobody.invalid" in result.message


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
