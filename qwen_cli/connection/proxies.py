"""Which proxy the environment names for a server. No I/O."""

import ipaddress
import os
import sys
from collections.abc import Mapping
from typing import Final, NamedTuple

from qwen_cli.endpoint import Endpoint
from qwen_cli.errors import InvalidUsage

_SCHEMES: Final = ("http", "https", "socks5", "socks5h")


class Proxy(NamedTuple):
    """A proxy as the environment names it."""

    url: str
    variable: str

    @property
    def name(self) -> str:
        """Its host and port, without its user name and password."""
        return self.url.partition("://")[2].rpartition("@")[2].partition("/")[0]

    def check(self) -> None:
        """InvalidUsage, with what is wrong, if it is not the URL of a proxy."""
        scheme, _, rest = self.url.partition("://")
        if scheme not in _SCHEMES:
            raise InvalidUsage(
                f"{self.variable}: {scheme}:// is not the scheme of a proxy",
                advice=f"use one of {', '.join(f'{each}://' for each in _SCHEMES)}",
            )
        if not self.name:
            raise InvalidUsage(f"{self.variable} names no host", advice="an example is http://HOST:PORT")
        if wrong := next((each for each in "#?/" if each in rest.rpartition("@")[0]), None):
            raise InvalidUsage(
                f"{self.variable}: its user name or password contains '{wrong}'",
                advice=f"write it as %{ord(wrong):02X}",
            )


def find_proxy(endpoint: Endpoint) -> Proxy | None:
    """The proxy to go through; None for a direct connection.

    A loopback address never goes through a proxy, which would see the key.
    """
    if endpoint.is_loopback:
        return None
    settings = _settings()
    proxy = settings.get(endpoint.scheme) or settings.get("all")
    no_proxy = settings.get("no")
    if proxy is None or (no_proxy is not None and is_exempt(endpoint.host, no_proxy.url)):
        return None
    scheme, separator, rest = proxy.url.partition("://")
    return proxy._replace(url=f"{scheme.lower()}://{rest}" if separator else f"http://{proxy.url}")


def _settings() -> Mapping[str, Proxy]:
    """`http`, `https`, `all` and `no` -> the variable and its value."""
    names = ("http", "https", "all", "no")
    if sys.platform != "linux":  # elsewhere the system's settings count too
        from urllib.request import getproxies

        found = getproxies()
        return {name: Proxy(found[name], f"{name.upper()}_PROXY") for name in names if found.get(name)}
    # By hand, since importing urllib.request takes 40 ms, for which dialling ahead would have to wait.
    return {
        name: Proxy(os.environ[variable], variable)
        for name in names
        for variable in (f"{name.upper()}_PROXY", f"{name}_proxy")  # the last one that is set counts
        if os.environ.get(variable)
    }


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
