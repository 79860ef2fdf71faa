"""Send requests, and retry what cost nothing."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Final, Self

from qwen_cli import __version__
from qwen_cli.answer.server_errors import refusal
from qwen_cli.connection import network_failures, retries
from qwen_cli.connection.certificates import trust
from qwen_cli.connection.lean_httpx import httpx
from qwen_cli.connection.network_backend import Backend
from qwen_cli.connection.proxies import find_proxy, host_and_port
from qwen_cli.connection.response import Reply
from qwen_cli.endpoint import Endpoint, SendingOptions
from qwen_cli.errors import InvalidUsage, QwenError
from qwen_cli.key.sources import Key
from qwen_cli.output.stderr import Notes

_MAX_ERROR_BYTES: Final = 64 << 10
_MAX_ERROR_SECONDS: Final = 1.5
"""How long to wait for the body of an error, which adds little to its status."""

_KEEP_ALIVE: Final = 15.0
"""Seconds that an idle connection is kept open."""


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
        started = time.monotonic()
        response = self._send(method, url, body)
        try:
            yield Reply(response, self._proxy)
        finally:
            response.close()
            self._notes.detail(f"finished in {time.monotonic() - started:.2f} s")

    def _send(self, method: str, url: str, body: bytes | None) -> httpx.Response:
        """The first success within the allowed retries; raises the last failure."""
        attempt = 0
        while True:
            turn = self._pace.turn()
            started = time.monotonic()
            request = self._request(method, url, body)
            self._notes.detail(f"{request.method} {request.url}")
            retry_after = None
            try:
                response = self._http.send(request, stream=True)
            except httpx.TransportError as error:
                failure = network_failures.explain(error, self._proxy)
                if not network_failures.is_worth_retrying(error):
                    raise failure from error
            else:
                self._report(response, time.monotonic() - started)
                if response.status_code not in retries.BUSY:
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
                if response.status_code not in retries.STATUSES:
                    raise failure
                retry_after = response.headers.get("retry-after")
                if response.status_code in retries.BUSY and self._pace.limited(turn, failure, retry_after):
                    continue
            if attempt == self._sending.retries:
                raise failure
            delay = retries.delay(attempt, retry_after)
            self._notes.note(f"{failure.message}; retrying in {delay:.1f} s ({attempt + 1} of {self._sending.retries})")
            time.sleep(delay)
            attempt += 1

    def _request(self, method: str, url: str, body: bytes | None) -> httpx.Request:
        """A new one for each attempt, since reading the body of an error shortens the time limit of its request."""
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            return self._http.build_request(method, url, content=body, headers=headers)
        except httpx.InvalidURL as error:
            raise InvalidUsage(f"{url[:200]} is not a valid URL", advice="check --base-url") from error

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
        raise InvalidUsage(
            "a SOCKS proxy needs the package socksio",
            advice="install it beside qwen-cli, as in 'pipx inject qwen-cli socksio'",
        ) from error
    except (ValueError, httpx.InvalidURL) as error:
        raise InvalidUsage(
            "the proxy in the environment is not a URL of a proxy", advice="an example is http://HOST:PORT"
        ) from error
    if proxy is None or not proxy.startswith("https:"):  # TLS within TLS is left to httpcore
        # httpx has no public way to hand over a network backend (encode/httpx#3749).
        transport._pool._network_backend = Backend(tls=is_tls and proxy is None, tunnelled=is_tls and proxy is not None)
    return transport


def _error_body(response: httpx.Response, proxy: str | None) -> bytes:
    """The body of an error, or what arrives of it in time."""
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
