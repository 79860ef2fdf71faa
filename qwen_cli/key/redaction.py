"""Keys never leave the program: what is known to be one, and what looks like one, is redacted."""

from collections.abc import Mapping
from os.path import commonprefix
from typing import Final

VARIABLES = ("AIMLAPI_API_KEY", "AIMLAPI_KEY", "AIML_API_KEY")
"""What may hold a key: names that the provider's own material uses, the first one most."""

REDACTED: Final = "[key]"

_secrets: Final[set[str]] = set()

_SHORTEST_SECRET: Final = 8
"""Characters: a shorter key is a placeholder such as `x`, and redacting it would only garble messages."""


def redact(secret: str) -> None:
    """Redact this from everything from now on, even from what a server quotes."""
    if len(secret) >= _SHORTEST_SECRET:
        _secrets.update((secret, secret.replace("\\", "\\\\").replace('"', '\\"')))  # the latter as in JSON


def redact_environment(environment: Mapping[str, str]) -> None:
    """Redact the keys in the environment, whether or not one of them is used."""
    for name in VARIABLES:
        redact(environment.get(name, ""))


def without_secrets(text: str) -> str:
    """The text without the keys that are known, and without the beginning of one that was cut with a quotation."""
    for secret in _secrets:
        half = max(_SHORTEST_SECRET, len(secret) // 2)
        before, *pieces = text.split(secret[:half])
        rests = (piece[len(commonprefix((piece, secret[half:]))) :] for piece in pieces)  # noqa: RUF071 -- not paths
        text = REDACTED.join((before, *rests))
    return text


def without_keys(text: str) -> str:
    """Redact what looks like an API key: `sk-…`, or a long word with a long run of letters and digits mixed.

    Paths, file names with a suffix and model ids (`Qwen3-235B-A22B-Instruct-2507`, made of short runs) do not.
    """
    import re

    run = r"(?=[a-z]*[0-9])(?=[0-9]*[a-z])[a-z0-9]{16}"
    word = rf"(?<![\w./-])(?=(?:[a-z0-9]*[_-])*{run})[\w-]{{24,}}+(?!/|\.\w)"
    return re.sub(rf"\bsk-[\w-]+|{word}", REDACTED, text, flags=re.ASCII | re.IGNORECASE)
