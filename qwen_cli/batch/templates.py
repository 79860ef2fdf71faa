"""Placeholders: text in which an item, or a member of it, takes its place."""

import re
from collections.abc import Callable
from typing import Final

from qwen_cli.request.prompt import STDIN

_ITEM: Final = re.compile(r"\{()\}")
_MEMBER: Final = re.compile(r"\{(|\w[\w .-]*)\}")


class Template:
    """A text with `{}` and, where items have members, `{name}` in it.

    A name begins with a letter, a digit or `_`, and goes on with these, spaces, `.` and `-`; other braces are text.
    """

    def __init__(self, text: str, *, members: bool) -> None:
        self._pieces = (_MEMBER if members else _ITEM).split(text)  # literal, name, literal, …, name, literal

    @property
    def is_constant(self) -> bool:
        return len(self._pieces) == 1

    def fill(self, value: Callable[[str], str]) -> str:
        """The text with each placeholder replaced once: what a value holds is never looked at again."""
        return "".join([value(piece) if index % 2 else piece for index, piece in enumerate(self._pieces)])

    def fill_path(self, value: Callable[[str], str]) -> str:
        """The same for the name of a file, which `-` is too, and not standard input or output."""
        path = self.fill(value)
        return "./-" if path == STDIN else path
