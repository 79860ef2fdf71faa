"""Where results go: standard output, or the file of `-o`, which only a complete result replaces."""

import codecs
import errno
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from qwen_cli import signals
from qwen_cli.errors import Killed, LocalError, QwenError
from qwen_cli.output.file_replacement import AtomicFile
from qwen_cli.output.terminal import STDERR, STDOUT, encode, screen, visible

ATOMIC: Final = 4096
"""Bytes that Linux writes to a pipe atomically: a result up to that size is one write, its newline included."""

_MAX_UNWRITTEN: Final = 64 << 20
"""Bytes that are kept in memory when the disk is full: an endless answer stops here."""

_SPACE: Final = b" \t\r\n"
_OWN_DESCRIPTOR = r"(?:/dev|/proc/self)/fd/(\d+)"


class Output:
    """Where a result goes. Used as a context: without `commit`, a file keeps its old content.

    What was written to a stream cannot be taken back.
    """

    def __init__(self, name: str, descriptor: int) -> None:
        self.name = name
        self.terminal = os.isatty(descriptor)
        self._descriptor = descriptor

    def __enter__(self) -> "Output":
        return self

    def __exit__(self, *_: object) -> None:
        """A stream has nothing to discard."""

    def write(self, data: bytes) -> None:
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


class FileOutput(Output):
    """A file that only a complete result replaces."""

    def __init__(self, target: str) -> None:
        self._file = AtomicFile(target)
        super().__init__(target, self._file.descriptor)
        self._size = 0
        self._unwritten = bytearray()
        """Everything from the write on that failed, as on a full disk: the rest of a paid answer is still received."""
        self._failure: LocalError | None = None

    def __exit__(self, *_: object) -> None:
        self._file.discard()

    def write(self, data: bytes) -> None:
        if self._failure is None:
            try:
                super().write(data)
            except LocalError as error:
                os.ftruncate(self._descriptor, self._size)
                self._failure = error
            else:
                self._size += len(data)
                return
        self._unwritten += data
        if len(self._unwritten) > _MAX_UNWRITTEN:
            raise self._failure

    def commit(self) -> None:
        if self._failure is not None:
            raise self._failure
        self._file.commit()

    def divert(self) -> None:
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        raw = RawOutput(standard_output())
        while piece := os.read(self._descriptor, 1 << 16):
            raw.write(piece)
        raw.write(bytes(self._unwritten))
        raw.end()


def standard_output() -> Output:
    return Output("standard output", STDOUT)


@contextmanager
def open_output(target: str | None) -> Iterator[Output]:
    """Open `-o TARGET`, or standard output; devices and descriptors are written directly.

    The result counts when the block succeeds. When it fails, or the target cannot be replaced after all, what was
    written goes to standard output instead, and the target stands as it was.
    """
    if target is None:
        with signals.dying_with_reader(STDOUT):
            yield standard_output()
        return
    with open_target(target) as output:
        try:
            yield output
            output.commit()
        except QwenError:
            output.divert()
            raise


@contextmanager
def saving(target: str | None) -> Iterator[Callable[[bytes], None] | None]:
    """A function for documents, one per line. If there are any, they replace the file, even after a failure.

    If one cannot be written, that is raised at the end, when its answer has been printed.
    """
    if target is None:
        yield None
        return
    with open_target(target) as output:
        is_empty = True
        failure: LocalError | None = None

        def save(document: bytes) -> None:
            nonlocal is_empty, failure
            is_empty = False
            if failure is None:
                try:
                    output.write(document.rstrip(_SPACE) + b"\n")
                except LocalError as error:
                    failure = error

        try:
            yield save
        finally:
            if failure is not None:
                raise failure
            if not is_empty:
                output.commit()


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


class RawOutput:
    """Bytes passed through as they are; on a terminal, `escape` makes control characters visible."""

    def __init__(self, output: Output, *, escape: Callable[[str], str] = visible) -> None:
        self._output = output
        self._escape = escape
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace") if output.terminal else None
        self._held = b""

    def write(self, data: bytes) -> None:
        """Pass it on, except for what may be the end: a short result is one write, white space may be cut."""
        data = self._held + data
        kept = data.rstrip(_SPACE) if len(data) > ATOMIC else b""
        if len(data) - len(kept) > ATOMIC:
            kept = data
        self._held = data[len(kept) :]
        self._send(kept)

    def end(self) -> None:
        """Pass on what is held back."""
        held, self._held = self._held, b""
        self._send(held)

    def end_line(self) -> None:
        """Pass on what is held back, and end with one newline."""
        self._held = self._held.rstrip(_SPACE) + b"\n"
        self.end()

    def _send(self, data: bytes) -> None:
        if data:
            self._output.write(data if self._decoder is None else self._escape(self._decoder.decode(data)).encode())


class TextOutput:
    """Text for an `Output`: as UTF-8, control characters escaped on a terminal, ended by exactly one newline."""

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

    def flush(self) -> None:
        """Write what is pending; before that, up to `ATOMIC` bytes are kept, so that a short result is one write."""
        if self._pending:
            pending, self._pending = bytes(self._pending), bytearray()
            self._output.write(pending)
