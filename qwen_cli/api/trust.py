"""Which certificate authorities are trusted: one TLS context for the whole process."""

import os
import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from qwen_cli.api.background import Background
from qwen_cli.errors import LocalError

if TYPE_CHECKING:
    import ssl


class TrustStore(NamedTuple):
    """A bundle of certificates, a folder of them under their hashes, or both."""

    cafile: str | None
    capath: str | None


@cache
def trust() -> "Background[ssl.SSLContext]":
    """The context that trusts what is configured, under way from the first time that it is asked for."""
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
    """Where authorities are looked for: in what `SSL_CERT_FILE` and `SSL_CERT_DIR` name, else the system, else certifi.

    OpenSSL parses all of a bundle, 25 ms for that of a system, but only the certificate that it needs of a folder: a
    bundle that holds nothing else than the folder is left out.
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
    """The certificates that OpenSSL can find in a folder: those that `openssl rehash` has prepared."""
    try:
        names = [name for name in os.listdir(folder) if _HASHED.fullmatch(name)]
    except OSError:
        return set()
    return {certificate for name in names for certificate in _certificates(os.path.join(folder, name))}


def _certificates(path: str) -> set[bytes]:
    """The certificates of a file in PEM; none of one that cannot be read, which OpenSSL will say."""
    try:
        with open(path, "rb") as file:
            return set(_CERTIFICATE.findall(file.read()))
    except OSError:
        return set()
