"""Standard error: notes, errors, the wait for an answer, and reasoning shown beside it."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from qwen_cli import signals
from qwen_cli.output.terminal import STDERR, encode, is_terminal, one_line, visible, write_all

_withheld: Final[set[str]] = set()

_SHORTEST_SECRET: Final = 8
"""Characters: a shorter key is a stand-in such as `x`, whose removal would only garble messages."""


def withhold(secret: str) -> None:
    """From now on no message shows this, not even one in which a server quotes it."""
    if len(secret) >= _SHORTEST_SECRET:
        _withheld.add(secret)


def complain(message: str) -> None:
    """Write one line to standard error, whatever has become of it."""
    if sys.stderr is None:
        return
    for secret in _withheld:
        message = message.replace(secret, "[key]")
    with suppress(OSError):
        write_all(STDERR, f"qwen-cli: {one_line(message, most=4000)}\n".encode(errors="backslashreplace"))


class Notes:
    """What is told on standard error beside the result: notes, retries, the wait."""

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        self.quiet = quiet
        self.verbose = verbose

    def note(self, message: str) -> None:
        if not self.quiet:
            complain(message)

    def tell(self, message: str) -> None:
        """Say what was asked for by a flag of its own."""
        complain(message)

    def detail(self, message: str) -> None:
        """Say it to those who asked for `-v`."""
        if self.verbose:
            complain(message)

    @contextmanager
    def waiting(self, what: str) -> Iterator["Wait"]:
        """Show a spinner on a terminal until the block, or its wait, is over."""
        wait = Wait(what)
        if self.quiet or not is_terminal(STDERR) or os.environ.get("TERM", "dumb") == "dumb":
            yield wait
            return
        with signals.unwinding():
            wait.begin()
            try:
                yield wait
            finally:
                wait.over()


class Wait:
    """A spinner that appears only when the wait is long enough to be felt."""

    DELAY: Final = 0.3

    def __init__(self, what: str) -> None:
        self._what = what
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        self._thread = threading.Thread(target=self._show, daemon=True)
        self._thread.start()

    def _show(self) -> None:
        if self._over.wait(self.DELAY):
            return
        from rich.console import Console

        with Console(stderr=True).status(self._what):
            self._over.wait()

    @property
    def lasts(self) -> bool:
        return self._thread is not None

    def over(self) -> None:
        """Return once the terminal is clean again."""
        if self._thread is not None:
            self._over.set()
            self._thread.join()
            self._thread = None


class ReasoningOutput:
    """Reasoning beside the content: on standard error, dim on a terminal that may show colour."""

    def __init__(self) -> None:
        self._dim = is_terminal(STDERR) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._terminal = is_terminal(STDERR)
        self._midline = False

    def write(self, text: str) -> None:
        if not text or sys.stderr is None:
            return
        self._midline = not text.endswith("\n")
        shown = visible(text) if self._terminal else text
        self._send(f"\x1b[2m{shown}\x1b[0m" if self._dim else shown)

    def end(self) -> None:
        if self._midline:
            self._send("\n")
            self._midline = False

    @staticmethod
    def _send(text: str) -> None:
        with suppress(OSError):
            write_all(STDERR, encode(text))
