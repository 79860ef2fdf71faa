"""Connecting: which authorities are trusted, and which address of a name answers first."""

import socket
import threading
import time
from collections.abc import Iterator

import httpcore
import pytest

from qwen_cli.connection.dialling import ATTEMPT_DELAY, Address, addresses, connect
from qwen_cli.connection.network_backend import Backend


def test_localhost_is_never_looked_up() -> None:
    """Its addresses are those of loopback, whatever a resolver says: a stored key goes there without TLS."""
    assert [address[0] for _, address in addresses("localhost", 80)] == ["127.0.0.1", "::1"]


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".example", "xn--a", "." * 5], ids=repr)
def test_a_name_that_is_none_is_reported_as_an_unknown_one(host: str) -> None:
    with pytest.raises(socket.gaierror):
        addresses(host, 443)


# Addresses of documentation (RFC 5737) answer nobody; the loopback network is wide enough for the rest.


@pytest.fixture
def deaf() -> Iterator[Address]:
    """An address that neither answers nor refuses: its queue of connections is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = []
        for _ in range(3):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
            waiting.append(client)
        yield (socket.AF_INET, listener.getsockname())
        for client in waiting:
            client.close()


def test_the_next_address_is_tried_while_the_first_one_is_silent(deaf: Address) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        begun = time.monotonic()
        with connect([deaf, (socket.AF_INET, listener.getsockname())]) as connection:
            assert connection.getpeername() == listener.getsockname()
        assert ATTEMPT_DELAY * 0.9 < time.monotonic() - begun < ATTEMPT_DELAY + 2


def test_the_next_address_is_tried_at_once_when_the_first_one_refuses() -> None:
    with socket.socket() as refusing, socket.create_server(("127.0.0.1", 0)) as listener:
        refusing.bind(("127.0.0.1", 0))  # not listening
        candidates: list[Address] = [
            (socket.AF_INET, refusing.getsockname()),
            (socket.AF_INET, listener.getsockname()),
        ]
        with connect(candidates) as connection:
            assert connection.getpeername() == listener.getsockname()


def test_the_last_refusal_is_reported_when_no_address_answers() -> None:
    with socket.socket() as refusing:
        refusing.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError):
            connect([(socket.AF_INET, refusing.getsockname())] * 3)


def test_a_name_that_is_looked_up_for_ever_costs_the_connect_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit holds for name, TCP and TLS together."""
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answered.wait(20) and [])
    begun = time.monotonic()
    with pytest.raises(httpcore.ConnectTimeout):
        Backend(tls=False, tunnelled=False).connect_tcp("slow.example", 80, timeout=0.2)
    assert time.monotonic() - begun < 2
    answered.set()
