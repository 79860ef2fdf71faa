"""The sandbox's server: HTTP/1.1 on loopback, one thread per connection."""

import hashlib
import json
import math
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from itertools import islice
from socketserver import ThreadingTCPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from qwen_cli.request import field_limits
from qwen_cli.sandbox.account import Account, models, timestamp
from qwen_cli.sandbox.completion import Completion, chunks, complete, half, response
from qwen_cli.sandbox.faults import Fault, FaultSchedule, RateLimit
from qwen_cli.sandbox.incoming import ApiError, parse_request

LARGEST_BODY = 64 * 1024 * 1024
"""Bytes of a request; a larger one is a 413."""

_CHAT = ("/v1/chat/completions", "/chat/completions")
_METHODS = dict.fromkeys(_CHAT, "POST") | dict.fromkeys(("/v1/models", "/v2/billing", "/v2/usage/detail"), "GET")
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_LOOPBACK_ORIGIN = re.compile(rf"https?://({'|'.join(map(re.escape, _LOOPBACK))})(:[0-9]+)?", re.IGNORECASE)
_SLOW_START = 2.0
_SLOW_CHUNK = 0.1
_GARBAGE = b'{"id": "chatcmpl-\xff\xfe", garbage'
_FAILURES = {
    "429": "Too many requests: the sandbox limits the rate",
    "500": "Internal server error: the sandbox fails on request",
    "503": "Service unavailable: the sandbox fails on request",
}


class Server(ThreadingTCPServer):
    """Listens on an ephemeral port of 127.0.0.1, with an account and a schedule of faults of its own."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def __init__(self, faults: Sequence[Fault], rate: float | None) -> None:
        self.account = Account()
        self.faults = FaultSchedule(faults)
        self.rate_limit = RateLimit(rate) if rate else None
        super().__init__(("127.0.0.1", 0), Handler)
        self.hosts = {f"{name}:{self.server_address[1]}" for name in _LOOPBACK}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that went away; anything else is a defect and stays visible."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


@contextmanager
def serving(*, faults: Sequence[Fault] = (), rate: float | None = None) -> Iterator[str]:
    """Serve in a thread while the context lasts; the value is the base URL, ending in `/v1`."""
    with Server(faults, rate) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        finally:
            server.shutdown()
            thread.join()


def _digest(requestline: str, body: bytes = b"") -> str:
    """A hash of the request, in hexadecimal, from which its ids are made."""
    digest = hashlib.sha256(requestline.encode(errors="replace") + b"\n")
    digest.update(body)
    return digest.hexdigest()


def _encode(value: object) -> bytes:
    """Compact JSON in UTF-8; a lone surrogate stays an escape, the only form in which JSON can hold it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace")


class Handler(BaseHTTPRequestHandler):
    """One connection; the attributes set in `_answer` belong to the request at hand."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "qwen-cli-sandbox"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = 1 << 16  # so that head and body leave together

    _digest = ""
    _fault: str | None = None

    def log_message(self, *_args: Any) -> None:
        """Write nothing: standard error belongs to the command."""

    def send_error(self, code: int, message: str | None = None, _explain: str | None = None) -> None:
        """Answer requests that the base class cannot parse, in the API's format."""
        # Where the next request would begin is unknown.
        self.close_connection = True
        self._digest = _digest(self.requestline)
        self._send_refusal(ApiError(code, message or HTTPStatus(code).phrase))

    def _answer(self) -> None:
        self._fault = None
        self._digest = _digest(self.requestline)
        try:
            body = self._read_body()
            self._digest = _digest(self.requestline, body)
            self._route(body)
        except ApiError as error:
            self._send_refusal(error)

    def __getattr__(self, name: str) -> Any:
        """Answer every method in the same way, even unknown ones."""
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _route(self, body: bytes) -> None:
        self._refuse_browsers()
        path, query = self._target()
        if path not in _METHODS:
            raise ApiError(404, f"Cannot {self.command} {path[:200]}")
        if self.command != _METHODS[path]:
            message = f"method: Expected {_METHODS[path]} for {path}, Received {self.command}"
            raise ApiError(405, message, {"Allow": _METHODS[path]})
        scheme, _, key = self.headers.get("Authorization", "").strip().partition(" ")
        if path != "/v1/models" and not (scheme.lower() == "bearer" and key.strip()):
            raise ApiError(401, "Authorization: Expected Bearer and an API key, Received none")
        self._meet_fault(is_chat=path in _CHAT)
        if path in _CHAT:
            self._chat(body)
        else:
            account = self.server.account
            report = {"/v1/models": models, "/v2/billing": account.billing, "/v2/usage/detail": account.usage}[path]
            self._send(200, _encode(report(query)), {})

    def _refuse_browsers(self) -> None:
        """Refuse requests of web pages, by their `Origin`, or by a foreign name in `Host` (DNS rebinding)."""
        host, origin = self.headers.get("Host"), self.headers.get("Origin")
        if host is not None and host.lower() not in self.server.hosts:
            raise ApiError(403, f"Host: Expected {min(self.server.hosts)}, Received {json.dumps(host[:60])}")
        if origin is not None and not _LOOPBACK_ORIGIN.fullmatch(origin):
            raise ApiError(403, f"Origin: Expected none, Received {json.dumps(origin[:60])}")

    def _target(self) -> tuple[str, dict[str, str]]:
        """Path and query; the last of several values of a name counts."""
        try:
            url = urlsplit(self.path)
        except ValueError:
            raise ApiError(404, f"Cannot {self.command} {self.path[:200]}") from None
        return url.path, dict(parse_qsl(url.query, keep_blank_values=True))

    def _meet_fault(self, *, is_chat: bool) -> None:
        wait = self.server.rate_limit.take() if self.server.rate_limit else 0
        self._fault = None if wait else self.server.faults.take()
        if self._fault == "slow":
            time.sleep(_SLOW_START)
        failure = "429" if wait else self._fault
        if failure in _FAILURES:
            if is_chat:
                self.server.account.count_failure()
            headers = {"Retry-After": str(max(1, math.ceil(wait)))} if failure == "429" else {}
            raise ApiError(int(failure), _FAILURES[failure], headers)

    def _chat(self, body: bytes) -> None:
        request = parse_request(body)
        completion = complete(request, self._digest, self._fault)
        self.server.account.charge(completion)
        if request.get("stream"):
            self._stream(completion, include_usage=request.get("stream_options", {}).get("include_usage", False))
            return
        cost = {"x-aimlapi-credits-used": f"{completion.credits_used:f}", "x-aimlapi-usd-spent": f"{completion.usd:f}"}
        self._send(200, _encode(response(completion)), cost)

    def _stream(self, completion: Completion, *, include_usage: bool) -> None:
        """Send server-sent events, each flushed on its own."""
        events: Iterator[bytes] = (
            b"data: " + _encode(chunk) + b"\n\n" for chunk in chunks(completion, include_usage=include_usage)
        )
        if self._fault == "garbage":
            events = iter([b"data: " + _GARBAGE + b"\n\n"])
        elif self._fault == "cut":
            events = islice(events, half(completion))
        # HTTP/1.0 has no chunks: the client reads until the connection closes.
        chunked = self.request_version == "HTTP/1.1"
        framing = {"Transfer-Encoding": "chunked"} if chunked else {"Connection": "close"}
        self._send_head(200, {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"} | framing)
        for event in events:
            self._send_event(event, chunked=chunked)
            self.wfile.flush()
            if self._fault == "slow":
                time.sleep(_SLOW_CHUNK)
        if self._fault == "cut":
            self.close_connection = True
            return
        self._send_event(b"data: [DONE]\n\n", chunked=chunked)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _send_event(self, event: bytes, *, chunked: bool) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(event), event) if chunked else event)

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        if self._fault == "garbage":
            body = _GARBAGE
        framing = {"Content-Type": "application/json; charset=utf-8", "Content-Length": str(len(body))}
        self._send_head(status, framing | headers)
        if self._fault == "cut":
            self.close_connection = True
            body = body[: len(body) // 2]
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send_refusal(self, error: ApiError) -> None:
        body = {
            "message": str(error),
            "path": getattr(self, "path", ""),
            "requestId": self._request_id(),
            "statusCode": error.status,
            "timestamp": timestamp(),
        }
        closing = {"Connection": "close"} if self.close_connection else {}
        self._fault = None
        self._send(error.status, _encode(body), closing | error.headers)
        if self.close_connection:
            self._linger()

    def _send_head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("x-inference-id", self._request_id())
        client_id = self.headers.get("X-Client-Request-Id", "") if hasattr(self, "headers") else ""
        if re.fullmatch(field_limits.REQUEST_ID, client_id):
            self.send_header("x-client-request-id", client_id)
        self.end_headers()

    def _request_id(self) -> str:
        """An id for the request, in the form of a UUID."""
        return str(UUID(self._digest[:32]))

    def _read_body(self) -> bytes:
        """The whole body; if it cannot be read to its end, the connection is closed after the refusal."""
        try:
            if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
                return b"".join(self._read_chunks())
            length = self.headers.get("Content-Length", "0").strip()
            if not re.fullmatch("[0-9]{1,18}", length):
                raise ApiError(400, f"Content-Length: Expected a number of bytes, Received {length[:60]}")
            return self._read(int(length), int(length))
        except ApiError:
            self.close_connection = True
            raise

    def _read_chunks(self) -> Iterator[bytes]:
        total = 0
        while True:
            digits = self.rfile.readline(1024).partition(b";")[0].strip()
            if not re.fullmatch(rb"[0-9a-fA-F]{1,8}", digits):
                raise ApiError(400, "Transfer-Encoding: Expected the size of a chunk, Received something else")
            size = int(digits, 16)
            if not size:
                break
            total += size
            yield self._read(size, total)
            self.rfile.readline(1024)
        while self.rfile.readline(1024).strip():
            pass

    def _read(self, length: int, total: int) -> bytes:
        if total > LARGEST_BODY:
            raise ApiError(413, f"body: Expected at most {LARGEST_BODY} bytes, Received more")
        data = self.rfile.read(length)
        if len(data) < length:
            raise ConnectionResetError
        return data

    def _linger(self) -> None:
        """Read on for a moment: closing with unread input would reset the connection before the refusal is read."""
        self.connection.settimeout(2)
        with suppress(OSError):
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_WR)
            while self.rfile.read1(1 << 16):
                pass
