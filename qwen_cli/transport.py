"""HTTP/1.1 over a connection that was dialled before the request was ready.

httpx's own transport imports httpcore, its asynchronous half and h11 for one request over one connection; that is a
third of the whole start. `http.client` is in memory already, since httpx imports `urllib.request`.
"""

import http.client
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from qwen_cli.dialling import Dial, client_context, is_proxied, trust_stores
from qwen_cli.endpoint import Endpoint
from qwen_cli.errors import InvalidUsage
from qwen_cli.http import httpx

_PIECE = 1 << 16


def open_client(endpoint: Endpoint, dial: Dial | None, headers: dict[str, str], timeout: httpx.Timeout) -> httpx.Client:
    """A client for that endpoint; through a proxy, where the environment names one, httpx finds its own way."""
    if is_proxied(endpoint):
        *_, everything = trust_stores()
        try:
            return httpx.Client(headers=headers, timeout=timeout, verify=client_context(*everything))
        except (ValueError, ImportError, httpx.InvalidURL) as error:  # its scheme, socksio missing, its form
            raise InvalidUsage(f"the proxy that the environment names cannot be used: {error}") from error
    return httpx.Client(headers=headers, timeout=timeout, transport=Transport(endpoint, dial), trust_env=False)


class Transport(httpx.BaseTransport):
    """Sends each request over a connection of its own, the first over the one that was dialled ahead."""

    def __init__(self, endpoint: Endpoint, dial: Dial | None) -> None:
        self._endpoint = endpoint
        self._dial = dial

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        timeouts = request.extensions["timeout"]
        connection = http.client.HTTPConnection(self._endpoint.host)
        connection.sock = self._connect(timeouts["connect"])
        try:
            _send(request, connection, timeouts["write"])
            connection.sock.settimeout(timeouts["read"])
            with _as_httpx_errors():
                response = connection.getresponse()
        except BaseException:
            connection.close()
            raise
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.getheaders()]
        return httpx.Response(response.status, headers=headers, stream=_Body(connection, response))

    def _connect(self, timeout: float) -> socket.socket:
        dial, self._dial = self._dial, None
        if dial is None or dial.is_stale:
            dial = Dial(self._endpoint)
        try:
            return dial.connection(timeout)
        except TimeoutError as error:
            raise httpx.ConnectTimeout("timed out") from error
        except OSError as error:
            raise httpx.ConnectError(str(error)) from error


def _send(request: httpx.Request, connection: http.client.HTTPConnection, timeout: float) -> None:
    connection.sock.settimeout(timeout)
    target = request.url.raw_path.decode("ascii")
    connection.putrequest(request.method, target, skip_host=True, skip_accept_encoding=True)
    for name, value in request.headers.raw:
        connection.putheader(name, value)
    try:
        connection.endheaders(request.read())
    except TimeoutError as error:
        raise httpx.WriteTimeout("timed out") from error
    except OSError:
        pass  # a server that refuses a body before it has read all of it hangs up, but has answered


class _Body(httpx.SyncByteStream):
    """The body of a response, each piece as it arrives."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self._connection = connection
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        missing = self._response.length
        with _as_httpx_errors():
            while missing != 0:
                piece = self._response.read1(_PIECE)
                if not piece:
                    break
                if missing is not None:
                    missing -= len(piece)
                yield piece
        if missing:
            raise httpx.RemoteProtocolError(f"closed connection {missing} bytes before the end that it announced")

    def close(self) -> None:
        self._response.close()
        self._connection.close()


@contextmanager
def _as_httpx_errors() -> Iterator[None]:
    """Tell what happens on the way in the terms of httpx, which the client knows."""
    try:
        yield
    except TimeoutError as error:
        raise httpx.ReadTimeout("timed out") from error
    except http.client.RemoteDisconnected as error:
        raise httpx.RemoteProtocolError("server disconnected without sending a response") from error
    except http.client.IncompleteRead as error:
        raise httpx.RemoteProtocolError("closed connection in the middle of the response") from error
    except http.client.HTTPException as error:
        raise httpx.RemoteProtocolError(f"{type(error).__name__} in its answer") from error
    except OSError as error:
        raise httpx.ReadError(str(error)) from error
