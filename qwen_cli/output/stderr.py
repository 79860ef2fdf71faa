"""Standard error: notes, errors, the spinner, and reasoning printed beside the answer."""

import itertools
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from qwen_cli import signals
from qwen_cli.output.terminal import DIM, STDERR, UNDIM, can_redraw, encode, is_terminal, one_line, screen, visible

REDACTED: Final = "[key]"

_secrets: Final[set[str]] = set()

_SHORTEST_SECRET: Final = 8
"""Characters: a shorter key is a placeholder such as `x`, and redacting it would only garble messages."""

_SPINNER_DELAY: Final = 0.3
_FRAME_SECONDS: Final = 0.1
_FRAMES: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


def redact(secret: str) -> None:
    """Redact this from every message from now on, even from one in which a server quotes it."""
    if len(secret) >= _SHORTEST_SECRET:
        _secrets.add(secret)


def without_keys(text: str) -> str:
    """Redact what looks like an API key: `sk-…`, or a long word with a long run of letters and digits mixed.

    Paths, file names with a suffix and model ids (`Qwen3-235B-A22B-Instruct-2507`, made of short runs) do not.
    """
    import re

    run = r"(?=[a-z]*[0-9])(?=[0-9]*[a-z])[a-z0-9]{16}"
    word = rf"(?<![\w./-])(?=(?:[a-z0-9]*[_-])*{run})[\w-]{{24,}}+(?!/|\.\w)"
    return re.sub(rf"\bsk-[\w-]+|{word}", REDACTED, text, flags=re.ASCII | re.IGNORECASE)


def report(message: str) -> None:
    """Write one line to standard error, and ignore it if that fails."""
    if sys.stderr is None:
        return
    for secret in _secrets:
        message = message.replace(secret, REDACTED)
    with suppress(OSError):
        line = f"qwen-cli: {one_line(message, max_length=4000)}\n".encode(errors="backslashreplace")
        screen.write(STDERR, line, "note")


class Notes:
    """Writes to standard error beside the result, as much as `-q` and `-v` allow."""

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        self.quiet = quiet
        self.verbose = verbose

    def note(self, message: str) -> None:
        if not self.quiet:
            report(message)

    def report(self, message: str) -> None:
        """Write it even with `-q`: an option asked for it, or it concerns the result."""
        report(message)

    def detail(self, message: str) -> None:
        """Write it with `-v` only."""
        if self.verbose:
            report(message)

    @contextmanager
    def waiting(self, what: str, *, patience: float = 30.0) -> Iterator["Wait"]:
        """Show a spinner on a terminal until `Wait.over` or the end; elsewhere write one note if it takes long."""
        wait = Wait(what, self, patience=patience)
        if not self.quiet:
            wait.begin(spinning=can_redraw())
        try:
            yield wait
        finally:
            wait.over()


class Wait:
    """A wait and how it is shown: by a spinner, or by one note after `patience` seconds."""

    def __init__(self, what: str, notes: Notes, *, patience: float = 30.0) -> None:
        self._what = what
        self._notes = notes
        self._patience = patience
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, *, spinning: bool) -> None:
        if spinning:
            signals.before_dying(screen.erase)
        thread = threading.Thread(target=self._spin if spinning else self._note, daemon=True)
        with suppress(RuntimeError):  # no memory for a thread: wait silently
            thread.start()
            self._thread = thread

    def _spin(self) -> None:
        pause = _SPINNER_DELAY
        start = time.monotonic()
        for frame in itertools.cycle(_FRAMES):
            if self._over.wait(pause):
                break
            screen.draw(f"{frame} {self._what} ({time.monotonic() - start:.0f} s)")
            pause = _FRAME_SECONDS

    def _note(self) -> None:
        if not self._over.wait(self._patience):
            self._notes.note(f"still {self._what}, after {self._patience:.0f} s")

    @property
    def lasts(self) -> bool:
        return self._thread is not None

    def over(self) -> None:
        """End the wait; return once the spinner is erased."""
        if self._thread is not None:
            self._over.set()
            self._thread.join()
            self._thread = None
            screen.erase()


class ReasoningOutput:
    """Reasoning beside the content: on standard error, dim on a terminal that may show colour."""

    def __init__(self) -> None:
        self._is_dim = can_redraw() and not os.environ.get("NO_COLOR")
        self._midline = False

    def write(self, text: str) -> None:
        if not text or sys.stderr is None:
            return
        self._midline = not text.endswith("\n")
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
