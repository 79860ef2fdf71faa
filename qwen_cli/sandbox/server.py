"""The sandbox's server: HTTP/1.1 on loopback, one thread per connection."""

import hashlib
import math
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any
from urllib.parse import parse_qsl

from qwen_cli import json_text
from qwen_cli.background import start_thread
from qwen_cli.sandbox.account import Account, models
from qwen_cli.sandbox.completion import Body, chunks, complete, price
from qwen_cli.sandbox.faults import Failures, Fault
from qwen_cli.sandbox.request import ApiError, read_request

_SLOW_START = 2.0
_SLOW_CHUNK = 0.1
_GARBAGE = b'{"id": "chatcmpl-\xff\xfe", garbage'


class Server(ThreadingTCPServer):
    """Listens on an ephemeral port of 127.0.0.1, with an account and failures of its own."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def __init__(self, faults: Sequence[Fault], rate: float | None) -> None:
        self.account = Account()
        self.failures = Failures(faults, rate)
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


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16  # so that head and body leave together

    # Of the request at hand:
    _digest = ""
    _fault: str | None = None

    def log_message(self, *_args: Any) -> None:
        """Write nothing: standard error belongs to the command."""

    def _respond(self) -> None:
        try:
            self._fault = None
            body = self._read_body()
            self._digest = hashlib.sha256(body).hexdigest()
            self._refuse_browsers()
            self._meet_fault()
            self._route(body)
        except ApiError as error:
            self._fault = None
            refusal = {
                "message": str(error),
                "path": self.path,
                "requestId": self._digest[:32],
                "statusCode": error.status,
                "timestamp": "2026-01-01T00:00:00.000Z",
            }
            self._send([refusal], error.status, retry_after=error.retry_after)

    do_GET = do_POST = _respond  # noqa: N815

    def _read_body(self) -> bytes:
        stated = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not re.fullmatch("[0-9]{1,8}", stated):
            self.close_connection = True
            raise ApiError(411, "Content-Length: the sandbox takes no chunked body, and none of 100 MB or more")
        return self.rfile.read(int(stated))

    def _refuse_browsers(self) -> None:
        """Refuse web pages, by their `Origin` or by a foreign name in `Host` (DNS rebinding)."""
        places = (f"127.0.0.1:{self.server.port}", f"localhost:{self.server.port}")
        if "Origin" in self.headers or self.headers.get("Host", places[0]) not in places:
            raise ApiError(403, f"Host, Origin: the sandbox is {places[0]}, and answers no web page")

    def _meet_fault(self) -> None:
        self._fault, wait = self.server.failures.take()
        if self._fault == "slow":
            time.sleep(_SLOW_START)
        if self._fault in ("429", "500", "503"):
            status = HTTPStatus(int(self._fault))
            message = f"{status.phrase}: the sandbox was started to answer so"
            raise ApiError(status, message, max(1, math.ceil(wait)) if self._fault == "429" else None)

    def _route(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        match self.command, path:
            case "POST", "/v1/chat/completions":
                self._chat(read_request(body))
            case "GET", "/v1/models":
                self._send([models(dict(parse_qsl(query)))])
            case "GET", "/v2/billing":
                self._send([self.server.account.billing()])
            case "GET", "/v2/usage/detail":
                self._send([self.server.account.usage()])
            case _:
                raise ApiError(404, f"Cannot {self.command} {path[:200]}")

    def _chat(self, request: Body) -> None:
        completion = complete(request, self._digest, self._fault)
        self.server.account.charge(request["model"], price(completion["usage"]))
        if request.get("stream"):
            include_usage = request.get("stream_options", {}).get("include_usage", False)
            self._send(chunks(completion, include_usage=include_usage), is_stream=True)
        else:
            self._send([completion])

    def _send(
        self, values: Iterable[object], status: int = 200, *, is_stream: bool = False, retry_after: int | None = None
    ) -> None:
        """Send a value as JSON, or several as server-sent events, each flushed on its own."""
        pieces = [_GARBAGE] if self._fault == "garbage" else [json_text.encode(value) for value in values]
        if is_stream:
            pieces = [b"data: %b\n\n" % piece for piece in (*pieces, b"[DONE]")]
        if self._fault == "cut":  # half of a body, or what comes before the end of the answer and its finish reason
            pieces = pieces[:-4] if is_stream else [pieces[0][: len(pieces[0]) // 2]]
            self.close_connection = True
        self.send_response(status)
        self.send_header("Content-Type", "text/event-stream" if is_stream else "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("x-inference-id", self._digest[:32])
        if retry_after:
            self.send_header("Retry-After", str(retry_after))
        self.end_headers()
        for piece in pieces:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.flush()
            if self._fault == "slow":
                time.sleep(_SLOW_CHUNK)
        if self._fault != "cut":
            self.wfile.write(b"0\r\n\r\n")
