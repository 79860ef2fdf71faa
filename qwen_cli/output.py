"""Standard output, standard error, `-o` and the terminal: everything that the program writes."""

import codecs
import os
import re
import signal
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from qwen_cli import signals
from qwen_cli.errors import Killed, LocalError, QwenError

STDOUT: Final = 1
STDERR: Final = 2

# Control characters but newline and tab, C1, and what reorders text on a bidirectional terminal.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_BREAKS = re.compile("[\t\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]+")
_OWN_DESCRIPTOR = r"(?:/dev|/proc/self)/fd/(\d+)"


def visible(text: str) -> str:
    """The text with control characters spelled out, so that a terminal shows them instead of obeying."""
    return _CONTROLS.sub(_spell, text)


def _spell(control: re.Match[str]) -> str:
    code = ord(control[0])
    return f"\\u{code:04x}" if code > 0xFF else f"\\x{code:02x}"  # noqa: PLR2004


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
        _write_all(STDERR, f"qwen-cli: {one_line(message, most=4000)}\n".encode(errors="backslashreplace"))


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:  # a pipe that another process made non-blocking
            import select

            select.select([], [descriptor], [])


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


def is_terminal(descriptor: int) -> bool:
    stream = {STDOUT: sys.stdout, STDERR: sys.stderr}[descriptor]
    return stream is not None and os.isatty(descriptor)


class Output:
    """Where a result goes. Used as a context: what was written counts only after `commit`.

    Leaving the context without `commit` discards a file's new content; what went to a stream has gone.
    """

    def __init__(self, name: str, descriptor: int) -> None:
        self.name = name
        self.terminal = descriptor == STDOUT and is_terminal(STDOUT)
        self._descriptor = descriptor

    def __enter__(self) -> "Output":
        return self

    def __exit__(self, *_: object) -> None:
        """A stream has nothing to discard."""

    def write(self, data: bytes) -> None:
        if self._descriptor == STDOUT and sys.stdout is None:
            raise LocalError("standard output is closed")
        try:
            _write_all(self._descriptor, data)
        except BrokenPipeError:
            raise Killed(signal.SIGPIPE) from None
        except OSError as error:
            raise LocalError(f"cannot write to {self.name}: {error.strerror}") from error

    def commit(self) -> None:
        """Make what was written the result."""

    def divert(self) -> None:
        """Send what was written to standard output instead of making it the result."""


class FileOutput(Output):
    """A file that is written beside its target and renamed over it."""

    def __init__(self, target: str) -> None:
        import tempfile

        path = os.path.realpath(target)
        try:
            mode = _mode_of(path)
            descriptor, self._temporary = tempfile.mkstemp(".tmp", ".qwen-cli-", os.path.dirname(path))
        except OSError as error:
            raise LocalError(f"cannot write {target}: {error.strerror}") from error
        super().__init__(target, descriptor)
        self._path = path
        self._mode = mode

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)
        if self._temporary:
            with suppress(FileNotFoundError):
                os.unlink(self._temporary)

    def commit(self) -> None:
        try:
            os.fchmod(self._descriptor, self._mode)
            os.fsync(self._descriptor)
            os.replace(self._temporary, self._path)
        except OSError as error:
            raise LocalError(f"cannot write {self.name}: {error.strerror}") from error
        self._temporary = ""

    def divert(self) -> None:
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        raw = RawOutput(standard_output())
        while piece := os.read(self._descriptor, 1 << 16):
            raw.write(piece)


def _mode_of(path: str) -> int:
    """Mode bits of the file at that path, or those that a new file gets; OSError where it cannot be replaced."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        umask = os.umask(0)
        os.umask(umask)
        return 0o666 & ~umask
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(21, "Is a directory")
    if not os.access(path, os.W_OK):
        raise PermissionError(13, "Permission denied")
    return stat.S_IMODE(found.st_mode)


def standard_output() -> Output:
    return Output("standard output", STDOUT)


@contextmanager
def open_output(target: str | None) -> Iterator[Output]:
    """Open `-o TARGET`, or standard output; devices and descriptors are written directly.

    The result counts when the block succeeds. When it fails after a part of an answer was written,
    that part is sent to standard output instead, and the target stands as it was.
    """
    if target is None:
        yield standard_output()
        return
    with signals.unwinding(), _open(target) as output:
        try:
            yield output
        except LocalError:
            raise
        except QwenError:
            output.divert()
            raise
        output.commit()


def _open(target: str) -> Output:
    if target in ("-", "/dev/stdout"):
        return standard_output()
    if target == "/dev/stderr":
        return Output(target, STDERR)
    try:
        if own := re.fullmatch(_OWN_DESCRIPTOR, target):
            return Output(target, os.dup(int(own[1])))
        if os.path.exists(target) and not stat.S_ISREG(os.stat(target).st_mode) and not os.path.isdir(target):
            return Output(target, os.open(target, os.O_WRONLY))
    except OSError as error:
        raise LocalError(f"cannot write {target}: {error.strerror}") from error
    return FileOutput(target)


class RawOutput:
    """Bytes passed through as they are, but for what a terminal would obey."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace") if output.terminal else None

    def write(self, data: bytes) -> None:
        self._output.write(data if self._decoder is None else visible(self._decoder.decode(data)).encode())


class TextOutput:
    """Text on its way to an `Output`: UTF-8, made visible on a terminal, ended by exactly one newline."""

    def __init__(self, output: Output, *, end_line: bool) -> None:
        self._output = output
        self._end_line = end_line
        self._held = ""  # trailing newlines, or the first half of a surrogate pair
        self._midline = False

    def write(self, text: str) -> None:
        text = self._held + text
        kept = text.rstrip("\n") if self._end_line else text
        if kept and "\ud800" <= kept[-1] <= "\udbff":
            kept = kept[:-1]
        self._held = text[len(kept) :]
        if kept:
            self._send(kept)
            self._midline = True

    def line(self, text: str) -> None:
        """Write a line of its own."""
        self.end()
        self._send(text + "\n")

    def end(self) -> None:
        """Write what was held back, and the one newline."""
        held, self._held = self._held, ""
        if self._end_line:
            # Held newlines collapse into one; a held half of a pair has lost its other half.
            held = held.rstrip("\n")
            if self._midline or held:
                self._send(held + "\n")
        elif held:
            self._send(held)
        self._midline = False

    def _send(self, text: str) -> None:
        self._output.write(encode(visible(text) if self._output.terminal else text))


def encode(text: str) -> bytes:
    """UTF-8, with U+FFFD for a lone surrogate."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


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
            _write_all(STDERR, encode(text))
