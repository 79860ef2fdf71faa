"""The certificate authorities that are trusted: one TLS context for the whole process."""

import os
import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from qwen_cli.background import Background
from qwen_cli.errors import LocalError

if TYPE_CHECKING:
    import ssl


class TrustStore(NamedTuple):
    """A bundle of certificates, a folder of them named by their hashes, or both."""

    cafile: str | None
    capath: str | None


@cache
def trust() -> "Background[ssl.SSLContext]":
    """The context, whose creation starts with the first call."""
    return Background(_client_context)


def _client_context() -> "ssl.SSLContext":
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    store = trust_store()
    try:
        context.load_verify_locations(cafile=store.cafile, capath=store.capath)
    except OSError as error:
        reason = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        raise LocalError(f"cannot read the trusted certificates in {store.cafile or store.capath}: {reason}") from error
    context.set_alpn_protocols(["http/1.1"])
    return context


def trust_store() -> TrustStore:
    """What `SSL_CERT_FILE` and `SSL_CERT_DIR` name, otherwise the system's store, otherwise that of certifi.

    OpenSSL parses all of a bundle, 25 ms for that of a system, but of a folder only the certificate that it needs: a
    bundle that adds nothing to the folder is left out.
    """
    import ssl

    cafile, capath = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if cafile or capath:
        return TrustStore(cafile, capath)
    defaults = ssl.get_default_verify_paths()
    cafile, capath = defaults.cafile, defaults.capath
    if cafile and capath and _certificates(cafile) <= _hashed_certificates(capath):
        return TrustStore(None, capath)
    if not (cafile or (capath and _hashed_certificates(capath))):
        import certifi

        return TrustStore(certifi.where(), None)
    return TrustStore(cafile, capath)


_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")
_CERTIFICATE = re.compile(rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]+")


def _hashed_certificates(folder: str) -> set[bytes]:
    """The certificates that OpenSSL finds in a folder, under the names that `openssl rehash` makes."""
    try:
        names = [name for name in os.listdir(folder) if _HASHED.fullmatch(name)]
    except OSError:
        return set()
    return {certificate for name in names for certificate in _certificates(os.path.join(folder, name))}


def _certificates(path: str) -> set[bytes]:
    """The certificates of a PEM file; none if it cannot be read, which OpenSSL will report."""
    try:
        with open(path, "rb") as file:
            return set(_CERTIFICATE.findall(file.read()))
    except OSError:
        return set()
