"""Text with placeholders for an item or its members."""

import re
from collections.abc import Callable
from typing import Final

from qwen_cli.prompt.messages import STDIN

_ITEM: Final = re.compile(r"\{()\}")
_MEMBER: Final = re.compile(r"\{(|\w[\w .-]*)\}")


class Template:
    """A text with the placeholder `{}` and, if items have members, `{name}`.

    A name starts with a letter, a digit or `_` and may contain these, spaces, `.` and `-`; other braces are text.
    """

    def __init__(self, text: str, *, members: bool) -> None:
        self._pieces = (_MEMBER if members else _ITEM).split(text)  # literal, name, literal, …, name, literal

    @property
    def is_constant(self) -> bool:
        return len(self._pieces) == 1

    def fill(self, value: Callable[[str], str]) -> str:
        """The text with each placeholder replaced once; braces in a value are text."""
        return "".join([value(piece) if index % 2 else piece for index, piece in enumerate(self._pieces)])

    def fill_path(self, value: Callable[[str], str]) -> str:
        """The same for a file name: `-` is a file too, not standard input or output."""
        path = self.fill(value)
        return "./-" if path == STDIN else path
