"""Standard input, which can be read once, by one reader."""

import os
import select
import stat
import sys
from collections.abc import Callable
from typing import Final

from qwen_cli.errors import InvalidUsage, LocalError
from qwen_cli.prompt.files import decode_text, read_all

STDIN: Final = "-"
"""In the place of a word or a file: standard input."""

PATIENCE: Final = 3.0
"""Seconds of silence on standard input before a note says what is awaited."""


class StandardInput:
    """Who reads standard input."""

    def __init__(self) -> None:
        self._reader: str | None = None

    def reset(self) -> None:
        """Forget the reader: another command line begins."""
        self._reader = None

    def claim(self, reader: str) -> None:
        """Reserve it for a reader (a flag, or `-`); InvalidUsage if it has one."""
        if self._reader == reader:
            raise InvalidUsage("standard input can be read only once")
        if self._reader is not None:
            raise InvalidUsage(f"{self._reader} and {reader} cannot both read standard input")
        self._reader = reader

    @property
    def is_offered(self) -> bool:
        """Whether it is read without being named: a pipe, a file or a socket that nothing claims, not a device."""
        if sys.stdin is None or self._reader is not None:
            return False
        mode = os.fstat(0).st_mode
        return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)

    def read(self, note: Callable[[str], None]) -> str:
        """All of it as text, without its final newline; waits for as long as it takes."""
        return decode_text(self.read_bytes(note), "standard input").removesuffix("\n")

    def read_bytes(self, note: Callable[[str], None]) -> bytes:
        """All of it as it is; `note` says when it has to wait."""
        if sys.stdin is None:
            return b""
        try:
            if os.isatty(0):
                note("reading standard input from the terminal; end it with Control-D")
            elif not select.select([0], [], [], PATIENCE)[0]:
                note("waiting for standard input (use -n to ignore it)")
            return read_all(0, "standard input")
        except OSError as error:
            raise LocalError(f"cannot read standard input: {error.strerror}") from error


standard_input: Final = StandardInput()
