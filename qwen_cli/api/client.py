"""Send requests, retry what cost nothing, and read the responses as they come."""

import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Final, Self

from qwen_cli import __version__
from qwen_cli.api import json_text, network_errors, retrying
from qwen_cli.api.api_errors import error_in, refusal
from qwen_cli.api.credentials import Key
from qwen_cli.api.endpoint import Endpoint, SendingOptions
from qwen_cli.api.lean_httpx import httpx
from qwen_cli.api.network import Backend
from qwen_cli.api.proxies import find_proxy, host_and_port
from qwen_cli.api.trust import trust
from qwen_cli.errors import IncompleteAnswer, InvalidUsage, ProtocolError, QwenError
from qwen_cli.output.stderr import Notes

MAX_BYTES: Final = 64 << 20
"""The largest response, or event of a stream: one without end stops here."""

_MAX_ERROR_BYTES: Final = 64 << 10
_MAX_ERROR_SECONDS: Final = 1.5
"""How long the body of an error may take, whose status has said the most."""

_MAX_PIECE: Final = 1 << 16
_GZIP_OR_ZLIB: Final = zlib.MAX_WBITS | 32
"""As `wbits`: the header says which of the two it is."""

_KEEP_ALIVE: Final = 15.0
"""Seconds that an idle connection is kept for the next request."""


class Reply:
    """A successful response, its body still on the way."""

    def __init__(self, response: httpx.Response, proxy: str | None) -> None:
        self._response = response
        self._proxy = proxy
        self._has_ended = False
        self.headers = response.headers

    def pieces(self) -> Iterator[bytes]:
        """The body as it arrives, its content encoding undone."""
        try:
            yield from decoded(self._response.iter_raw(), self.headers.get("content-encoding", ""))
            self._has_ended = True
        except httpx.TransportError as error:
            raise network_errors.explain(error, self._proxy, self._response) from error

    def read(self) -> bytes:
        """The whole body; ProtocolError when it is larger than `MAX_BYTES`."""
        body = bytearray()
        for piece in self.pieces():
            body += piece
            if len(body) > MAX_BYTES:
                raise ProtocolError(f"the response is larger than {MAX_BYTES >> 20} MiB, the limit")
        return bytes(body)

    def events(self) -> Iterator[str]:
        """The data of each server-sent event, up to `[DONE]` or the end.

        IncompleteAnswer when the end comes in the middle of an event: without a length, a cut looks like an end.
        """
        content_type = self.headers.get("content-type", "").lower()
        if content_type and "text/event-stream" not in content_type:
            error = error_in(self.read(), "the response holds an error") if "json" in content_type else None
            raise error or ProtocolError(
                f"the server answered a request to stream with {content_type}, not an event stream"
            )
        for data in read_events(self.pieces()):
            if data.strip() == "[DONE]":
                return
            if self._has_ended and not json_text.is_valid(data):
                raise IncompleteAnswer("the stream ended in the middle of an event")
            yield data


def decoded(pieces: Iterable[bytes], encodings: str) -> Iterator[bytes]:
    """A body with its `Content-Encoding` undone, in pieces that stay small however much it was compressed."""
    for encoding in reversed([name.strip().lower() for name in encodings.split(",")]):
        if encoding in ("gzip", "x-gzip", "deflate"):
            pieces = _inflated(pieces)
        elif encoding not in ("", "identity"):
            raise ProtocolError(f"the response is encoded as {encoding}, which was not requested")
    yield from pieces


def _inflated(pieces: Iterable[bytes]) -> Iterator[bytes]:
    inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        for piece in pieces:
            while piece:
                yield inflater.decompress(piece, _MAX_PIECE)
                piece = inflater.unconsumed_tail + inflater.unused_data  # noqa: PLW2901 -- what is left of it
                if inflater.eof:  # gzip may have several members (RFC 1952, 2.2)
                    inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
    except zlib.error as error:
        raise ProtocolError("the response cannot be decompressed") from error


def read_events(pieces: Iterable[bytes]) -> Iterator[str]:
    """The data of each server-sent event in a body that arrives in any pieces."""
    import httpx_sse

    undelivered = 0

    def bounded() -> Iterator[bytes]:
        nonlocal undelivered
        for piece in pieces:
            undelivered += len(piece)
            if undelivered > MAX_BYTES:
                raise ProtocolError(f"the stream contains an event larger than {MAX_BYTES >> 20} MiB")
            yield piece
        yield b"\n\n"  # the blank line at the end that some servers forget

    # utf-8-sig drops a byte order mark.
    headers = {"Content-Type": "text/event-stream; charset=utf-8-sig"}
    response = httpx.Response(200, headers=headers, content=bounded())
    for event in httpx_sse.EventSource(response).iter_sse():
        undelivered = 0
        if event.data:
            yield event.data


class Client:
    """Sends requests to one endpoint, over connections that are kept and shared while the context lasts."""

    def __init__(
        self,
        endpoint: Endpoint,
        key: Key | None,
        sending: SendingOptions,
        notes: Notes,
        *,
        max_connections: int = 1,
        pace: retrying.Pace | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._pace = pace or retrying.Pace()
        self._sending = sending
        self._notes = notes
        proxy = find_proxy(endpoint)
        self._proxy = proxy and host_and_port(proxy)
        self._key_source = key and key.source
        headers = {"User-Agent": f"qwen-cli/{__version__}", "Accept-Encoding": "gzip, deflate"}
        if key is not None:
            headers["Authorization"] = f"Bearer {key.secret}"
        if sending.request_id is not None:
            headers["X-Client-Request-Id"] = sending.request_id
        self._http = httpx.Client(
            headers=headers,
            timeout=httpx.Timeout(sending.timeout, connect=sending.connect_timeout, pool=None),
            transport=_transport(endpoint, proxy, max_connections),
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._http.close()

    def post(self, url: str, body: bytes) -> AbstractContextManager[Reply]:
        return self._open("POST", url, body)

    def get(self, url: str) -> AbstractContextManager[Reply]:
        return self._open("GET", url, None)

    @contextmanager
    def _open(self, method: str, url: str, body: bytes | None) -> Iterator[Reply]:
        headers = {} if body is None else {"Content-Type": "application/json"}
        started = time.monotonic()
        try:
            request = self._http.build_request(method, url, content=body, headers=headers)
        except httpx.InvalidURL as error:
            raise InvalidUsage(f"{url[:200]} is not a valid URL", advice="check --base-url") from error
        response = self._send(request)
        try:
            yield Reply(response, self._proxy)
        finally:
            response.close()
            self._notes.detail(f"finished in {time.monotonic() - started:.2f} s")

    def _send(self, request: httpx.Request) -> httpx.Response:
        """The first success within the retries that are allowed, or the last failure."""
        attempt = 0
        while True:
            turn = self._pace.turn()
            started = time.monotonic()
            self._notes.detail(f"{request.method} {request.url}")
            retry_after = None
            try:
                response = self._http.send(request, stream=True)
            except httpx.TransportError as error:
                failure = network_errors.explain(error, self._proxy)
                if not network_errors.is_worth_retrying(error):
                    raise failure from error
            else:
                self._report(response, time.monotonic() - started)
                if response.status_code not in retrying.LIMITS:
                    self._pace.answered()
                if response.is_success:
                    return response
                failure = refusal(
                    response.status_code,
                    response.headers,
                    _error_body(response, self._proxy),
                    key_source=self._key_source,
                    has_model=request.method == "POST",
                )
                if response.status_code not in retrying.STATUSES:
                    raise failure
                retry_after = response.headers.get("retry-after")
                if response.status_code in retrying.LIMITS and self._pace.limited(turn, failure, retry_after):
                    continue
            if attempt == self._sending.retries:
                raise failure
            delay = retrying.delay(attempt, retry_after)
            self._notes.note(f"{failure.message}; retrying in {delay:.1f} s ({attempt + 1} of {self._sending.retries})")
            time.sleep(delay)
            attempt += 1

    def _report(self, response: httpx.Response, seconds: float) -> None:
        ids = [f"{name}: {response.headers[name]}" for name in _ID_HEADERS if name in response.headers]
        self._notes.detail(", ".join([f"HTTP {response.status_code} after {seconds:.2f} s", *ids]))


_ID_HEADERS = ("x-inference-id", "x-client-request-id")


def _transport(endpoint: Endpoint, proxy: str | None, max_connections: int) -> httpx.BaseTransport:
    is_tls = endpoint.scheme == "https"
    try:
        transport = httpx.HTTPTransport(
            verify=trust().result() if is_tls else False,
            proxy=proxy,
            limits=httpx.Limits(
                max_connections=max_connections,
                max_keepalive_connections=max_connections,
                keepalive_expiry=_KEEP_ALIVE,
            ),
        )
    except ImportError as error:
        raise InvalidUsage("a SOCKS proxy needs an extra package", advice="pip install 'qwen-cli[socks]'") from error
    except (ValueError, httpx.InvalidURL) as error:
        raise InvalidUsage(
            "the proxy in the environment is not a URL of a proxy", advice="an example is http://HOST:PORT"
        ) from error
    if proxy is None or not proxy.startswith("https:"):  # TLS within TLS is left to httpcore
        # httpx has no public way to hand over a network backend (encode/httpx#3749).
        transport._pool._network_backend = Backend(tls=is_tls and proxy is None, tunnelled=is_tls and proxy is not None)
    return transport


def _error_body(response: httpx.Response, proxy: str | None) -> bytes:
    """What can be had of the body of an error before its time is up; its status is what counts."""
    response.request.extensions["timeout"]["read"] = _MAX_ERROR_SECONDS
    end = time.monotonic() + _MAX_ERROR_SECONDS
    body = b""
    with suppress(QwenError):
        for piece in Reply(response, proxy).pieces():
            body += piece
            if len(body) > _MAX_ERROR_BYTES or time.monotonic() > end:
                break
    response.close()
    return body
