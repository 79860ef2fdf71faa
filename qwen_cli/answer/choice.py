"""One of a few answers: found in the JSON that was asked for, or as a bare word. No I/O."""

from collections.abc import Sequence
from typing import Any, Final

PROPERTY: Final = "choice"
"""The property that holds the choice in the JSON that is asked for."""

YES: Final = "yes"
NO: Final = "no"

_AROUND: Final = " \t\r\n.!*_\"'`\u201c\u201d\u2018\u2019\u00ab\u00bb"
"""Characters that may surround a bare word."""


def find_choice(content: str, value: Any, choices: Sequence[str]) -> str | None:
    """The choice in an answer, of which `value` is the JSON, if it is JSON.

    If none is spelled exactly like it, the only one that differs in nothing but case counts.
    """
    chosen = value.get(PROPERTY) if isinstance(value, dict) else value
    word = chosen if isinstance(chosen, str) else content
    for candidate in (word.strip(), word.strip(_AROUND)):
        if candidate in choices:
            return candidate
        alike = [choice for choice in choices if choice.casefold() == candidate.casefold()]
        if len(alike) == 1:
            return alike[0]
    return None


_MAX_LISTED: Final = 10


def no_choice(choices: Sequence[str]) -> str:
    """The message about an answer that is none of the choices."""
    listed = ", ".join(choices[:_MAX_LISTED]) + (", …" if len(choices) > _MAX_LISTED else "")
    return f"the answer is none of the choices ({listed})"
