"""Text with placeholders for an item or its members."""

import re
from collections.abc import Callable
from typing import Final

from qwen_cli.errors import LocalError
from qwen_cli.prompt.standard_input import STDIN

_ITEM: Final = re.compile(r"\{\}")
_MEMBER: Final = re.compile(r"""\{(?:|[^\s{}"'][^{}]*)\}|\{\{|\}\}""")


class Template:
    """A text with the placeholder `{}`; if items have members, also with `{name}`, and `{{` and `}}` for braces.

    A name starts with neither white space nor a quote: such braces are text, as in JSON.
    """

    def __init__(self, text: str, *, members: bool) -> None:
        self._pieces: list[tuple[str, str | None]] = []
        """Literal texts, each with the name of the placeholder behind it; None behind the last."""
        literal, end = "", 0
        for match in (_MEMBER if members else _ITEM).finditer(text):
            literal += text[end : match.start()]
            end = match.end()
            if match[0] in ("{{", "}}"):
                literal += match[0][0]
            else:
                self._pieces.append((literal, match[0][1:-1]))
                literal = ""
        self._pieces.append((literal + text[end:], None))

    @property
    def names(self) -> list[str]:
        """The names of the placeholders; an empty one for the item itself."""
        return [name for _, name in self._pieces if name is not None]

    @property
    def is_constant(self) -> bool:
        return not self.names

    def fill(self, value: Callable[[str], str]) -> str:
        """The text with each placeholder replaced once; braces in a value are text."""
        return "".join(literal + ("" if name is None else value(name)) for literal, name in self._pieces)

    def fill_path(self, value: Callable[[str], str]) -> str:
        """The same for a file name: `-` is a file too, not standard input or output."""
        path = self.fill(value)
        return "./-" if path == STDIN else path

    def fill_target(self, value: Callable[[str], str]) -> str:
        """The same for the file that an answer goes into: no member leads to another folder."""

        def checked(name: str) -> str:
            text = value(name)
            if name and ("/" in text or text in ("", ".", "..")):
                raise LocalError(f"its {name} cannot be a part of a file's name: {text[:40]!r}")
            return text

        return self.fill_path(checked)
