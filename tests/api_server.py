"""A scripted server of the API: real sockets on loopback, a thread per connection, every byte under the test's control.

Each request takes the next reply of the script. A reply is a sequence of steps, or a function of the request that
returns one: bytes are sent as they are, a number is a pause in seconds, a `threading.Event` is waited for, and an
`Ending` says how the connection ends. Without one it is kept alive.
"""

import json as jsonlib
import select
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from types import TracebackType
from typing import Any, Self

from tests.bodies import event


class Ending(Enum):
    FIN = auto()
    """Close the connection in the orderly way."""
    RESET = auto()
    """Drop the connection: the client sees a reset."""
    SILENCE = auto()
    """Stay connected and send nothing more until the client goes away."""
    DEAF = auto()
    """The same, and read nothing either."""


Step = bytes | float | threading.Event | Ending
FIN, RESET, SILENCE, DEAF = Ending.FIN, Ending.RESET, Ending.SILENCE, Ending.DEAF

EVENT_SECONDS = 60
"""How long a reply waits for an event of the test, or the test for a request, before the test has failed."""


@dataclass
class Request:
    """One request as it arrived, and when its client closed the connection (`time.monotonic`)."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    at: float
    closed_at: float | None = None
    closed: threading.Event = field(default_factory=threading.Event)

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return jsonlib.loads(self.body)

    def mark_closed(self) -> None:
        """Note that the client has closed the connection, once."""
        if not self.closed.is_set():
            self.closed_at = time.monotonic()
            self.closed.set()


Reply = Sequence[Step] | Callable[[Request], Iterable[Step]]


REASONS = {200: "OK", 302: "Found", 400: "Bad Request", 401: "Unauthorized", 429: "Too Many Requests"}


def head(status: int = 200, headers: Mapping[str, object] | None = None) -> bytes:
    """The status line and the headers, with the request id that the service always sends."""
    lines = {"x-inference-id": "inf-7d2c", **(headers or {})}
    fields = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}\r\n{fields}\r\n".encode("utf-8", "surrogateescape")


def reply(
    json: object = None, *, status: int = 200, headers: Mapping[str, object] | None = None, body: bytes | None = None
) -> Sequence[Step]:
    """A response with its true length: `json`, or `body` as it is."""
    content = body if body is not None else jsonlib.dumps(json).encode()
    kind = "application/json" if body is None else "application/octet-stream"
    return (head(status, {"content-type": kind, "content-length": len(content), **(headers or {})}) + content,)


EVENT_STREAM = {"content-type": "text/event-stream; charset=utf-8", "transfer-encoding": "chunked"}
LAST_CHUNK = b"0\r\n\r\n"


def http_chunk(data: bytes) -> bytes:
    """One piece of a body in chunked transfer coding."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def stream(*steps: Step, headers: Mapping[str, object] | None = None, whole: bool = True) -> Sequence[Step]:
    """A response with the `text/event-stream` header whose bytes go out as one HTTP chunk per step.

    `whole` sends the final chunk; without it the steps should end with an `Ending`.
    """
    sent = [http_chunk(step) if isinstance(step, bytes) else step for step in steps]
    return (head(200, {**EVENT_STREAM, **(headers or {})}), *sent, *([LAST_CHUNK] if whole else []))


def events(payloads: Iterable[object], *, done: bool = True, pause: float = 0, newline: str = "\n") -> Sequence[Step]:
    """A stream of `payloads`, one server-sent event per HTTP chunk with `pause` seconds after each."""
    steps: list[Step] = []
    for payload in [*payloads, *(["[DONE]"] if done else [])]:
        steps.append(event(payload, newline=newline))
        if pause:
            steps.append(pause)
    return stream(*steps)


class ClientGoneError(Exception):
    """The client has closed the connection."""


class Connection:
    """One accepted socket: reads requests, takes steps."""

    def __init__(self, sock: socket.socket, read_pause: float = 0) -> None:
        self.sock = sock
        self.read_pause = read_pause
        self.received = bytearray()

    def receive(self) -> None:
        """Wait for more bytes; `ClientGoneError` at the end."""
        if self.read_pause:
            time.sleep(self.read_pause)
        try:
            data = self.sock.recv(1 << 18)
        except OSError as error:
            raise ClientGoneError from error
        if not data:
            raise ClientGoneError
        self.received += data

    def read_request(self, *, with_body: bool, patience: float | None) -> Request:
        """The next request, its body whole if it is wanted; `ClientGoneError` too when none came in time."""
        if patience is not None and not select.select([self.sock], [], [], patience)[0]:
            raise ClientGoneError
        while b"\r\n\r\n" not in self.received:
            self.receive()
        at = time.monotonic()
        start, _, rest = bytes(self.received).partition(b"\r\n\r\n")
        first, *lines = start.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", 0)) if with_body else 0
        self.received = bytearray(rest)
        while len(self.received) < length:
            self.receive()
        body = bytes(self.received[:length])
        del self.received[:length]
        return Request(method, path, headers, body, at)

    def idle(self, seconds: float | None, until: threading.Event | None = None) -> None:
        """Let time pass, for ever if None, or until the event is set; notice a client that leaves."""
        end = None if seconds is None else time.monotonic() + seconds
        while until is None or not until.is_set():
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                assert until is None, "a reply has waited for an event that the test never set"
                return
            pending = isinstance(self.sock, ssl.SSLSocket) and self.sock.pending() > 0
            if pending or select.select([self.sock], [], [], left if until is None else 0.01)[0]:
                self.receive()

    def take(self, step: Step) -> bool:
        """Do one step of a reply; False when it ended the connection."""
        match step:
            case bytes():
                try:
                    self.sock.sendall(step)
                except OSError as error:
                    raise ClientGoneError from error
            case threading.Event():
                self.idle(EVENT_SECONDS, step)
            case Ending.SILENCE:
                self.idle(None)
            case Ending.DEAF:
                poll = select.poll()
                poll.register(self.sock, select.POLLRDHUP)
                poll.poll()
                raise ClientGoneError
            case Ending.RESET:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return False
            case Ending.FIN:
                return False
            case _:
                self.idle(step)
        return True


class ApiServer:
    """The server: script it with `answer` or `always`, point the program at `base_url`, look at `requests`."""

    def __init__(self, tls: ssl.SSLContext | None = None, *, listening: bool = True) -> None:
        self.tls = tls
        self.requests: list[Request] = []
        self.unexpected: list[Request] = []
        self.connections = 0
        self.reads_bodies = True
        """Without, a request is answered as soon as its header is there, and its body stays unread."""
        self.read_pause = 0.0
        """Seconds before each piece of a request is read."""
        self.patience: float | None = None
        """Seconds after which a connection is closed on which no request has come."""
        self._script: deque[Reply] = deque()
        self._always: Reply | None = None
        self._changed = threading.Condition()
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._live: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept)
        self._listening = listening

    @property
    def port(self) -> int:
        """The port of 127.0.0.1 that it listens on."""
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def base_url(self) -> str:
        """What `AIMLAPI_BASE_URL` has to say."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/v1"

    @property
    def open_connections(self) -> int:
        """How many clients are still connected, once those that have left are noticed."""
        for request in self.requests:
            request.closed.wait(EVENT_SECONDS)
        with self._changed:
            return len(self._live)

    @property
    def request(self) -> Request:
        """The only request there has been."""
        assert len(self.requests) == 1, f"expected one request, there were {len(self.requests)}"
        return self.requests[0]

    def answer(self, *replies: Reply) -> None:
        """Add to the script: each of the next requests takes one reply."""
        self._script.extend(replies)

    def always(self, answer: Reply) -> None:
        """What every request gets that finds the script empty."""
        self._always = answer

    def wait_for_requests(self, count: int = 1, *, timeout: float = EVENT_SECONDS) -> None:
        """Until so many requests have arrived."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.requests) >= count, timeout), "no such request came"

    def verify(self) -> None:
        """Every reply was used and every request expected."""
        assert not self._script, f"{len(self._script)} scripted replies went unused"
        assert not self.unexpected, f"unexpected requests: {[(r.method, r.path) for r in self.unexpected]}"

    def listen(self) -> None:
        """Begin to accept; before, connections are refused."""
        self._listener.listen(512)
        self._acceptor.start()

    def __enter__(self) -> Self:
        if self._listening:
            self.listen()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._acceptor.ident is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._acceptor.join()
        self._listener.close()
        with self._changed:
            live = list(self._live)
        for sock in live:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with self._changed:
                self._live.add(sock)
            thread = threading.Thread(target=self._serve, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, accepted: socket.socket) -> None:
        sock = accepted
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self.tls:
                # A client that doesn't trust the certificate breaks off here, which is its right.
                with suppress(OSError):
                    sock = self.tls.wrap_socket(accepted, server_side=True)
                if sock is accepted:
                    return
                with self._changed:
                    self._live.add(sock)
            self._converse(Connection(sock, self.read_pause))
        finally:
            with self._changed:
                self._live -= {sock, accepted}
            sock.close()
            accepted.close()

    def _converse(self, connection: Connection) -> None:
        request: Request | None = None
        try:
            while True:
                request = connection.read_request(with_body=self.reads_bodies, patience=self.patience)
                chosen = self._next(request)
                steps = chosen(request) if callable(chosen) else chosen
                if not all(connection.take(step) for step in steps):
                    return
        except ClientGoneError:
            if request is not None:
                request.mark_closed()

    def _next(self, request: Request) -> Reply:
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()
            if self._script:
                return self._script.popleft()
            if self._always is not None:
                return self._always
            self.unexpected.append(request)
            return reply({"message": "the test has scripted no reply for this request"}, status=400)


@contextmanager
def unanswering_port() -> Iterator[int]:
    """A port of 127.0.0.1 that neither accepts nor refuses: whoever connects to it waits."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address: tuple[str, int] = listener.getsockname()
        # A full queue of connections nobody accepts: the kernel drops whatever else wants to connect.
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        yield address[1]
