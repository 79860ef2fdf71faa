"""A table of comma-separated values (RFC 4180): its header, its records, and the same table with answers added."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from qwen_cli import json_text
from qwen_cli.errors import InvalidUsage, LocalError
from qwen_cli.map.items import Item
from qwen_cli.prompt.files import MAX_BYTES, decode_text
from qwen_cli.text import encode

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_FLAWS: Final[Mapping[str, str]] = {
    "unexpected end of data": "a quote is opened and never closed",
    "',' expected after '\"'": "a quoted value is followed by other text",
}
"""What the csv module says of a record, in plain words."""


class Record(NamedTuple):
    """A record as it came, with the line that it begins in, and what is wrong with it, if anything is."""

    line: int
    raw: bytes
    cells: Sequence[str]
    flaw: str | None = None


def read_records(lines: Iterable[bytes | None]) -> Iterator[Record]:
    """The records in some lines, each as soon as it has come; LocalError if a line is too long (None)."""
    taken: list[bytes] = []

    def decoded() -> Iterator[str]:
        mark = _BYTE_ORDER_MARK
        for line in lines:
            if line is None:
                raise LocalError(f"a line of the table is larger than {MAX_BYTES >> 20} MiB, the limit")
            taken.append(line.removeprefix(mark))
            yield taken[-1].decode(errors="surrogateescape")  # a record that is not UTF-8 fails alone
            mark = b""

    csv.field_size_limit(MAX_BYTES)
    records = csv.reader(decoded(), strict=True)
    number = 1
    while True:
        cells, flaw = [], None
        try:
            cells = next(records)
        except StopIteration:
            return
        except csv.Error as error:
            flaw = _FLAWS.get(str(error), "a carriage return, or more than the limit, is in one value")
        yield Record(number, b"".join(taken), cells, flaw)
        number += len(taken)
        taken.clear()


class Table:
    """The header of a table, by which its records are understood and written."""

    def __init__(self, records: Iterator[Record]) -> None:
        first = next(records, None)
        if first is None:
            raise LocalError("standard input is empty: a table begins with a header")
        if first.flaw:
            raise LocalError(f"the header of the table: {first.flaw}")
        if not any(name.strip() for name in first.cells):
            raise LocalError("the first line is blank: a table begins with a header")
        decode_text(first.raw, "the header of the table")
        self.head = first.raw
        self.columns = [name.strip() for name in first.cells]
        doubles = [name for name in self.columns if name and self.columns.count(name) > 1]
        if doubles:
            raise InvalidUsage(f"the table has two columns {doubles[0]!r}")
        self._line_end = "\r\n" if self.head.endswith(b"\r\n") else "\n"

    def require(self, names: Iterable[str]) -> None:
        """InvalidUsage if a placeholder names no column."""
        for name in names:
            if name and name not in self.columns:
                raise InvalidUsage(f"the table has no column {name!r}", advice=f"it has {', '.join(self.columns)}")

    def parse(self, number: int, record: Record) -> Item:
        """The record as an item, whose text is the record as a JSON object; LocalError if it is flawed."""
        where = f"(line {record.line})"
        if record.flaw:
            raise LocalError(f"{record.flaw} {where}")
        decode_text(record.raw, f"it {where}")
        if not any(cell.strip() for cell in record.cells):
            return Item(number, "")
        if len(record.cells) != len(self.columns):
            raise LocalError(f"its number of values is {len(record.cells)}, and of columns {len(self.columns)} {where}")
        members = {name: cell for name, cell in zip(self.columns, record.cells, strict=True) if name}
        return Item(number, json_text.compact(members), members)

    def with_columns(self, added: Sequence[str]) -> bytes:
        """The header with more columns; InvalidUsage if there is one of them already."""
        if there := next((name for name in added if name in self.columns), None):
            raise InvalidUsage(f"the table has a column {there!r} already", advice="rename it")
        return self._extended(self.head, added)

    def with_cells(self, record: Record, added: Sequence[str]) -> bytes:
        """The record as it came, with more cells; a blank line stays one."""
        return self._extended(record.raw, added) if record.raw.strip() else record.raw

    def _extended(self, raw: bytes, cells: Sequence[str]) -> bytes:
        more = "".join(f",{_quoted(cell)}" for cell in cells) + self._line_end
        return raw.removesuffix(b"\n").removesuffix(b"\r") + encode(more)


def _quoted(cell: str) -> str:
    """The cell as it has to be written (RFC 4180, section 2)."""
    return '"' + cell.replace('"', '""') + '"' if any(mark in cell for mark in ',"\r\n') else cell


def cells_of(value: object, columns: Sequence[str]) -> list[str]:
    """The properties of a JSON object that are named like the columns: texts as they are, anything else as JSON."""
    members = value if isinstance(value, dict) else {}
    found = (members.get(name, "") for name in columns)
    return [each if isinstance(each, str) else json_text.compact(each) for each in found]
