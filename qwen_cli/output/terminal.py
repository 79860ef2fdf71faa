"""The standard streams, the terminal that they may share, and text from elsewhere made safe for it."""

import os
import re
import stat
import threading
from contextlib import suppress
from functools import cache
from typing import Final, Literal

STDOUT: Final = 1
STDERR: Final = 2

# Control characters but newline and tab, C1, and what reorders text on a bidirectional terminal.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_BREAKS = re.compile("[\t\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]+")


def visible(text: str) -> str:
    """The text with control characters escaped, so that a terminal shows them instead of obeying them."""
    return _CONTROLS.sub(_escape, text)


def _escape(control: re.Match[str]) -> str:
    code = ord(control[0])
    return f"\\u{code:04x}" if code > 0xFF else f"\\x{code:02x}"  # noqa: PLR2004


def visible_json(text: str) -> str:
    """The same for JSON, which keeps its value: control characters occur only inside its strings."""
    return _CONTROLS.sub(lambda control: " " if control[0] == "\r" else f"\\u{ord(control[0]):04x}", text)


def one_line(text: str, *, max_length: int = 1000) -> str:
    """Text from elsewhere made fit for a message: one line, no control characters, not too long."""
    line = visible(_BREAKS.sub(" ", text)).strip()
    return line if len(line) <= max_length else line[:max_length] + "…"


def keep_standard_streams() -> None:
    """Open /dev/null in place of standard streams that the caller closed, so that no socket gets their numbers.

    Python has noticed that it was closed before (`sys.stdout is None`), which is how others know later.
    """
    for descriptor in (0, STDOUT, STDERR):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:  # a pipe that another process made non-blocking
            import select

            select.select([], [descriptor], [])


@cache
def is_terminal(descriptor: int) -> bool:
    return os.isatty(descriptor)


def can_redraw() -> bool:
    """Whether standard error is a terminal, and one on which what was drawn can be drawn over."""
    return is_terminal(STDERR) and os.environ.get("TERM", "dumb") != "dumb"


Writer = Literal["note", "reasoning", "result"]

DIM: Final = "\x1b[2m"
UNDIM: Final = "\x1b[0m"
_LINE_ENDS: Final = (b"\n", f"\n{UNDIM}".encode())
_ERASED: Final = b"\r\x1b[2K"
_WIDTH: Final = 80
"""Columns of a terminal that does not say how many it has."""


class Screen:
    """The line that the cursor is on, shared by all that write to it, so that each begins on a line of its own.

    It is that of standard error, wherever that goes; standard output is on it as well when both are terminals.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._spinner = ""
        self._unfinished: Writer | None = None
        self._broken: Writer | None = None

    def write(self, descriptor: int, data: bytes, writer: Writer) -> None:
        """Write all of it, after erasing the spinner and ending the line that another writer has left unfinished.

        A spinner is drawn again below what was written to its terminal. A pipe's reader may write there, too.
        """
        with self._lock:
            spinner = self._spinner
            is_here = descriptor == STDERR or (is_terminal(descriptor) and is_terminal(STDERR))
            if spinner and (is_here or _has_reader(descriptor)):
                self.erase()
            if is_here:
                if self._unfinished not in (None, writer):
                    self._broken = self._unfinished
                    write_all(STDERR, b"\n")
                elif self._broken == writer:
                    self._broken = None
                self._unfinished = None if data.endswith(_LINE_ENDS) else writer
            write_all(descriptor, data)
            if spinner and is_here:
                self.draw(spinner)

    def has_ended_line_of(self, writer: Writer) -> bool:
        """Whether somebody else's write has ended the line on which that writer was."""
        return self._broken == writer

    def draw(self, spinner: str) -> None:
        """Show a line that the next write erases; nothing in the background, or while another line is unfinished."""
        with self._lock, suppress(OSError):
            if self._unfinished is None and _is_in_foreground():
                self._spinner = spinner
                width = os.get_terminal_size(STDERR).columns or _WIDTH
                write_all(STDERR, _ERASED + spinner[: width - 1].encode())

    def erase(self) -> None:
        """Remove the spinner, unless the terminal is so slow that a signal would have to wait for it."""
        if self._lock.acquire(timeout=1):
            with suppress(OSError):
                if self._spinner and _is_in_foreground():
                    write_all(STDERR, _ERASED)
                self._spinner = ""
            self._lock.release()


screen: Final = Screen()


def _has_reader(descriptor: int) -> bool:
    """Whether what is written is read at once, by a terminal or by a program that may show it."""
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor)


def _is_in_foreground() -> bool:
    """Whether this job has the terminal at standard error, and not another one or the shell."""
    try:
        return os.tcgetpgrp(STDERR) == os.getpgrp()
    except OSError:  # the terminal of another session
        return False


def encode(text: str) -> bytes:
    """UTF-8, with U+FFFD for a lone surrogate."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
