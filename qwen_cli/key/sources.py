"""The API key: environment first, then the OS keyring."""

import os
from typing import Final, NamedTuple

from qwen_cli.endpoint import DEFAULT_BASE_URL, Endpoint
from qwen_cli.errors import CredentialsError, InvalidUsage
from qwen_cli.key import os_keyring
from qwen_cli.key.os_keyring import KeyringError, LockedKeyringError
from qwen_cli.key.redaction import VARIABLES, redact

KEYS_URL = "https://aimlapi.com/app/keys"

KEYRING: Final = "keyring"
"""The source of a stored key; any other source is the name of a variable."""

NO_SOURCE: Final = "none"


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


def advice_on_rejection(key: Key | None, *, no_key: bool) -> str:
    """What to do when the server does not accept the key, or that none was sent, because of `--no-key` or not."""
    if no_key:
        return "no key was sent, because of --no-key"
    if key is None:
        return "no key was sent: see 'qwen-cli key status'"
    if key.source == KEYRING:
        return "see 'qwen-cli key status', and store a valid key with 'qwen-cli key set'"
    return f"the key is from {key.source}: correct it, or unset it to use the key stored by 'qwen-cli key set'"


def find_key(endpoint: Endpoint, *, no_key: bool) -> Key | None:
    """The key for that endpoint; None with `no_key`, or for a loopback server if there is none."""
    if no_key:
        return None
    endpoint.require_privacy()
    if key := _from_environment():
        return key
    problem = None
    try:
        secret = os_keyring.stored_secret(endpoint.account)
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


def store_key(endpoint: Endpoint, secret: str) -> Key:
    """Store the key for that endpoint, and return it."""
    if not secret:
        raise InvalidUsage("no key given: nothing was stored")
    key = Key(_check(secret, "the input"), KEYRING)
    os_keyring.store_secret(endpoint.account, secret)
    return key


def describe(endpoint: Endpoint) -> dict[str, str]:
    """Name and value of what `key status` prints, never the key itself. `source` may be `NO_SOURCE`."""
    winner = _from_environment()
    try:
        secret, backend = os_keyring.stored_secret_and_backend(endpoint.account)
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
