"""The sandbox's server: HTTP/1.1 on loopback, one thread per connection."""

import hashlib
import math
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from qwen_cli.background import start_thread
from qwen_cli.json_text import compact
from qwen_cli.request.field_limits import REQUEST_ID
from qwen_cli.sandbox.account import Account, models, timestamp
from qwen_cli.sandbox.completion import CREDITS_PER_USD, Body, chunks, complete, price
from qwen_cli.sandbox.faults import Fault, FaultSchedule, RateLimit
from qwen_cli.sandbox.refusals import ApiError, read_request

MAX_BODY = 64 * 1024 * 1024
"""Bytes of a request; a larger one is a 413."""

_CHAT = ("/v1/chat/completions", "/chat/completions")
_MODELS = ("/v1/models", "/models")
_ROUTES = {
    *(("POST", path) for path in _CHAT),
    *(("GET", path) for path in (*_MODELS, "/v2/billing", "/v2/usage/detail")),
}
_NEEDED = "Content-Length: the number of bytes is required, and the sandbox takes no chunked body"
_SLOW_START = 2.0
_SLOW_CHUNK = 0.1
_GARBAGE = b'{"id": "chatcmpl-\xff\xfe", garbage'
_FAILURES = ("429", "500", "503")


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
        self.port = self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that went away; anything else is a defect and stays visible."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


@contextmanager
def serving(*, faults: Sequence[Fault] = (), rate: float | None = None) -> Iterator[str]:
    """Serve in a thread while the context lasts; the value is the base URL, ending in `/v1`."""
    with Server(faults, rate) as server:
        thread = start_thread(server.serve_forever, 0.02)
        try:
            yield f"http://127.0.0.1:{server.port}/v1"
        finally:
            server.shutdown()
            thread.join()


def _encode(value: object) -> bytes:
    """Compact JSON in UTF-8; a lone surrogate stays an escape, the only form in which JSON can hold it."""
    return compact(value).encode(errors="backslashreplace")


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "qwen-cli-sandbox"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = 1 << 16  # so that head and body leave together

    # Of the request at hand:
    _digest = _request_id = ""
    _fault: str | None = None

    def log_message(self, *_args: Any) -> None:
        """Write nothing: standard error belongs to the command."""

    def send_error(self, code: int, message: str | None = None, _explain: str | None = None) -> None:
        """Refuse what the base class cannot parse; where the next request would begin is unknown."""
        self.close_connection = True
        self._refuse(ApiError(code, message or HTTPStatus(code).phrase))

    def _answer(self) -> None:
        self._fault = None
        self._identify(b"")
        try:
            body = self._read_body()
            self._identify(body)
            self._route(body)
        except ApiError as error:
            self._refuse(error)

    do_GET = do_POST = _answer  # noqa: N815

    def _identify(self, body: bytes) -> None:
        """Name the request, and in the same way the same request another time."""
        digest = hashlib.sha256(self.requestline.encode(errors="replace") + b"\n")
        digest.update(body)
        self._digest = digest.hexdigest()
        self._request_id = str(UUID(self._digest[:32]))

    def _read_body(self) -> bytes:
        """The whole body; one that is not taken is read past, so that its client gets to the refusal."""
        stated = self.headers.get("Content-Length", "0").strip()
        if "Transfer-Encoding" in self.headers or not re.fullmatch("[0-9]{1,18}", stated):
            self.close_connection = True
            while "Transfer-Encoding" in self.headers and self.rfile.readline() not in (b"", b"0\r\n"):
                pass
            raise ApiError(411, _NEEDED)
        length = int(stated)
        if length > MAX_BODY:
            while length > 0 and (block := self.rfile.read(min(length, MAX_BODY))):
                length -= len(block)
            raise ApiError(413, f"body: it is longer than {MAX_BODY} bytes")
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionResetError
        return body

    def _route(self, body: bytes) -> None:
        self._refuse_browsers()
        path, _, text = self.path.partition("?")
        query = dict(parse_qsl(text, keep_blank_values=True))
        if (self.command, path) not in _ROUTES:
            raise ApiError(404, f"Cannot {self.command} {path[:200]}")
        scheme, _, key = self.headers.get("Authorization", "").strip().partition(" ")
        if path not in _MODELS and not (scheme.lower() == "bearer" and key.strip()):
            raise ApiError(401, "Authorization: no API key, as in 'Bearer KEY'")
        self._meet_fault()
        account = self.server.account
        if path in _CHAT:
            self._chat(body)
        elif path in _MODELS:
            self._send(200, models(query))
        else:
            self._send(200, account.billing() if path == "/v2/billing" else account.usage(query))

    def _refuse_browsers(self) -> None:
        """Refuse requests of web pages, by their `Origin`, or by a foreign name in `Host` (DNS rebinding)."""
        place = f"127.0.0.1:{self.server.port}"
        host = self.headers.get("Host", place)
        if host.lower() not in (place, f"localhost:{self.server.port}"):
            raise ApiError(403, f"Host: {host[:60]} is not {place}")
        if "Origin" in self.headers:
            raise ApiError(403, "Origin: the sandbox answers no web page")

    def _meet_fault(self) -> None:
        wait = self.server.rate_limit.take() if self.server.rate_limit else 0
        self._fault = "429" if wait else self.server.faults.take()
        if self._fault == "slow":
            time.sleep(_SLOW_START)
        if self._fault in _FAILURES:
            status = HTTPStatus(int(self._fault))
            headers = {"Retry-After": str(max(1, math.ceil(wait)))} if status == HTTPStatus.TOO_MANY_REQUESTS else {}
            raise ApiError(status, f"{status.phrase}: the sandbox was started to answer so", headers)

    def _chat(self, body: bytes) -> None:
        request = read_request(body)
        completion = complete(request, self._digest, self._fault)
        usd = price(completion["usage"])
        self.server.account.charge(request["model"], usd)
        if request.get("stream"):
            self._stream(completion, include_usage=request.get("stream_options", {}).get("include_usage", False))
        else:
            cost = {"x-aimlapi-credits-used": f"{usd * CREDITS_PER_USD:f}", "x-aimlapi-usd-spent": f"{usd:f}"}
            self._send(200, completion, cost)

    def _stream(self, completion: Body, *, include_usage: bool) -> None:
        """Send server-sent events, each flushed on its own."""
        events = [_encode(chunk) for chunk in chunks(completion, include_usage=include_usage)]
        if self._fault == "garbage":
            events = [_GARBAGE]
        elif self._fault == "cut":
            del events[-3:]  # the finish reason and a part of the answer
        self._send_head(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})
        for event in events:
            self._send_event(event)
            if self._fault == "slow":
                time.sleep(_SLOW_CHUNK)
        if self._fault == "cut":
            self.close_connection = True
            return
        self._send_event(b"[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def _send_event(self, data: bytes) -> None:
        event = b"data: " + data + b"\n\n"
        self.wfile.write(b"%x\r\n%b\r\n" % (len(event), event))
        self.wfile.flush()

    def _send(self, status: int, value: object, headers: dict[str, str] | None = None) -> None:
        body = _GARBAGE if self._fault == "garbage" else _encode(value)
        framing = {"Content-Type": "application/json; charset=utf-8", "Content-Length": str(len(body))}
        self._send_head(status, framing | (headers or {}))
        if self._fault == "cut":
            self.close_connection = True
            body = body[: len(body) // 2]
        self.wfile.write(body)

    def _refuse(self, error: ApiError) -> None:
        self._fault = None
        body = {
            "message": str(error),
            "path": getattr(self, "path", ""),
            "requestId": self._request_id,
            "statusCode": error.status,
            "timestamp": timestamp(),
        }
        self._send(error.status, body, error.headers | ({"Connection": "close"} if self.close_connection else {}))

    def _send_head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        client_id = self.headers.get("X-Client-Request-Id", "") if hasattr(self, "headers") else ""
        echo = {"x-client-request-id": client_id} if re.fullmatch(REQUEST_ID, client_id) else {}
        for name, value in (headers | {"x-inference-id": self._request_id} | echo).items():
            self.send_header(name, value)
        self.end_headers()
