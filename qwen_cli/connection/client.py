"""Send requests, and retry what cost nothing."""

import time
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from functools import cache
from typing import Final, Self

from qwen_cli import __version__
from qwen_cli.answer.server_errors import BUSY, NOT_THERE, TOO_MANY_REQUESTS, UNAUTHORIZED, FieldRefused, refusal
from qwen_cli.connection import network_failures, retries
from qwen_cli.connection.certificates import trust
from qwen_cli.connection.decompression import ENCODINGS, decoded
from qwen_cli.connection.lean_httpx import httpx
from qwen_cli.connection.network_backend import Backend, Stream, note_parser
from qwen_cli.connection.proxies import Proxy, find_proxy
from qwen_cli.connection.response import Reply
from qwen_cli.endpoint import Endpoint, SendingOptions
from qwen_cli.errors import CredentialsError, IncompleteAnswer, InvalidUsage, QwenError
from qwen_cli.key.sources import Key, advice_on_rejection
from qwen_cli.output.stderr import Notes

_MAX_ERROR_BYTES: Final = 64 << 10
_MAX_ERROR_SECONDS: Final = 1.5
"""How long to wait for the body of an error, which adds little to its status."""

_KEEP_ALIVE: Final = 15.0
"""Seconds that an idle connection is kept open."""

_MAX_REPLACED: Final = 20
"""Kept connections that one request may find closed before that counts as a failure."""


class Client:
    """Sends requests to one endpoint, over connections that are kept and shared until the context ends."""

    def __init__(
        self,
        endpoint: Endpoint,
        key: Key | None,
        sending: SendingOptions,
        notes: Notes,
        *,
        max_connections: int = 1,
        pace: retries.Pace | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._pace = pace or retries.Pace()
        self._sending = sending
        self._notes = notes
        self._proxy = find_proxy(endpoint)
        self._advice = {UNAUTHORIZED: advice_on_rejection(key, no_key=sending.no_key)}
        headers = {"User-Agent": f"qwen-cli/{__version__}", "Accept-Encoding": ENCODINGS}
        if key is not None:
            headers["Authorization"] = f"Bearer {key.secret}"
        if sending.request_id is not None:
            headers["X-Client-Request-Id"] = sending.request_id
        self._transport = _transport(endpoint, self._proxy, max_connections)
        self._http = httpx.Client(
            headers=headers,
            timeout=httpx.Timeout(sending.timeout, connect=sending.connect_timeout, pool=None),
            transport=self._transport,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._http.close()

    def post(
        self, url: str, body: bytes, *, droppable: Collection[str] = (), before_wait: Callable[[], None] | None = None
    ) -> AbstractContextManager[Reply]:
        """Send a body; FieldRefused if the server does not take one of the `droppable` fields.

        `before_wait` is called when all that has arrived of the response is read, and more is awaited.
        """
        return self._open("POST", url, body, droppable, before_wait)

    def get(self, url: str) -> AbstractContextManager[Reply]:
        return self._open("GET", url, None, ())

    @contextmanager
    def _open(
        self,
        method: str,
        url: str,
        body: bytes | None,
        droppable: Collection[str],
        before_wait: Callable[[], None] | None = None,
    ) -> Iterator[Reply]:
        started = time.monotonic()
        response = self._send(method, url, body, droppable)
        stream = response.extensions["network_stream"]
        pieces = _body(response, self._proxy)
        if isinstance(stream, Stream):
            stream.before_wait = before_wait  # or none, instead of that of an earlier request
        elif before_wait:
            pieces = _each_awaited(pieces, before_wait)
        try:
            yield Reply(pieces, response.headers.get("content-type", ""))
        finally:
            pieces.close()  # at once, not when the garbage collector comes by
            response.close()
            self._notes.detail(f"finished in {time.monotonic() - started:.2f} s")

    def _send(self, method: str, url: str, body: bytes | None, droppable: Collection[str]) -> httpx.Response:
        """The first success within the allowed retries; raises the last failure."""
        attempt = replaced = 0
        with self._pace.turn() as turn:
            while True:
                turn.wait()
                started = time.monotonic()
                request = self._request(method, url, body)
                through = f" through the proxy {self._proxy.name}" if self._proxy else ""
                self._notes.detail(f"{method} {url}{through}")
                retry_after = None
                try:
                    response = self._http.send(request, stream=True)
                except httpx.TransportError as error:
                    if network_failures.was_closed_before(error) and replaced < _MAX_REPLACED:
                        replaced += 1
                        continue
                    failure = network_failures.explain(error, self._proxy)
                    if not network_failures.is_worth_retrying(error):
                        raise failure from error
                else:
                    note_parser(self._transport._pool, response.extensions["network_stream"])
                    self._report(response, time.monotonic() - started)
                    if response.status_code not in BUSY:
                        turn.answered()
                    if response.is_success:
                        return response
                    failure = self._refusal(response, droppable)
                    is_final = isinstance(failure, CredentialsError | IncompleteAnswer | FieldRefused)
                    if is_final or response.status_code not in retries.STATUSES:
                        raise failure
                    retry_after = response.headers.get("retry-after")
                    is_limit = response.status_code == TOO_MANY_REQUESTS
                    if response.status_code in BUSY and turn.refused(failure, retry_after, is_limit=is_limit):
                        continue
                self.wait_before_retry(attempt, failure, retry_after)
                attempt += 1

    def wait_before_retry(self, attempt: int, failure: QwenError, retry_after: str | None = None) -> None:
        """Wait before the retry that follows an attempt, counted from 0; raise the failure if that was the last."""
        if attempt == self._sending.retries:
            raise failure
        delay = retries.delay(attempt, retry_after)
        progress = f"({attempt + 1} of {self._sending.retries})"
        self._notes.note(f"{failure.message}; retrying in {delay:.1f} s {progress}")
        time.sleep(delay)

    def _request(self, method: str, url: str, body: bytes | None) -> httpx.Request:
        """A new one for each attempt, since reading the body of an error shortens the time limit of its request."""
        headers = {} if body is None else {"Content-Type": "application/json"}
        return self._http.build_request(method, _parsed(url), content=body, headers=headers)

    def _refusal(self, response: httpx.Response, droppable: Collection[str]) -> QwenError:
        body = _error_body(response, self._proxy)
        has_model = response.request.method == "POST"
        advice = self._advice | dict.fromkeys(NOT_THERE, self.endpoint.advice_on_not_found(has_model=has_model))
        return refusal(response.status_code, response.headers, body, advice=advice, droppable=droppable)

    def _report(self, response: httpx.Response, seconds: float) -> None:
        if not self._notes.verbose:
            return
        ids = [f"{name}: {response.headers[name]}" for name in _ID_HEADERS if name in response.headers]
        self._notes.detail(", ".join([f"HTTP {response.status_code} after {seconds:.2f} s", *ids]))


_ID_HEADERS = ("x-inference-id", "x-client-request-id")


@cache
def _parsed(url: str) -> httpx.URL:
    """The same for every request; parsing it takes a twentieth of one."""
    try:
        return httpx.URL(url)
    except httpx.InvalidURL as error:
        raise InvalidUsage(f"{url[:200]} is not a valid URL", advice="check --base-url") from error


def _transport(endpoint: Endpoint, proxy: Proxy | None, max_connections: int) -> httpx.HTTPTransport:
    is_tls = endpoint.scheme == "https"
    if proxy is not None:
        proxy.check()
    try:
        transport = httpx.HTTPTransport(
            verify=trust().result() if is_tls else False,
            proxy=proxy and proxy.url,
            limits=httpx.Limits(
                max_connections=max_connections,
                max_keepalive_connections=max_connections,
                keepalive_expiry=_KEEP_ALIVE,
            ),
        )
    except ImportError as error:
        raise InvalidUsage(
            "a SOCKS proxy needs the package socksio",
            advice="install it beside qwen-cli, as in 'pipx inject qwen-cli socksio'",
        ) from error
    except (ValueError, httpx.InvalidURL) as error:
        variable = proxy and proxy.variable
        raise InvalidUsage(f"{variable} is not the URL of a proxy", advice="an example is http://HOST:PORT") from error
    if proxy is None or not proxy.url.startswith("https:"):  # TLS within TLS is left to httpcore
        # httpx has no public way to hand over a network backend (encode/httpx#3749).
        transport._pool._network_backend = Backend(tls=is_tls and proxy is None, tunnelled=is_tls and proxy is not None)
    return transport


def _body(response: httpx.Response, proxy: Proxy | None) -> Generator[bytes]:
    """The decoded body as it arrives."""
    try:
        yield from decoded(response.iter_raw(), response.headers.get("content-encoding", ""))
    except httpx.TransportError as error:
        raise network_failures.explain(error, proxy, response) from error


def _each_awaited(pieces: Generator[bytes], before_wait: Callable[[], None]) -> Generator[bytes]:
    """The pieces of a stream that does not say when it waits, as if it did before each."""
    with closing(pieces):
        for piece in pieces:
            yield piece
            before_wait()


def _error_body(response: httpx.Response, proxy: Proxy | None) -> bytes:
    """The body of an error, or what arrives of it in time."""
    response.request.extensions["timeout"]["read"] = _MAX_ERROR_SECONDS
    end = time.monotonic() + _MAX_ERROR_SECONDS
    body = b""
    with suppress(QwenError):
        for piece in _body(response, proxy):
            body += piece
            if len(body) > _MAX_ERROR_BYTES or time.monotonic() > end:
                break
    response.close()
    return body
