"""Standard input -> items, read as they come."""

import os
import select
import stat
from collections import deque
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from qwen_cli.api import json_text
from qwen_cli.errors import LocalError
from qwen_cli.request.inputs import MAX_BYTES, decode_text, load_json

_BLOCK: Final = 1 << 16


class Item(NamedTuple):
    """One of many prompts. `number` counts from 1; `members` is the object of a line of `--jsonl`."""

    number: int
    text: str
    members: dict[str, Any] | None = None

    @property
    def is_blank(self) -> bool:
        return not self.text.strip()

    def value(self, name: str) -> str:
        """What a placeholder stands for: the whole item, or that member as text; LocalError where there is none."""
        if not name:
            return self.text
        if self.members is None or name not in self.members:
            raise LocalError(f"it has no member {name!r}")
        value = self.members[name]
        return value if isinstance(value, str) else json_text.encode(value).decode()


def parse_item(number: int, data: bytes | None, *, jsonl: bool) -> Item:
    """Understand what was read; LocalError where it is too long (None), no text, or not the object it should be."""
    if data is None:
        raise LocalError(f"it is larger than {MAX_BYTES >> 20} MiB, the limit")
    text = decode_text(data, "it")
    item = Item(number, text)
    if not jsonl or item.is_blank:
        return item
    try:
        members = load_json(text.removeprefix("\ufeff"))
    except ValueError as error:
        raise LocalError(f"it is not JSON: {error}") from None
    if not isinstance(members, dict):
        raise LocalError("it is not a JSON object")
    return Item(number, text, members)


class Source:
    """The items of a descriptor, each ended by a separator, the last one perhaps by the end of input."""

    def __init__(self, descriptor: int, separator: bytes) -> None:
        self._descriptor = descriptor
        self._separator = separator
        self._items = self._read_items()
        self._number = 0

    def read(self) -> tuple[int, bytes | None] | None:
        """The next item's number and bytes (None for one beyond `MAX_BYTES`); None at the end. Waits for input."""
        data = next(self._items, _END)
        if data is _END:
            return None
        self._number += 1
        assert not isinstance(data, _End)
        return self._number, data

    def count(self) -> int | None:
        """How many items a regular file holds from where it stands; None for what can't be read twice."""
        try:
            state = os.fstat(self._descriptor)
            if not stat.S_ISREG(state.st_mode):
                return None
            position = os.lseek(self._descriptor, 0, os.SEEK_CUR)
            count, last = 0, self._separator
            while block := os.pread(self._descriptor, 1 << 20, position):
                count += block.count(self._separator)
                last = block[-1:]
                position += len(block)
        except OSError:
            return None
        return count + (last != self._separator)

    def _read_items(self) -> Iterator[bytes | None]:
        pieces: list[bytes] = []
        size = 0
        while block := self._read_block():
            lines = deque(block.split(self._separator))
            while len(lines) > 1:
                size += len(lines[0])
                pieces.append(lines.popleft())
                yield b"".join(pieces) if size <= MAX_BYTES else None
                pieces, size = [], 0
            size += len(lines[0])
            if size <= MAX_BYTES:
                pieces.append(lines[0])
            else:
                pieces = []  # only its end is still looked for
        if size:
            yield b"".join(pieces) if size <= MAX_BYTES else None

    def _read_block(self) -> bytes:
        while True:
            try:
                return os.read(self._descriptor, _BLOCK)
            except BlockingIOError:  # a pipe that another process made non-blocking
                select.select([self._descriptor], [], [])
            except OSError as error:
                raise LocalError(f"cannot read standard input: {error.strerror}") from error


class _End:
    """What follows the last item."""


_END: Final = _End()
