"""The base URL: where requests go, and which stored key may go with them."""

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from qwen_cli.errors import InvalidUsage

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

DEFAULT_BASE_URL = "https://api.aimlapi.com/v1"


class SendingOptions(NamedTuple):
    """How requests are sent. Times in seconds."""

    base_url: str = DEFAULT_BASE_URL
    timeout: float = 600.0
    connect_timeout: float = 10.0
    retries: int = 2
    request_id: str | None = None
    no_key: bool = False


class Endpoint(NamedTuple):
    """A server that speaks the protocol.

    `account` is the user name of its key in the keyring: the host, with the port if the URL names one (an IPv6 address
    is in brackets then).
    """

    base_url: str
    scheme: str
    host: str
    port: int
    account: str

    @property
    def is_loopback(self) -> bool:
        if self.host == "localhost":
            return True
        address = _address(self.host)
        return address is not None and address.is_loopback

    def require_privacy(self) -> None:
        """InvalidUsage if a key would be sent in the clear."""
        if self.scheme == "http" and not self.is_loopback:
            raise InvalidUsage(
                f"a key is never sent over plain http to {self.host}",
                advice="use https://, or --no-key for a server that needs none",
            )

    def advice_on_not_found(self, *, has_model: bool) -> str:
        """What to check after a 404, for a request that names a model or not."""
        return self.advice_on_path or ("check --model and --base-url" if has_model else "check --base-url")

    @property
    def advice_on_path(self) -> str | None:
        """What is probably missing, if no path is given."""
        if urlsplit(self.base_url).path:
            return None
        return f"the base URL has no path: most servers want {self.base_url}/v1"

    @property
    def chat_url(self) -> str:
        return f"{self.base_url}/chat/completions"

    def account_url(self, path: str) -> str:
        """Billing and usage live under /v2, beside the /v1 of the base URL."""
        return f"{self._root}/v2/{path}"

    def models_url(self, query: str = "") -> str:
        """The list of models, with prices where the query asks for them."""
        return f"{self.base_url}/models" + (f"?{query}" if query else "")

    @property
    def _root(self) -> str:
        root = self.base_url.removesuffix("/v1")
        return root if root != self.base_url else f"{self.scheme}://{urlsplit(self.base_url).netloc}"


def parse_endpoint(base_url: str) -> Endpoint:
    """Read a base URL, or that of the chat completions below it; InvalidUsage if it is none."""
    try:
        parts = urlsplit(base_url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    host = parts.hostname
    if host and not _is_host(host):
        raise InvalidUsage(f"the base URL has no host: {host[:80]} is neither a name nor an address")
    if len(base_url) > _MAX_LENGTH:
        raise InvalidUsage(f"the base URL is longer than {_MAX_LENGTH} characters")
    if parts.scheme not in ("http", "https") or not host or not base_url.isascii() or not base_url.isprintable():
        raise InvalidUsage("the base URL is not an http:// or https:// URL", advice=f"an example is {DEFAULT_BASE_URL}")
    if parts.query or parts.fragment or "@" in parts.netloc or " " in base_url:
        raise InvalidUsage("the base URL must not contain a user name, a query or a fragment")
    return Endpoint(
        base_url=base_url.rstrip("/").removesuffix("/chat/completions"),
        scheme=parts.scheme,
        host=host,
        port=port or {"http": 80, "https": 443}[parts.scheme],
        account=host if port is None else f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
    )


_MAX_LENGTH = 8000


def _is_host(host: str) -> bool:
    """Whether it is an address, or a name by RFC 1123, whose last label is not a number."""
    labels = host.removesuffix(".").split(".")
    is_name = all(0 < len(label) < 64 for label in labels) and not labels[-1].isdigit()  # noqa: PLR2004 -- RFC 1035
    if is_name and any(label.startswith("xn--") for label in labels):
        import idna

        try:
            idna.decode(host)
        except UnicodeError:
            return False
    return is_name or _address(host) is not None


def _address(host: str) -> "IPv4Address | IPv6Address | None":
    import ipaddress

    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
