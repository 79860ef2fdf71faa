"""Where results go: standard output, or the file of `-o`, which only a complete result replaces."""

import codecs
import errno
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Self

from qwen_cli import signals
from qwen_cli.errors import Killed, LocalError, QwenError
from qwen_cli.output.file_replacement import MAX_COLLECTED, check_replaceable, replace_file
from qwen_cli.output.terminal import STDERR, STDOUT, screen
from qwen_cli.text import encode, visible

ATOMIC: Final = 4096
"""Bytes that Linux writes to a pipe atomically: a result up to that size is one write, its newline included."""

_SPACE: Final = b" \t\r\n"
_OWN_DESCRIPTOR = r"(?:/dev|/proc/self)/fd/(\d+)"


class Output:
    """Where a result goes: a stream, from which nothing can be taken back."""

    def __init__(self, name: str, descriptor: int) -> None:
        self.name = name
        self.terminal = os.isatty(descriptor)
        self._descriptor = descriptor

    @property
    def is_for_person(self) -> bool:
        """Whether a person reads it, on a terminal that can do more than print letters."""
        return self.terminal and os.environ.get("TERM", "dumb") != "dumb"

    def write(self, data: bytes, *, is_last: bool = False) -> None:  # noqa: ARG002 -- for a stream with a reader
        """Write all of it; `is_last` says that the result is complete with it."""
        if self._descriptor == STDOUT and sys.stdout is None:
            raise LocalError("standard output is closed")
        try:
            screen.write(self._descriptor, data, "result")
        except BrokenPipeError:
            raise Killed(signal.SIGPIPE) from None
        except OSError as error:
            raise LocalError(f"cannot write to {self.name}: {error.strerror}") from error

    def commit(self) -> None:
        """Make what was written the result."""

    def divert(self) -> None:
        """Send what was written to standard output instead of making it the result."""


class WatchedOutput(Output):
    """Standard output with an eye on its reader, who may leave once the result is complete."""

    def __init__(self) -> None:
        super().__init__("standard output", STDOUT)
        self.on_leaving: Callable[[], None] = lambda: signals.die_of(signal.SIGPIPE)
        self._reader = signals.Reader(STDOUT, self._leave)

    def _leave(self) -> None:
        self.on_leaving()

    def write(self, data: bytes, *, is_last: bool = False) -> None:
        if is_last:
            self._reader.let_go()
        super().write(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.let_go()


class FileOutput(Output):
    """A file that only a complete result replaces: what is written is collected until then."""

    def __init__(self, target: str) -> None:
        check_replaceable(target)
        self.name = target
        self.terminal = False
        self._collected = bytearray()

    def write(self, data: bytes, *, is_last: bool = False) -> None:  # noqa: ARG002 -- nobody reads it yet
        self._collected += data
        if len(self._collected) > MAX_COLLECTED:
            raise LocalError(f"cannot write {self.name}: more than {MAX_COLLECTED >> 20} MiB, the limit of -o")

    def commit(self) -> None:
        replace_file(self.name, bytes(self._collected))

    def divert(self) -> None:
        if self._collected:
            standard_output().write(bytes(self._collected))


def standard_output() -> Output:
    return Output("standard output", STDOUT)


@contextmanager
def open_output(target: str | None) -> Iterator[Output]:
    """Open `-o TARGET`, or standard output; devices and descriptors are written directly.

    The result counts when the block succeeds. When it fails, or the target cannot be replaced after all, what was
    written goes to standard output instead, and the target stands as it was.
    """
    if target is None:
        with WatchedOutput() as output:
            yield output
        return
    file = open_target(target)
    try:
        yield file
        file.commit()
    except QwenError:
        file.divert()
        raise


def open_target(target: str) -> Output:
    """The file of that name, to be replaced; a device, a pipe or a descriptor is written directly."""
    if target in ("-", "/dev/stdout"):
        return standard_output()
    if target == "/dev/stderr":
        return Output(target, STDERR)
    try:
        if own := re.fullmatch(_OWN_DESCRIPTOR, target):
            return Output(target, _inherited(own[1]))
        if os.path.exists(target) and not os.path.isfile(target) and not os.path.isdir(target):
            return Output(target, os.open(target, os.O_WRONLY))
    except OSError as error:
        raise LocalError(f"cannot write {target}: {error.strerror}") from error
    return FileOutput(target)


def _inherited(number: str) -> int:
    """A descriptor that the caller opened for writing, not a socket of ours; OSError if it is not."""
    import fcntl

    # No descriptor has more digits.
    descriptor = int(number) if len(number) < 10 else -1  # noqa: PLR2004
    if not os.get_inheritable(descriptor) or fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    return descriptor


class Receipt:
    """The raw responses for `--save FILE`, one per line: written once, also when the run ends before its time.

    If they cannot be written, that is raised after the answer has been printed.
    """

    def __init__(self, target: str) -> None:
        self._output = open_target(target)
        self._is_due = False
        self._arriving = bytearray()
        self._failure: LocalError | None = None
        signals.before_dying(self.write)

    def follow(self, arriving: bytearray) -> None:
        """Add what has arrived by then, if the run ends before its time."""
        self._arriving = arriving

    def add(self, document: bytes) -> None:
        self._is_due = True
        self._arriving = bytearray()
        if self._failure is None:
            try:
                self._output.write(document.rstrip(_SPACE) + b"\n")
            except LocalError as error:
                self._failure = error

    def write(self) -> None:
        """Replace the file by what has come since, if anything has."""
        if self._arriving:
            self.add(bytes(self._arriving))
        is_due, self._is_due = self._is_due, False
        if is_due and self._failure is None:
            try:
                self._output.commit()
            except LocalError as error:
                self._failure = error

    @property
    def failure(self) -> LocalError | None:
        """Why it could not be written."""
        return self._failure


@contextmanager
def saving(target: str | None) -> Iterator[Receipt | None]:
    """The receipt of what is asked in the block, if there is to be one."""
    receipt = None if target is None else Receipt(target)
    try:
        yield receipt
    finally:
        if receipt is not None:
            receipt.write()
            signals.forget(receipt.write)
    if receipt is not None and receipt.failure is not None:
        raise receipt.failure


class RawOutput:
    """Bytes passed through as they are; on a terminal, `escape` makes control characters visible."""

    def __init__(self, output: Output, *, escape: Callable[[str], str] = visible) -> None:
        self._output = output
        self._escape = escape
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace") if output.terminal else None
        self._held = b""
        self._is_empty = True

    def write(self, data: bytes) -> None:
        """Pass it on, except for what may be the end: a short result is one write, white space may be cut."""
        self._is_empty = self._is_empty and not data
        data = self._held + data
        kept = data.rstrip(_SPACE) if len(data) > ATOMIC else b""
        if len(data) - len(kept) > ATOMIC:
            kept = data
        self._held = data[len(kept) :]
        self._send(kept)

    def end_line(self, *, is_last: bool = True) -> None:
        """Pass on what is held back, and end with one newline; nothing where nothing came."""
        if not self._is_empty:
            held, self._held = self._held, b""
            self._send(held.rstrip(_SPACE) + b"\n", is_last=is_last)

    def _send(self, data: bytes, *, is_last: bool = False) -> None:
        if data:
            shown = data if self._decoder is None else self._escape(self._decoder.decode(data)).encode()
            self._output.write(shown, is_last=is_last)


class TextOutput:
    """Text for an `Output` as it arrives: control characters escaped on a terminal, ended by exactly one newline."""

    def __init__(self, output: Output, *, end_line: bool = True) -> None:
        self._output = output
        self._pending = bytearray()
        self._end_line = end_line
        self._held = ""  # newlines that may be the last ones, or the first half of a surrogate pair
        self._midline = False

    def write(self, text: str) -> None:
        text = self._held + text
        kept = text
        if self._end_line:
            kept = text.rstrip("\n")
            if len(kept) < len(text) and (kept or self._midline):
                kept += "\n"
        if kept and "\ud800" <= kept[-1] <= "\udbff":
            kept = kept[:-1]
        self._held = text[len(kept) :]
        if kept:
            self._send(kept)
            self._midline = kept[-1] != "\n"

    def line(self, text: str) -> None:
        """Write the text as a line of its own."""
        self.end()
        self._send("\n" * self._midline + text + "\n")
        self._midline = False

    def end(self) -> None:
        """Write what was held back, and the one newline."""
        held, self._held = self._held, ""
        if self._end_line:
            # Held newlines collapse into one; a held half of a pair has lost its other half.
            held = held.rstrip("\n")
            if held or (self._midline and (self._pending or not screen.has_ended_line_of("result"))):
                self._send(held + "\n")
        elif held:
            self._send(held)
        self._midline = self._midline and not self._end_line

    def _send(self, text: str) -> None:
        self._pending += encode(visible(text) if self._output.terminal else text)
        if len(self._pending) > ATOMIC:
            self.flush()

    def flush(self, *, is_last: bool = False) -> None:
        """Write what is pending; before that, up to `ATOMIC` bytes are kept, so that a short result is one write."""
        if self._pending:
            pending, self._pending = bytes(self._pending), bytearray()
            self._output.write(pending, is_last=is_last)
