"""Send a request, retry what cost nothing, and read the response as it comes."""

import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from qwen_cli import __version__, retrying
from qwen_cli.api_error import refusal
from qwen_cli.credentials import Key
from qwen_cli.dialling import Dial
from qwen_cli.endpoint import Endpoint
from qwen_cli.errors import NetworkError, ProtocolError, QwenError
from qwen_cli.http import httpx
from qwen_cli.notes import Notes
from qwen_cli.options import SendingOptions
from qwen_cli.transport import open_client

MOST_BYTES: Final = 64 << 20
"""The largest response, or event of a stream: one without end stops here."""

_MOST_ERROR_BYTES: Final = 64 << 10


class Reply:
    """A successful response, its body still on the way."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self.headers = response.headers

    def pieces(self) -> Iterator[bytes]:
        """The body as it arrives, its content encoding undone."""
        try:
            yield from self._response.iter_bytes()
        except httpx.DecodingError as error:
            raise ProtocolError(f"the response cannot be decompressed: {error}") from error
        except httpx.TransportError as error:
            raise explain(error, self._response.request) from error

    def read(self) -> bytes:
        """The whole body; ProtocolError when it is larger than `MOST_BYTES`."""
        body = bytearray()
        for piece in self.pieces():
            body += piece
            if len(body) > MOST_BYTES:
                raise ProtocolError(f"the response is larger than {MOST_BYTES >> 20} MiB, the most that is read")
        return bytes(body)

    def events(self) -> Iterator[str]:
        """The data of each server-sent event, up to `[DONE]` or the end."""
        content_type = self.headers.get("content-type", "")
        if content_type and "text/event-stream" not in content_type:
            raise ProtocolError(f"the server answered a request to stream with {content_type}, not an event stream")
        for data in read_events(self.pieces()):
            if data.strip() == "[DONE]":
                return
            yield data


def read_events(pieces: Iterable[bytes]) -> Iterator[str]:
    """The data of each server-sent event in a body that arrives in any pieces."""
    import httpx_sse

    undelivered = 0

    def bounded() -> Iterator[bytes]:
        nonlocal undelivered
        for piece in pieces:
            undelivered += len(piece)
            if undelivered > MOST_BYTES:
                raise ProtocolError(f"the stream holds an event of more than {MOST_BYTES >> 20} MiB")
            yield piece

    response = httpx.Response(
        200, headers={"Content-Type": "text/event-stream; charset=utf-8"}, content=_completed(bounded())
    )
    for event in httpx_sse.EventSource(response).iter_sse():
        undelivered = 0
        if event.data:
            yield event.data


def _completed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Without a byte order mark, and with the blank line at the end that some servers forget."""
    start: bytes | None = b""
    for piece in pieces:
        if start is None:
            yield piece
            continue
        start += piece
        if len(start) >= len(_BOM) or not _BOM.startswith(start):
            yield start.removeprefix(_BOM)
            start = None
    yield (start or b"") + b"\n\n"


_BOM: Final = "\ufeff".encode()


class Client:
    """Sends requests to one endpoint."""

    def __init__(
        self, endpoint: Endpoint, key: Key | None, sending: SendingOptions, notes: Notes, dial: Dial | None = None
    ) -> None:
        self._endpoint = endpoint
        self._dial = dial
        self._sending = sending
        self._notes = notes
        self._headers = {"User-Agent": f"qwen-cli/{__version__}"}
        if key is not None:
            self._headers["Authorization"] = f"Bearer {key.secret}"
        if sending.request_id is not None:
            self._headers["X-Client-Request-Id"] = sending.request_id

    def post(self, url: str, body: bytes) -> AbstractContextManager[Reply]:
        return self._open("POST", url, body)

    def get(self, url: str) -> AbstractContextManager[Reply]:
        return self._open("GET", url, None)

    @contextmanager
    def _open(self, method: str, url: str, body: bytes | None) -> Iterator[Reply]:
        headers = self._headers | ({} if body is None else {"Content-Type": "application/json"})
        timeout = httpx.Timeout(self._sending.timeout, connect=self._sending.connect_timeout, pool=None)
        with open_client(self._endpoint, self._dial, headers, timeout) as client:
            started = time.monotonic()
            response = self._send(client, client.build_request(method, url, content=body))
            try:
                yield Reply(response)
            finally:
                response.close()
                self._notes.detail(f"finished in {time.monotonic() - started:.2f} s")

    def _send(self, client: httpx.Client, request: httpx.Request) -> httpx.Response:
        """The first success within the retries that are allowed, or the last failure."""
        attempt = 0
        while True:
            started = time.monotonic()
            self._notes.detail(f"{request.method} {request.url}")
            retry_after = None
            try:
                response = client.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = explain(error, request)
                worth_retrying = not is_about_certificates(error)
            except httpx.TransportError as error:
                raise explain(error, request) from error
            else:
                self._tell(response, time.monotonic() - started)
                if response.is_success:
                    return response
                failure = refusal(response.status_code, response.headers, _error_body(response))
                worth_retrying = response.status_code in retrying.STATUSES
                retry_after = response.headers.get("retry-after")
                response.close()
            if not worth_retrying or attempt == self._sending.retries:
                raise failure
            delay = retrying.delay(attempt, retry_after)
            self._notes.note(f"{failure}: trying again in {delay:.1f} s ({attempt + 1} of {self._sending.retries})")
            time.sleep(delay)
            attempt += 1

    def _tell(self, response: httpx.Response, seconds: float) -> None:
        ids = [f"{name}: {response.headers[name]}" for name in _ID_HEADERS if name in response.headers]
        self._notes.detail(", ".join([f"HTTP {response.status_code} after {seconds:.2f} s", *ids]))


_ID_HEADERS = ("x-inference-id", "x-client-request-id")


def _error_body(response: httpx.Response) -> bytes:
    """What can be had of the body of an error; its status is what counts."""
    body = b""
    try:
        for piece in response.iter_bytes():
            body += piece
            if len(body) > _MOST_ERROR_BYTES:
                break
    except (httpx.TransportError, httpx.DecodingError):
        pass
    return body


def is_about_certificates(error: Exception) -> bool:
    return "CERTIFICATE_VERIFY_FAILED" in str(error)


def explain(error: httpx.TransportError, request: httpx.Request) -> QwenError:
    """Say what went wrong on the way, and what can be done about it."""
    host = request.url.netloc.decode()
    text = str(error)
    if isinstance(error, httpx.ConnectTimeout):
        return NetworkError(f"no connection to {host} within the time allowed", advice="raise --connect-timeout")
    if isinstance(error, httpx.TimeoutException):
        return NetworkError(f"{host} fell silent for longer than allowed", advice="raise --timeout")
    if is_about_certificates(error):
        reason = text.partition("certificate verify failed: ")[2].partition(" (_ssl")[0] or text
        return NetworkError(
            f"the certificate of {host} is not trusted: {reason}",
            advice="if it should be, set SSL_CERT_FILE to the certificate of its authority",
        )
    if isinstance(error, httpx.ConnectError):
        return NetworkError(f"cannot connect to {host}: {text}", advice="check the network and --base-url")
    if isinstance(error, httpx.RemoteProtocolError) and not _was_cut(text):
        return ProtocolError(f"{host} does not speak HTTP: {text}")
    return NetworkError(f"the connection to {host} was cut: {text or type(error).__name__}")


def _was_cut(text: str) -> bool:
    return "disconnected" in text or "closed connection" in text
