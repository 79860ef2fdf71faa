"""The standard streams, and foreign text made fit for them."""

import os
import re
import sys
from typing import Final

STDOUT: Final = 1
STDERR: Final = 2

# Control characters but newline and tab, C1, and what reorders text on a bidirectional terminal.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_BREAKS = re.compile("[\t\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]+")


def visible(text: str) -> str:
    """The text with control characters spelled out, so that a terminal shows them instead of obeying."""
    return _CONTROLS.sub(_spell, text)


def _spell(control: re.Match[str]) -> str:
    code = ord(control[0])
    return f"\\u{code:04x}" if code > 0xFF else f"\\x{code:02x}"  # noqa: PLR2004


def visible_json(text: str) -> str:
    """The same for JSON, which stays valid and the same value: control characters stand in its strings only."""
    return _CONTROLS.sub(lambda control: " " if control[0] == "\r" else f"\\u{ord(control[0]):04x}", text)


def one_line(text: str, *, most: int = 1000) -> str:
    """Foreign text made fit for a message: no line break, nothing to obey, no flood."""
    line = visible(_BREAKS.sub(" ", text)).strip()
    return line if len(line) <= most else line[:most] + "…"


def keep_standard_streams() -> None:
    """Put /dev/null where the caller closed a standard stream, lest a socket be opened in its place.

    Python notices the closed stream before (`sys.stdout is None`), and that is what later says that it was closed.
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


def is_terminal(descriptor: int) -> bool:
    stream = {STDOUT: sys.stdout, STDERR: sys.stderr}[descriptor]
    return stream is not None and os.isatty(descriptor)


def encode(text: str) -> bytes:
    """UTF-8, with U+FFFD for a lone surrogate."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
