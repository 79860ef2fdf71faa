"""The standard streams, and the line of the terminal that they may share."""

import os
import stat
import threading
from contextlib import suppress
from functools import cache
from typing import Final, Literal

STDOUT: Final = 1
STDERR: Final = 2


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


def columns() -> int:
    """How many columns the terminal of the standard streams has."""
    for descriptor in (STDOUT, STDERR, 0):
        with suppress(OSError):
            if width := os.get_terminal_size(descriptor).columns:
                return width
    return _WIDTH


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
        self._is_drawn = False
        self._unfinished: Writer | None = None
        self._broken: Writer | None = None

    def write(self, descriptor: int, data: bytes, writer: Writer) -> None:
        """Write all of it, after erasing what is drawn and ending the line that another writer has left unfinished.

        What is drawn goes even where a pipe's reader may write to the same terminal.
        """
        if not data:
            return
        with self._lock:
            is_here = descriptor == STDERR or (is_terminal(descriptor) and is_terminal(STDERR))
            if self._is_drawn and (is_here or _has_reader(descriptor)):
                self.erase()
            if is_here:
                if self._unfinished not in (None, writer):
                    self._broken = self._unfinished
                    write_all(STDERR, b"\n")
                elif self._broken == writer:
                    self._broken = None
                self._unfinished = None if data.endswith(_LINE_ENDS) else writer
            write_all(descriptor, data)

    def has_ended_line_of(self, writer: Writer) -> bool:
        """Whether somebody else's write has ended the line on which that writer was."""
        return self._broken == writer

    def draw(self, line: str) -> None:
        """Show a line that the next write erases; nothing in the background, or while another line is unfinished."""
        with self._lock, suppress(OSError):
            if self._unfinished is None and _is_in_foreground():
                self._is_drawn = True
                width = os.get_terminal_size(STDERR).columns or _WIDTH
                write_all(STDERR, _ERASED + line[: width - 1].encode())

    def erase(self) -> None:
        """Remove what is drawn, unless the terminal is so slow that a signal would have to wait for it."""
        if self._lock.acquire(timeout=0.3):
            with suppress(OSError):
                if self._is_drawn and _is_in_foreground():
                    write_all(STDERR, _ERASED)
                self._is_drawn = False
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
