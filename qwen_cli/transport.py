"""The connection to the API: certificates and proxies."""

import os
import ssl

from qwen_cli.endpoint import Endpoint
from qwen_cli.http import httpx


def open_client(endpoint: Endpoint, headers: dict[str, str], timeout: httpx.Timeout) -> httpx.Client:
    return httpx.Client(
        headers=headers,
        timeout=timeout,
        verify=_context(endpoint),
        # A proxy would get to see the key on its way to a loopback address, which no encryption protects.
        trust_env=not endpoint.is_loopback,
        follow_redirects=False,
    )


def _context(endpoint: Endpoint) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if endpoint.scheme == "https":
        context.load_verify_locations(
            cafile=os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile,
            capath=os.environ.get("SSL_CERT_DIR") or ssl.get_default_verify_paths().capath,
        )
    return context
