"""Files and standard input, read whole, within a limit, as UTF-8 text."""

import json
import os
import select
import stat
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from qwen_cli import json_text
from qwen_cli.errors import InvalidUsage, LocalError

MAX_BYTES = 64 << 20
"""The largest file or standard input that is read: far more than the model can take, less than the memory."""

_READ_ONCE = "standard input can be read only once"

PATIENCE = 3.0
"""Seconds of silence on standard input before a note says what is awaited."""


def read_file(path: str) -> bytes:
    """The file's bytes; LocalError when it cannot be read or is larger than `MAX_BYTES`."""
    try:
        with open(path, "rb", buffering=0) as file:
            return _read_all(file.fileno(), path)
    except (OSError, ValueError) as error:
        raise LocalError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error


def read_piece(descriptor: int, max_bytes: int) -> bytes:
    """Wait until something has come, or the end (which is empty), and read it."""
    while True:
        try:
            return os.read(descriptor, max_bytes)
        except BlockingIOError:  # a pipe that another process made non-blocking
            select.select([descriptor], [], [])


def _read_all(descriptor: int, name: str) -> bytes:
    data = bytearray()
    while piece := read_piece(descriptor, 1 << 20):
        data += piece
        if len(data) > MAX_BYTES:
            raise LocalError(f"{name} is larger than {MAX_BYTES >> 20} MiB, the limit")
    return bytes(data)


def read_text(path: str) -> str:
    """The file's text, as it is."""
    return decode_text(read_file(path), path)


def decode_text(data: bytes, name: str) -> str:
    """UTF-8 text without NUL; LocalError names the byte offset of what is neither."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise LocalError(
            f"{name} is not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}",
            advice="convert it, with iconv for instance",
        ) from None
    if "\0" in text:
        raise LocalError(f"{name} contains a NUL byte at offset {data.index(0)}: it is not text")
    return text


def load_json(text: str) -> Any:
    """Strict JSON without a lone surrogate or a number beyond a double; ValueError in one line otherwise."""
    value = json_text.loads(text)
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        raise ValueError("it contains a lone surrogate") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return value


def load_json_file(path: str) -> Any:
    """The JSON of a file; LocalError when it cannot be read or understood."""
    return load_json_from(path, read_text(path))


def load_json_from(name: str, text: str) -> Any:
    """The JSON that came from a file or from standard input; LocalError when it cannot be understood."""
    try:
        return load_json(text.removeprefix("\ufeff"))
    except ValueError as error:
        raise LocalError(f"{name} is not JSON: {error}") from None


class Awaited(NamedTuple):
    """An option's value that is still to be read from standard input (`@-`)."""

    flag: str
    parse: Callable[[str], Any]
    """Turns the text into the value, or raises what is wrong with it."""


class StandardInput:
    """Standard input, which can be read once."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self._read = False
        self._reader: str | None = None

    def claim(self, reader: str) -> None:
        """Reserve it for a reader (a flag, or `-`); InvalidUsage if it has one."""
        if self._reader == reader:
            raise InvalidUsage(_READ_ONCE)
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

    def read(self) -> str:
        """All of it as text, without its final newline; waits for as long as it takes."""
        return decode_text(self.read_bytes(), "standard input").removesuffix("\n")

    def read_bytes(self) -> bytes:
        """All of it as it is; waits for as long as it takes."""
        if self._read:
            raise InvalidUsage(_READ_ONCE)
        self._read = True
        if sys.stdin is None:
            return b""
        try:
            if os.isatty(0):
                self._note("reading standard input from the terminal; end it with Control-D")
            elif not select.select([0], [], [], PATIENCE)[0]:
                self._note("waiting for standard input (use -n to ignore it)")
            return _read_all(0, "standard input")
        except OSError as error:
            raise LocalError(f"cannot read standard input: {error.strerror}") from error

    def note_emptiness(self) -> None:
        """Note that nothing arrived, though other parts of the prompt were given."""
        self._note("standard input is empty (use -n to ignore it)")
