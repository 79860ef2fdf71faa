"""Failures of the network: which are worth a retry, and one error with a message for each kind."""

import socket
import ssl
from collections.abc import Iterator

import h11

from qwen_cli.connection import retries
from qwen_cli.connection.lean_httpx import httpx
from qwen_cli.connection.network_backend import ClosedBefore
from qwen_cli.connection.proxies import Proxy
from qwen_cli.errors import NetworkError, ProtocolError, QwenError

_PROXY_AUTHENTICATION_REQUIRED = 407


def was_closed_before(error: httpx.TransportError) -> bool:
    """Whether a kept connection turned out to be closed, so that another one may be tried at once."""
    return _is_caused_by(error, ClosedBefore)


def is_worth_retrying(error: httpx.TransportError) -> bool:
    """Whether nothing was sent yet, and the next attempt may succeed."""
    if isinstance(error, httpx.ProxyError):
        status = _proxy_status(error)
        return status is None or status in retries.STATUSES
    return _is_about_connecting(error) and not _is_caused_by(error, ssl.SSLCertVerificationError)


def explain(error: httpx.TransportError, proxy: Proxy | None, response: httpx.Response | None = None) -> QwenError:
    """Say what went wrong, and what to do about it.

    `response` is the one whose body was being read.
    """
    host = error.request.url.netloc.decode()
    if _is_about_connecting(error):
        return _explain_connecting(error, host, proxy)
    through = f" through the proxy {proxy.name}" if proxy else ""
    if isinstance(error, httpx.TimeoutException):
        return NetworkError(f"timed out waiting for data from {host}{through}", advice="raise --timeout")
    # Behind a proxy that speaks TLS, the stream is httpcore's own, which does not say how it ended.
    was_cut = response is not None and getattr(response.extensions["network_stream"], "ended", True)
    if _is_caused_by(error, h11.RemoteProtocolError) and not was_cut:
        reason = str(error).partition(": bytearray(")[0]  # with which h11 quotes what it has read
        return ProtocolError(f"{host} does not speak HTTP: {reason}")
    *_, cause = _causes(error)
    when = "before its response was complete" if response is not None else "before it had answered"
    reason = f": {_reason(error)}" if isinstance(cause, OSError) else f" {when}"
    return NetworkError(f"the connection to {host}{through} was cut{reason}")


def _explain_connecting(error: httpx.TransportError, host: str, proxy: Proxy | None) -> NetworkError:
    through = f" through the proxy {proxy.name}" if proxy else ""
    message = f"cannot connect to {host}{through}: {_reason(error)}"
    advice = f"check {proxy.variable} and NO_PROXY" if proxy else "check the network and --base-url"
    if _is_caused_by(error, ssl.SSLCertVerificationError):
        message = f"the certificate of {host} is not trusted: {_reason(error)}"
        advice = "if it should be, set SSL_CERT_FILE to the certificate of its authority"
        if _is_for_another_name(error):
            advice = "check the network and --base-url"
    elif isinstance(error, httpx.ConnectTimeout):
        message = f"no connection to {host}{through} within the time limit"
        advice = "check the network and --base-url, or raise --connect-timeout"
    elif isinstance(error, httpx.ProxyError) and _proxy_status(error) == _PROXY_AUTHENTICATION_REQUIRED:
        advice = "put its user name and password into the variable: http://USER:PASSWORD@HOST:PORT"
    return NetworkError(message, advice=advice)


def _is_about_connecting(error: httpx.TransportError) -> bool:
    return isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError)


def _proxy_status(error: httpx.ProxyError) -> int | None:
    """The status with which a proxy refused to connect; httpcore reports it in the message only."""
    status = str(error).partition(" ")[0]
    return int(status) if status.isdecimal() else None


def _is_caused_by(error: BaseException, kind: type[BaseException]) -> bool:
    return any(isinstance(cause, kind) for cause in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was raised from, down to the operating system's own.

    The pool of httpcore raises what it catches `from None`, which leaves only the context.
    """
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _is_for_another_name(error: BaseException) -> bool:
    """Whether the certificate is one of a server with another name or address."""
    *_, cause = _causes(error)
    return isinstance(cause, ssl.SSLCertVerificationError) and cause.verify_code in _OTHER_NAME


_OTHER_NAME = (62, 64)
"""X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH of OpenSSL."""


def _reason(error: BaseException) -> str:
    """The words of the operating system or of OpenSSL."""
    *_, cause = _causes(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return cause.verify_message.rstrip(".")
    if isinstance(cause, socket.gaierror):
        return (
            "the host name is not known" if cause.errno == socket.EAI_NONAME else "the host name cannot be resolved now"
        )
    if isinstance(cause, ssl.SSLError):
        return f"TLS failed: {(cause.reason or 'for no reason given').replace('_', ' ').lower()}"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return str(cause) or type(cause).__name__
