"""Which proxy the environment names for a server. No I/O."""

import ipaddress
import os
import sys
from collections.abc import Mapping

from qwen_cli.endpoint import Endpoint


def find_proxy(endpoint: Endpoint) -> str | None:
    """The URL of the proxy to go through; None for a direct connection.

    A loopback address never goes through a proxy, which would see the key.
    """
    if endpoint.is_loopback:
        return None
    settings = _settings()
    proxy = settings.get(endpoint.scheme) or settings.get("all")
    if not proxy or is_exempt(endpoint.host, settings.get("no", "")):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def host_and_port(proxy: str) -> str:
    """Those of a proxy's URL, without its user name and password."""
    return proxy.partition("://")[2].rpartition("@")[2].partition("/")[0]


def _settings() -> Mapping[str, str]:
    """`http`, `https`, `all` and `no` -> the variable's value."""
    if sys.platform != "linux":  # elsewhere the system's settings count too
        from urllib.request import getproxies

        return getproxies()
    # By hand, since importing urllib.request takes 40 ms, for which dialling ahead would have to wait.
    names = ("http", "https", "all", "no")
    found = ((name, os.environ.get(f"{name}_proxy") or os.environ.get(f"{name.upper()}_PROXY")) for name in names)
    return {name: value for name, value in found if value}


def is_exempt(host: str, no_proxy: str) -> bool:
    """Whether `NO_PROXY` names the host: itself, a domain above it, a network that its address is in, or `*`."""
    return any(_covers(entry.strip().lower(), host.lower()) for entry in no_proxy.split(",") if entry.strip())


def _covers(entry: str, host: str) -> bool:
    if entry == "*":
        return True
    try:
        address = ipaddress.ip_address(host)
        return address in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except (ValueError, TypeError):
        domain = entry.lstrip("*").lstrip(".").partition(":")[0] if "[" not in entry else entry
        return host == domain or host.endswith(f".{domain}")
