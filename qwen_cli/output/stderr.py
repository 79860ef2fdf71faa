"""Standard error: notes, errors, and reasoning printed beside the answer."""

import os
import sys
from contextlib import suppress

from qwen_cli.key.redaction import without_secrets
from qwen_cli.output.terminal import DIM, STDERR, UNDIM, can_redraw, is_terminal, screen
from qwen_cli.text import encode, one_line, visible


def report(message: str) -> None:
    """Write one line to standard error, and ignore it if that fails."""
    if sys.stderr is None:
        return
    with suppress(OSError):
        line = f"qwen-cli: {one_line(without_secrets(message), max_length=4000)}\n".encode(errors="backslashreplace")
        screen.write(STDERR, line, "note")


class Notes:
    """Writes to standard error beside the result, as much as `-q` and `-v` allow."""

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        self.quiet = quiet
        self.verbose = verbose

    def note(self, message: str) -> None:
        if not self.quiet:
            report(message)

    def note_to_person(self, message: str) -> None:
        """Write it where a person sees it, or asks for it with `-v`: to a script it says nothing new."""
        if self.verbose or is_terminal(STDERR):
            self.note(message)

    def report(self, message: str) -> None:
        """Write it even with `-q`: an option asked for it, or it concerns the result."""
        report(message)

    def detail(self, message: str) -> None:
        """Write it with `-v` only."""
        if self.verbose:
            report(message)


class ReasoningOutput:
    """Reasoning beside the content: on standard error, dim on a terminal that may show colour."""

    def __init__(self) -> None:
        self._is_dim = can_redraw() and not os.environ.get("NO_COLOR")
        self._midline = False

    def write(self, text: str) -> None:
        if not text or sys.stderr is None:
            return
        self._midline = not text.endswith("\n")
        text = without_secrets(text)
        if is_terminal(STDERR):
            text = visible(text)
        self._send(f"{DIM}{text}{UNDIM}" if self._is_dim else text)

    def end(self) -> None:
        if self._midline:
            self._send("\n")
            self._midline = False

    @staticmethod
    def _send(text: str) -> None:
        with suppress(OSError):
            screen.write(STDERR, encode(text), "reasoning")
