"""Files, read whole, within a limit, as bytes, as UTF-8 text or as JSON."""

import os
import select
from typing import Any

from qwen_cli import json_text
from qwen_cli.errors import LocalError

MAX_BYTES = 64 << 20
"""The largest file or standard input that is read: far more than the model can take, less than the memory."""


def read_file(path: str) -> bytes:
    """The file's bytes; LocalError when it cannot be read or is larger than `MAX_BYTES`."""
    try:
        with open(path, "rb", buffering=0) as file:
            return read_all(file.fileno(), path)
    except OSError as error:
        raise LocalError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise LocalError(f"cannot read {path}: this is not a file name") from error


def read_piece(descriptor: int, max_bytes: int) -> bytes:
    """Wait until something has come, or the end (which is empty), and read it."""
    while True:
        try:
            return os.read(descriptor, max_bytes)
        except BlockingIOError:  # a pipe that another process made non-blocking
            select.select([descriptor], [], [])


def read_all(descriptor: int, name: str) -> bytes:
    """All that comes from a descriptor; LocalError if it is more than `MAX_BYTES`."""
    data = bytearray()
    while piece := read_piece(descriptor, 1 << 20):
        data += piece
        if len(data) > MAX_BYTES:
            raise LocalError(f"{name} is larger than {MAX_BYTES >> 20} MiB, the limit")
    return bytes(data)


def read_text(path: str) -> str:
    """The file's text, as it is."""
    return decode_text(read_file(path), path, path=path)


def read_part(path: str) -> str:
    """A part of a message: the file's text without its final newline."""
    return read_text(path).removesuffix("\n")


def decode_text(data: bytes, name: str, *, path: str | None = None) -> str:
    """UTF-8 text without NUL; LocalError names the byte offset of what is neither, and what would convert it."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise LocalError(
            f"{name} is not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}",
            advice=_conversion(data, path),
        ) from None
    if "\0" in text:
        raise LocalError(f"{name} contains a NUL byte at offset {data.index(0)}: it is not text")
    return text


def _conversion(data: bytes, path: str | None) -> str:
    """The command that makes UTF-8 of the text in a file, or of a text that comes through a pipe."""
    import shlex

    encoding = "UTF-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "WINDOWS-1252"
    if path is None:
        return f"pipe it through 'iconv -f {encoding} -t UTF-8', if that is its encoding"
    return f"'iconv -f {encoding} -t UTF-8 {shlex.quote(path)}' converts it, if that is its encoding"


def load_json(text: str) -> Any:
    """Strict JSON without a lone surrogate or a number beyond a double; ValueError in one line otherwise."""
    value = json_text.loads(text)
    if not json_text.is_finite(value):
        raise ValueError("it contains a number that is too large")
    try:
        json_text.compact(value).encode()
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
