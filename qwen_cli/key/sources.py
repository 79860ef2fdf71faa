"""The API key: environment first, then the OS keyring. The only module that imports keyring."""

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from qwen_cli.background import Background
from qwen_cli.endpoint import DEFAULT_BASE_URL, Endpoint
from qwen_cli.errors import CredentialsError, InvalidUsage
from qwen_cli.output.stderr import redact

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

SERVICE = "qwen-cli"
VARIABLES = ("AIMLAPI_API_KEY", "AIMLAPI_KEY", "AIML_API_KEY")
"""Names that the provider's own material uses, the first one most."""

PATIENCE = 3.0
"""Seconds to wait for a keyring; one that asks for a password in a window takes longer."""

KEYS_URL = "https://aimlapi.com/app/keys"

KEYRING = "keyring"
"""The source of a stored key; any other source is the name of a variable."""

NO_SOURCE = "none"

T = TypeVar("T")


class KeyringError(CredentialsError):
    """No keyring, or one that does not answer; `remedy` is what would help."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message, advice=f"{remedy}, or set {VARIABLES[0]} to do without it")
        self.remedy = remedy


class LockedKeyringError(KeyringError):
    """A keyring that waits for its password; the key may well be in it."""


class Key(NamedTuple):
    """An API key and its source. The secret is kept out of the repr and of every message."""

    secret: str
    source: str

    def __repr__(self) -> str:
        return f"Key(source={self.source!r})"

    @property
    def hint(self) -> str:
        """The last four characters, or none of a key so short that they would give it away."""
        return f"…{self.secret[-4:]}" if len(self.secret) >= 16 else "…"  # noqa: PLR2004


def find_key(endpoint: Endpoint, *, no_key: bool) -> Key | None:
    """The key for that endpoint; None with `no_key`, or for a loopback server if there is none."""
    if no_key:
        return None
    endpoint.require_privacy()
    if key := _from_environment():
        return key
    problem = None
    try:
        secret = _ask_keyring(lambda keyring: keyring.get_password(SERVICE, endpoint.account))
    except LockedKeyringError:
        if endpoint.is_loopback:
            return None
        raise
    except KeyringError as error:
        secret, problem = None, error
    if secret:
        return Key(_check(secret, f"the keyring's key for {endpoint.account}"), KEYRING)
    if endpoint.is_loopback:
        return None
    raise _no_key(endpoint, problem) from problem


def _no_key(endpoint: Endpoint, problem: KeyringError | None) -> CredentialsError:
    """Say where to get a key, how to do without one, and only then what is wrong with the keyring."""
    source = f"get one at {KEYS_URL} and " if endpoint.base_url == DEFAULT_BASE_URL else ""
    store = f"set {VARIABLES[0]}" if problem else f"store it with 'qwen-cli key set' or set {VARIABLES[0]}"
    aside = f" ({problem.message}: {problem.remedy})" if problem else ""
    return CredentialsError(
        f"no API key for {endpoint.account}", advice=f"{source}{store}, or try 'qwen-cli sandbox' without one{aside}"
    )


def _from_environment() -> Key | None:
    for name in VARIABLES:
        if secret := os.environ.get(name):
            return Key(_check(secret, name), name)
    return None


def _check(secret: str, what: str) -> str:
    """The key, redacted from every message from now on; CredentialsError if an HTTP header cannot carry it."""
    redact(secret)
    if not secret.isascii() or not secret.isprintable() or " " in secret:
        raise CredentialsError(f"{what} is not a key: it contains white space, a line break or a non-ASCII character")
    return secret


def require_keyring() -> None:
    """CredentialsError if no keyring can be used, before anybody types a key."""
    _ask_keyring(_name)


def store_key(endpoint: Endpoint, secret: str) -> Key:
    """Store the key for that endpoint, and return it."""
    if not secret:
        raise InvalidUsage("no key given: nothing was stored")
    key = Key(_check(secret, "the input"), KEYRING)
    _ask_keyring(lambda keyring: keyring.set_password(SERVICE, endpoint.account, secret))
    return key


def delete_key(endpoint: Endpoint) -> bool:
    """Delete the stored key; False if there was none."""

    def delete(keyring: "KeyringBackend") -> bool:
        if keyring.get_password(SERVICE, endpoint.account) is None:
            return False
        keyring.delete_password(SERVICE, endpoint.account)
        return True

    return _ask_keyring(delete)


def describe(endpoint: Endpoint) -> dict[str, str]:
    """Name and value of what `key status` prints, never the key itself. `source` may be `NO_SOURCE`."""
    winner = _from_environment()
    try:
        secret, backend = _ask_keyring(
            lambda keyring: (keyring.get_password(SERVICE, endpoint.account), _name(keyring))
        )
    except CredentialsError as error:
        secret, backend = None, f"none: {error}"
    stored = Key(secret, KEYRING) if secret else None
    winner = winner or stored
    return {
        "account": endpoint.account,
        "source": winner.source if winner else NO_SOURCE,
        "key": winner.hint if winner else "-",
        "keyring": backend,
        "stored": stored.hint if stored else "-",
    }


def _name(keyring: "KeyringBackend") -> str:
    return f"{type(keyring).__module__}.{type(keyring).__qualname__}"


def _ask_keyring(question: Callable[["KeyringBackend"], T]) -> T:
    """Ask in a thread, since a locked or broken keyring may never answer."""

    def ask() -> T:
        from keyring.errors import KeyringLocked

        try:
            return question(_backend())
        except KeyringLocked as error:
            raise LockedKeyringError("the OS keyring is locked", "unlock it and try again") from error

    answer = Background(ask)
    try:
        return answer.result(PATIENCE)
    except KeyringError:
        raise
    except TimeoutError:
        message = f"the OS keyring did not answer within {PATIENCE:.0f} seconds"
        raise KeyringError(message, "unlock it and try again") from None
    except Exception as error:
        message = f"the OS keyring cannot be used: {_reason(error)}"
        raise KeyringError(message, "unlock or start it and try again") from error


def _reason(error: Exception) -> str:
    """The message of an error, without the `[Errno N]` of the operating system's."""
    return (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__


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
        raise KeyringError("no OS keyring is available", "install or start one, such as gnome-keyring")
    return found
