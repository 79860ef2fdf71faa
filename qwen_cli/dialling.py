"""Connecting to the API: name, TCP and TLS, in a thread, while the prompt is still being put together."""

import os
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from typing import Final

from qwen_cli.endpoint import Endpoint
from qwen_cli.errors import LocalError

FRESH: Final = 20.0
"""Seconds that a connection may wait for its request; servers hang up on one that has been silent for longer."""


class Dial:
    """One attempt at a connection, under way from the moment it is made."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._started = time.monotonic()
        self._failure: OSError | LocalError | None = None
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._dial, daemon=True)
        self._thread.start()

    def _dial(self) -> None:
        try:
            self._socket = _connect(self._endpoint)
        except (OSError, LocalError) as error:
            self._failure = error

    def connection(self, timeout: float) -> socket.socket:
        """The connected socket; OSError or LocalError says why there is none, TimeoutError that the time was up.

        The limit holds for name, TCP and TLS together, counted from the beginning of the attempt.
        """
        self._thread.join(max(0.0, self._started + timeout - time.monotonic()))
        if self._failure is not None:
            raise self._failure
        if self._socket is None:
            raise TimeoutError
        return self._socket

    @property
    def is_stale(self) -> bool:
        """Whether the connection was made, and has been waiting for too long or was closed by the server."""
        if self._thread.is_alive() or self._socket is None:
            return False
        return time.monotonic() - self._started > FRESH or not _is_open(self._socket)


def _is_open(connection: socket.socket) -> bool:
    """Whether nothing has arrived, not even the end; what TLS says beside the data is taken in on the way."""
    connection.settimeout(0)
    try:
        connection.recv(1)
    except (BlockingIOError, ssl.SSLWantReadError):
        return True
    except OSError:
        return False
    return False


def _connect(endpoint: Endpoint) -> socket.socket:
    if endpoint.scheme == "http":
        return _connect_plain(endpoint)
    stores = list(trust_stores())
    while True:
        store = stores.pop(0)
        try:
            return client_context(*store).wrap_socket(_connect_plain(endpoint), server_hostname=endpoint.host)
        except ssl.SSLCertVerificationError:
            if not stores:
                raise


def _connect_plain(endpoint: Endpoint) -> socket.socket:
    connection = socket.create_connection((endpoint.host, endpoint.port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def client_context(cafile: str | None, capath: str | None) -> ssl.SSLContext:
    """Trust those authorities; LocalError where they cannot be read."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=cafile, capath=capath)
    except OSError as error:
        reason = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        raise LocalError(f"cannot read the trusted certificates in {cafile or capath}: {reason}") from error
    context.set_alpn_protocols(["http/1.1"])
    return context


def trust_stores() -> Iterator[tuple[str | None, str | None]]:
    """Where authorities are looked for, as (file, folder): what costs least first, all that is trusted last.

    A hashed folder is looked up for the one certificate that is needed; a bundle is parsed whole, which takes ten
    times as long, so it is read only when an authority was missed without it.
    """
    cafile, capath = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if not (cafile or capath):
        defaults = ssl.get_default_verify_paths()
        cafile = defaults.cafile
        capath = defaults.capath if defaults.capath and _has_hashes(defaults.capath) else None
    if capath:
        yield None, capath
    if cafile:
        yield cafile, capath or None
    elif not capath:
        import certifi

        yield certifi.where(), None


def _has_hashes(folder: str) -> bool:
    """Whether the folder is one that `openssl rehash` has prepared."""
    try:
        with os.scandir(folder) as entries:
            return any(len(entry.name) == len("01234567.0") and entry.name[8] == "." for entry in entries)
    except OSError:
        return False


def is_proxied(endpoint: Endpoint) -> bool:
    """Whether a proxy may be in the way. None is asked for a loopback address: it would get to see the key."""
    if endpoint.is_loopback:
        return False
    if sys.platform != "linux":  # elsewhere the system's settings count too
        from urllib.request import getproxies

        return bool(getproxies())
    return any(os.environ.get(name) for name in _PROXY_VARIABLES)


_PROXY_VARIABLES = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
