"""The API key: environment first, then the OS keyring. The only module that imports keyring."""

import os
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from qwen_cli.api.endpoint import Endpoint
from qwen_cli.errors import CredentialsError, InvalidUsage
from qwen_cli.output.stderr import withhold

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

SERVICE = "qwen-cli"
VARIABLES = ("AIMLAPI_API_KEY", "AIMLAPI_KEY", "AIML_API_KEY")
"""Names that the provider's own material uses, the first one most."""

PATIENCE = 3.0
"""Seconds that a keyring gets to answer; one that waits for a password to be typed elsewhere takes longer."""

_WITHOUT_KEYRING = f"set {VARIABLES[0]} to do without it"

T = TypeVar("T")


class Key(NamedTuple):
    """An API key and where it came from. Its secret is kept out of the repr and out of any message."""

    secret: str
    source: str

    def __repr__(self) -> str:
        return f"Key(source={self.source!r})"

    @property
    def hint(self) -> str:
        """The last four characters, and none of a key so short that four would give it away."""
        return f"…{self.secret[-4:]}" if len(self.secret) >= 16 else "…"  # noqa: PLR2004


def find_key(endpoint: Endpoint) -> Key | None:
    """The key for that endpoint; None when a loopback server is asked without one."""
    if key := _from_environment():
        return key
    try:
        secret = _ask_keyring(lambda keyring: keyring.get_password(SERVICE, endpoint.account))
    except CredentialsError:
        if endpoint.is_loopback:
            return None
        raise
    if secret:
        return Key(check_key(secret, f"the keyring's key for {endpoint.account}"), "keyring")
    if endpoint.is_loopback:
        return None
    raise CredentialsError(
        f"no API key for {endpoint.account}", advice=f"store one with 'qwen-cli key set', or set {VARIABLES[0]}"
    )


def _from_environment() -> Key | None:
    for name in VARIABLES:
        if secret := os.environ.get(name):
            return Key(check_key(secret, name), name)
    return None


def check_key(secret: str, what: str) -> str:
    """The key, if an HTTP header can carry it; no message quotes it from here on."""
    withhold(secret)
    if not secret.isascii() or not secret.isprintable() or " " in secret:
        raise CredentialsError(f"{what} is not a key: it holds white space, a line break or a non-ASCII character")
    return secret


def require_keyring() -> None:
    """CredentialsError when no keyring can be used: better said before a key is typed than after."""
    _ask_keyring(_name)


def store_key(endpoint: Endpoint, secret: str) -> None:
    if not secret:
        raise InvalidUsage("no key was given: nothing is stored")
    check_key(secret, "what was given")
    _ask_keyring(lambda keyring: keyring.set_password(SERVICE, endpoint.account, secret))


def delete_key(endpoint: Endpoint) -> bool:
    """Delete the stored key; False when there was none."""

    def delete(keyring: "KeyringBackend") -> bool:
        if keyring.get_password(SERVICE, endpoint.account) is None:
            return False
        keyring.delete_password(SERVICE, endpoint.account)
        return True

    return _ask_keyring(delete)


def describe(endpoint: Endpoint) -> dict[str, str]:
    """What `key status` tells: name and value, the key itself not among them."""
    winner = _from_environment()
    try:
        secret, backend = _ask_keyring(
            lambda keyring: (keyring.get_password(SERVICE, endpoint.account), _name(keyring)),
        )
    except CredentialsError as error:
        secret, backend = None, f"none: {error}"
    stored = Key(secret, "keyring") if secret else None
    winner = winner or stored
    return {
        "account": endpoint.account,
        "source": winner.source if winner else "none",
        "key": winner.hint if winner else "-",
        "keyring": backend,
        "stored": stored.hint if stored else "-",
    }


def _name(keyring: "KeyringBackend") -> str:
    return f"{type(keyring).__module__}.{type(keyring).__qualname__}"


def _ask_keyring(question: Callable[["KeyringBackend"], T]) -> T:
    """Ask in a thread, since a locked or broken keyring may never answer."""
    answers: list[T] = []
    failures: list[Exception] = []

    def ask() -> None:
        try:
            answers.append(question(_backend()))
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if answers:
        return answers[0]
    if not failures:
        raise CredentialsError(
            f"the OS keyring has not answered for {PATIENCE:.0f} seconds",
            advice=f"unlock it and try again, or {_WITHOUT_KEYRING}",
        )
    if isinstance(failures[0], CredentialsError):
        raise failures[0]
    raise CredentialsError(
        f"the OS keyring cannot be used: {type(failures[0]).__name__}: {failures[0]}",
        advice=f"unlock or start it and try again, or {_WITHOUT_KEYRING}",
    ) from failures[0]


def _backend() -> "KeyringBackend":
    """The backend that the user configured, or the platform's own; never one that keeps keys in plain text."""
    import keyring.core

    if configured := keyring.core.load_env() or keyring.core.load_config():
        return configured
    if sys.platform == "linux":
        # Named, not searched for: the search imports every backend and entry point there is.
        try:
            return keyring.core.load_keyring("keyring.backends.SecretService.Keyring")
        except RuntimeError:
            pass
    found = keyring.core.get_keyring()
    if not keyring.core.recommended(found):
        raise CredentialsError(
            "no OS keyring answers here", advice=f"install or start one (such as gnome-keyring), or {_WITHOUT_KEYRING}"
        )
    return found
