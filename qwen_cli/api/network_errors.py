"""What went wrong on the way to the server and back: one error for each kind of failure of the network."""

import socket
import ssl
from collections.abc import Iterator

import h11

from qwen_cli.api.lean_httpx import httpx
from qwen_cli.errors import NetworkError, ProtocolError, QwenError


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was raised from, down to the operating system's own."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _caused_by(error: BaseException, kind: type[BaseException]) -> BaseException | None:
    return next((cause for cause in causes(error) if isinstance(cause, kind)), None)


def is_worth_retrying(error: httpx.TransportError) -> bool:
    """Whether nothing was sent yet and the next attempt may end otherwise."""
    return isinstance(error, httpx.ConnectError | httpx.ConnectTimeout) and not _caused_by(
        error, ssl.SSLCertVerificationError
    )


def explain(error: httpx.TransportError, request: httpx.Request, response: httpx.Response | None = None) -> QwenError:
    """Say what went wrong on the way, and what can be done about it. `response` is one whose body was being read."""
    host = request.url.netloc.decode()
    if isinstance(error, httpx.ConnectTimeout):
        return NetworkError(f"no connection to {host} within the time allowed", advice="raise --connect-timeout")
    if isinstance(error, httpx.TimeoutException):
        return NetworkError(f"{host} fell silent for longer than allowed", advice="raise --timeout")
    untrusted = _caused_by(error, ssl.SSLCertVerificationError)
    if isinstance(untrusted, ssl.SSLCertVerificationError):
        return NetworkError(
            f"the certificate of {host} is not trusted: {untrusted.verify_message}",
            advice="if it should be, set SSL_CERT_FILE to the certificate of its authority",
        )
    if isinstance(error, httpx.ConnectError | httpx.ProxyError):
        return NetworkError(f"cannot connect to {host}: {_reason(error)}", advice="check the network and --base-url")
    if isinstance(error, httpx.RemoteProtocolError) and _caused_by(error, h11.RemoteProtocolError):
        ended = response is not None and response.extensions["network_stream"].ended
        if not ended:
            return ProtocolError(f"{host} does not speak HTTP: {error}")
    return NetworkError(f"the connection to {host} was cut: {_reason(error)}")


def _reason(error: BaseException) -> str:
    *_, cause = causes(error)
    if isinstance(cause, socket.gaierror):
        return "its name is not known" if cause.errno == socket.EAI_NONAME else (cause.strerror or str(cause))
    if isinstance(cause, ssl.SSLError):
        return f"TLS failed: {cause.reason}"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return str(cause) or type(cause).__name__
