"""The OS keyring, which may be missing, locked, or never answer. The only module that imports keyring."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

from qwen_cli.background import Background
from qwen_cli.errors import CredentialsError
from qwen_cli.key.redaction import VARIABLES

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

SERVICE: Final = "qwen-cli"

PATIENCE: Final = 3.0
"""Seconds to wait for a keyring; one that asks for a password in a window takes longer."""

T = TypeVar("T")


class KeyringError(CredentialsError):
    """No keyring, or one that does not answer; `remedy` is what would help."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message, advice=f"{remedy}, or set {VARIABLES[0]} to do without it")
        self.remedy = remedy


class LockedKeyringError(KeyringError):
    """A keyring that waits for its password; the key may well be in it."""


def require_keyring() -> None:
    """KeyringError if no keyring can be used, before anybody types a key."""
    _ask(_name)


def stored_secret(account: str) -> str | None:
    """The secret that is stored for the account."""
    return _ask(lambda keyring: keyring.get_password(SERVICE, account))


def stored_secret_and_backend(account: str) -> tuple[str | None, str]:
    """The same, and the name of the backend that was asked."""
    return _ask(lambda keyring: (keyring.get_password(SERVICE, account), _name(keyring)))


def store_secret(account: str, secret: str) -> None:
    """Store it; KeyringError if the keyring does not keep it."""

    def store(keyring: "KeyringBackend") -> str | None:
        keyring.set_password(SERVICE, account, secret)
        return keyring.get_password(SERVICE, account)

    if _ask(store) != secret:
        raise KeyringError("the OS keyring did not keep the key", "choose another backend (see 'qwen-cli key status')")


def delete_secret(account: str) -> bool:
    """Delete what is stored for the account; False if there was nothing."""

    def delete(keyring: "KeyringBackend") -> bool:
        if keyring.get_password(SERVICE, account) is None:
            return False
        keyring.delete_password(SERVICE, account)
        return True

    return _ask(delete)


def _name(keyring: "KeyringBackend") -> str:
    return f"{type(keyring).__module__}.{type(keyring).__qualname__}"


def _ask(question: Callable[["KeyringBackend"], T]) -> T:
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
