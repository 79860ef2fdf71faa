"""Connecting to a server: name, TCP and TLS, in a thread, before the request is ready.

The first connection is dialled while the program is still starting, so nothing that costs time is imported here.
"""

import os
import select
import socket
import time
from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Final, NamedTuple

from qwen_cli.background import Background
from qwen_cli.connection.certificates import trust
from qwen_cli.connection.proxies import find_proxy

if TYPE_CHECKING:
    from qwen_cli.endpoint import Endpoint

MAX_IDLE: Final = 20.0
"""Seconds that a connection may wait for its request: servers close those that are silent for longer."""

ATTEMPT_DELAY: Final = 0.25
"""Seconds until the next address is tried as well (RFC 8305, section 8)."""

Address = tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int]]


class Server(NamedTuple):
    """Where to connect to, and whether to speak TLS from the first byte.

    `host` is ASCII; it is passed on as bytes, since for text Python imports its tables of IDNA first (5 ms).
    """

    host: str
    port: int
    tls: bool


class Dial:
    """A connection that is being made in the background."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._started = time.monotonic()
        # Created while the name is looked up and TCP connects.
        self._context = trust() if server.tls else None
        self._connection = Background(self._connect)

    def _connect(self) -> socket.socket:
        connection = connect(addresses(self.server.host, self.server.port))
        if self._context is None:
            return connection
        try:
            return self._context.result().wrap_socket(connection, server_hostname=self.server.host.encode())
        except BaseException:
            connection.close()
            raise

    def connection(self, timeout: float) -> socket.socket:
        """The connected socket; OSError or LocalError if it failed, TimeoutError after `timeout` seconds."""
        return self._connection.result(timeout)

    @property
    def is_usable(self) -> bool:
        """Whether it is not made yet, or still open; one that failed long ago says nothing about the next attempt."""
        if not self._connection.is_done:
            return True
        try:
            connection = self._connection.result()
        except Exception:
            return False
        return time.monotonic() - self._started < MAX_IDLE and is_open(connection)


_ahead: list[Dial] = []


def dial_ahead(endpoint: "Endpoint") -> None:
    """Begin to connect to that endpoint, unless that has begun already or a proxy will be used."""
    if find_proxy(endpoint) is not None:
        return
    server = Server(endpoint.host, endpoint.port, tls=endpoint.scheme == "https")
    if not (_ahead and _ahead[0].server == server):
        _ahead[:] = [Dial(server)]


def claim(server: Server) -> Dial | None:
    """The connection that was dialled ahead to that server, once; None if there is none that can be used."""
    dial = _ahead.pop() if _ahead and _ahead[0].server == server else None
    return dial if dial and dial.is_usable else None


def addresses(host: str, port: int) -> Sequence[Address]:
    """The addresses of a name in the order to try them: the families take turns (RFC 8305, section 4)."""
    if host == "localhost":
        # Never asked of a resolver: a stored key goes to this name without TLS.
        return [(socket.AF_INET, ("127.0.0.1", port)), (socket.AF_INET6, ("::1", port, 0, 0))]
    try:
        found = socket.getaddrinfo(host.encode(), port, type=socket.SOCK_STREAM)
    except OverflowError as error:  # a port beyond 65535
        raise socket.gaierror(socket.EAI_NONAME, "not a valid host name") from error
    families: dict[socket.AddressFamily, list[Address]] = {}
    for family, _type, _protocol, _name, address in found:
        families.setdefault(family, []).append((family, address))  # type: ignore[arg-type]  # of an Internet family
    return [address for turn in zip_longest(*families.values()) for address in turn if address is not None]


def connect(candidates: Sequence[Address]) -> socket.socket:
    """A connection to the first address that answers, each tried `ATTEMPT_DELAY` after the one before it.

    If none answers, the OSError of the last attempt.
    """
    waiting = list(candidates)
    attempts: dict[int, socket.socket] = {}
    failure: OSError = OSError("no address to connect to")
    poll = select.poll()
    try:
        while waiting or attempts:
            if waiting:
                try:
                    attempt = _begin(waiting.pop(0))
                except OSError as error:
                    failure = error
                    continue
                attempts[attempt.fileno()] = attempt
                poll.register(attempt, select.POLLOUT)
            for descriptor, _event in poll.poll(ATTEMPT_DELAY * 1000 if waiting else None):
                poll.unregister(descriptor)
                attempt = attempts.pop(descriptor)
                if not (code := attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)):
                    attempt.settimeout(None)
                    return attempt
                attempt.close()
                failure = OSError(code, os.strerror(code))
        raise failure
    finally:
        for attempt in attempts.values():
            attempt.close()


def _begin(candidate: Address) -> socket.socket:
    family, address = candidate
    attempt = socket.socket(family, socket.SOCK_STREAM)
    try:
        attempt.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        attempt.setblocking(False)
        attempt.connect(address)
    except BlockingIOError:
        pass
    except BaseException:
        attempt.close()
        raise
    return attempt


def is_open(connection: socket.socket) -> bool:
    """Whether nothing has arrived, not even the end; TLS messages without data do not count."""
    connection.settimeout(0)
    try:
        connection.recv(1)
    except BlockingIOError:
        return True
    except OSError as error:
        import ssl

        return isinstance(error, ssl.SSLWantReadError)
    return False
