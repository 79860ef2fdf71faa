"""The network below httpcore: connections dialled ahead, and streams that notice what h11 and httpcore do not."""

import select
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import h11
import httpcore

from qwen_cli.connection.dialling import Dial, Server, claim, is_open

_PIECE = 1 << 16
_RESPONSE = b"HTTP/"


class ClosedBefore(httpcore.ReadError):
    """A kept connection was closed before any byte of the response: the server had ended it, or was about to.

    What comes over it, and does not begin like a response, was left over from the one before.
    """


class Stream(httpcore.NetworkStream):
    """A connected socket. `ended` says that the peer has closed its side.

    `deadline`, on the clock of `time.monotonic`, is that of a tunnel through a proxy, which is a part of connecting.
    """

    parser: h11.Connection | None = None
    """What httpcore reads the responses with, once there is one."""
    before_wait: Callable[[], None] | None = None
    """Called when all that has been received is read, and more is awaited."""

    def __init__(self, connection: socket.socket, deadline: float | None = None) -> None:
        self._connection = connection
        self._deadline = deadline
        self._early: bytes | None = None
        self._is_kept = False
        """Whether a response came over it before the present request."""
        self._has_received = False
        self.ended = False

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._early is not None:
            early, self._early = self._early, None
            return self._received(early)
        if self.before_wait:
            self.before_wait()
        with self._mapped(httpcore.ReadTimeout if self._deadline is None else httpcore.ConnectTimeout):
            self._connection.settimeout(self._time_left(timeout))
            return self._received(self._connection.recv(max_bytes))

    def _received(self, data: bytes) -> bytes:
        is_first = self._is_kept and not self._has_received
        if is_first and data[: len(_RESPONSE)] != _RESPONSE[: len(data) or 1]:
            raise ClosedBefore
        if not data:
            self.ended = True
            if self._deadline is not None:
                raise httpcore.ProxyError("it closed the connection")
        self._has_received = True
        return data

    @contextmanager
    def _mapped(self, timeout: type[Exception]) -> Iterator[None]:
        """Raise the errors of a socket that was connected as those of httpcore, which keep them as their cause."""
        try:
            yield
        except TimeoutError as error:
            raise timeout from error
        except OSError as error:
            if self._is_kept and not self._has_received:
                raise ClosedBefore from error
            raise (httpcore.ReadError if self._deadline is None else httpcore.ProxyError) from error

    def _time_left(self, timeout: float | None) -> float | None:
        return timeout if self._deadline is None else max(self._deadline - time.monotonic(), 0.001)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of it; WriteError as soon as the peer answers or hangs up, so that its answer is read."""
        if self._has_received:
            self._is_kept, self._has_received = True, False
        if not buffer:
            return
        view = memoryview(buffer)
        with _mapped(httpcore.WriteTimeout, httpcore.WriteError):
            view = view[self._send(view[:_PIECE]) :]  # which is all of most requests
            poll = select.poll()
            poll.register(self._connection, select.POLLIN | select.POLLOUT)
            while view:
                events = poll.poll(None if timeout is None else timeout * 1000)
                if not events:
                    raise TimeoutError
                if events[0][1] & ~select.POLLOUT and self._has_answered():
                    raise httpcore.WriteError("answered before the request was sent")
                if events[0][1] & select.POLLOUT:
                    view = view[self._send(view[:_PIECE]) :]

    def _has_answered(self) -> bool:
        self._connection.settimeout(0)
        try:
            self._early = self._connection.recv(_PIECE)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False  # a TLS message without data
        return True

    def _send(self, piece: memoryview) -> int:
        self._connection.settimeout(0)
        try:
            return self._connection.send(piece)
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return 0

    def close(self) -> None:
        self._connection.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Speak TLS from here on, unless the connection does already."""
        if isinstance(self._connection, ssl.SSLSocket):
            return self
        with _mapped(httpcore.ConnectTimeout, httpcore.ConnectError):
            self._connection.settimeout(self._time_left(timeout))
            name = server_hostname and server_hostname.encode()
            return Stream(ssl_context.wrap_socket(self._connection, server_hostname=name))

    def get_extra_info(self, info: str) -> Any:
        """`is_readable` is all that httpcore needs to know, before it reuses a connection: then it closes it instead.

        Bytes that came after the end of a response, and are read already, would be taken for the next one.
        """
        if info != "is_readable":
            return None
        return not is_open(self._connection) or (self.parser is not None and bool(self.parser.trailing_data[0]))


def note_parser(pool: httpcore.ConnectionPool, stream: object) -> None:
    """Let a stream know what its responses are read with, for which httpcore has no public way."""
    if isinstance(stream, Stream) and stream.parser is None:
        inner: list[Any] = [getattr(connection, "_connection", None) for connection in pool.connections]
        used = (each for each in inner if getattr(each, "_network_stream", None) is stream)
        stream.parser = next((each._h11_state for each in used), None)


class Backend(httpcore.NetworkBackend):
    """Connects by dialling; the connection that was dialled ahead serves the first request.

    `tls` is spoken from the first byte, `tunnelled` once a proxy has agreed to connect further.
    """

    def __init__(self, *, tls: bool, tunnelled: bool) -> None:
        self._tls = tls
        self._tunnelled = tunnelled

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002 -- the signature is httpcore's
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        assert timeout is not None
        deadline = time.monotonic() + timeout
        server = Server(host, port, self._tls)
        dial = claim(server) or Dial(server)
        with _mapped(httpcore.ConnectTimeout, httpcore.ConnectError):
            return Stream(dial.connection(timeout), deadline if self._tunnelled else None)


@contextmanager
def _mapped(timeout: type[Exception], failure: type[Exception]) -> Iterator[None]:
    """Raise the errors of sockets as those of httpcore, which keep them as their cause."""
    try:
        yield
    except TimeoutError as error:
        raise timeout from error
    except OSError as error:
        raise failure from error
