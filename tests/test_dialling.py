"""Connecting: which address of a name answers first, and how long that may take."""

import socket
import threading
import time

import httpcore
import pytest

from qwen_cli.connection.dialling import ATTEMPT_DELAY, Address, addresses, connect
from qwen_cli.connection.network_backend import Backend
from tests.api_server import unanswering_port
from tests.program import SECONDS


def test_localhost_is_never_looked_up() -> None:
    """Its addresses are those of loopback, whatever a resolver says: a stored key goes there without TLS."""
    assert [address[0] for _, address in addresses("localhost", 80)] == ["127.0.0.1", "::1"]


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".example", "xn--a", "." * 5], ids=repr)
def test_a_name_that_is_none_is_reported_as_an_unknown_one(host: str) -> None:
    with pytest.raises(socket.gaierror):
        addresses(host, 443)


def test_the_families_of_addresses_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network on which one of them leads nowhere costs one delay, not one for each address (RFC 8305)."""
    found = [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fd00::1", 80, 0, 0)),
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fd00::2", 80, 0, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 80)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert [address[0] for _, address in addresses("example.org", 80)] == ["fd00::1", "192.0.2.1", "fd00::2"]


def test_the_next_address_is_tried_while_the_first_one_is_silent() -> None:
    with unanswering_port() as port, socket.create_server(("127.0.0.1", 0)) as listener:
        begun = time.monotonic()
        candidates: list[Address] = [
            (socket.AF_INET, ("127.0.0.1", port)),
            (socket.AF_INET, listener.getsockname()),
        ]
        with connect(candidates) as connection:
            assert connection.getpeername() == listener.getsockname()
        assert time.monotonic() - begun > ATTEMPT_DELAY * 0.9


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
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answered.wait(SECONDS) and [])
    with pytest.raises(httpcore.ConnectTimeout):
        Backend(tls=False, tunnelled=False).connect_tcp("slow.example", 80, timeout=0.2)
    answered.set()
