"""Standard input -> items, read as they come."""

import os
import stat
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from qwen_cli import json_text
from qwen_cli.errors import LocalError
from qwen_cli.prompt.files import MAX_BYTES, decode_text, load_json_from, read_piece

_BLOCK: Final = 1 << 16


class Item(NamedTuple):
    """One of many prompts. `number` counts from 1; `members` are those of a JSON object, or the cells of a record."""

    number: int
    text: str
    members: dict[str, Any] | None = None

    @property
    def is_blank(self) -> bool:
        return not self.text.strip()

    def value(self, name: str) -> str:
        """The text for a placeholder: the whole item, or that member; LocalError if there is no such member."""
        if not name:
            return self.text
        if self.members is None or name not in self.members:
            raise LocalError(f"it has no member {name!r}")
        value = self.members[name]
        return value if isinstance(value, str) else json_text.compact(value)


def parse_line(number: int, data: bytes | None) -> Item:
    """Parse a line, which may end with a newline or with a carriage return and a newline.

    LocalError if it is too long (None) or not text.
    """
    return _parse(number, data and data.removesuffix(b"\n").removesuffix(b"\r"))


def parse_nul_ended(number: int, data: bytes | None) -> Item:
    """The same for an item that ends with NUL, of which nothing else is dropped."""
    return _parse(number, data and data.removesuffix(b"\0"))


def _parse(number: int, data: bytes | None) -> Item:
    if data is None:
        raise LocalError(f"it is larger than {MAX_BYTES >> 20} MiB, the limit")
    return Item(number, decode_text(data, "it"))


def with_members(item: Item) -> Item:
    """The item as the JSON object that it is, unless it is blank; LocalError if it is none."""
    if item.is_blank:
        return item
    members = load_json_from("it", item.text)
    if not isinstance(members, dict):
        raise LocalError("it is not a JSON object")
    return item._replace(members=members)


def split(blocks: Iterable[bytes], separator: bytes) -> Iterator[bytes | None]:
    """Each item as soon as it has arrived, with its separator, which may be missing after the last one.

    None stands for an item larger than `MAX_BYTES`.
    """
    pieces: list[bytes] = []
    size = 0
    for block in blocks:
        *ends, start = block.split(separator)
        for end in ends:
            size += len(end)
            yield b"".join([*pieces, end, separator]) if size <= MAX_BYTES else None
            pieces, size = [], 0
        size += len(start)
        if size <= MAX_BYTES:
            pieces.append(start)
        else:
            pieces = []  # skip the rest of it
    if size:
        yield b"".join(pieces) if size <= MAX_BYTES else None


def read_blocks(descriptor: int) -> Iterator[bytes]:
    """What comes from a descriptor, as it comes; LocalError if it cannot be read."""
    try:
        while block := read_piece(descriptor, _BLOCK):
            yield block
    except OSError as error:
        raise LocalError(f"cannot read standard input: {error.strerror}") from error


def blocks_ahead(descriptor: int) -> Iterator[bytes] | None:
    """What is left to read of a regular file, without reading it; None for anything else, which is there only once."""
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        position = os.lseek(descriptor, 0, os.SEEK_CUR)
    except OSError:
        return None
    return _read_ahead(descriptor, position)


def _read_ahead(descriptor: int, position: int) -> Iterator[bytes]:
    while block := os.pread(descriptor, 1 << 20, position):
        yield block
        position += len(block)


def count(blocks: Iterable[bytes], separator: bytes) -> int:
    """How many items they hold."""
    number, last = 0, separator
    for block in blocks:
        number += block.count(separator)
        last = block[-1:]
    return number + (last != separator)
