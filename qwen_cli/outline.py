"""The outline of a JSON document, taken while its bytes pass by: enough to judge a response of any size.

Strings of more than `LONG` bytes are replaced and what is nested deeper than `DEEP` is left out, so that a response
of 50 MB, be it one long content or an array of log probabilities, leaves an outline of a few kilobytes.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from qwen_cli.errors import ProtocolError

LONG: Final = 1 << 20
DEEP: Final = 5
"""Containers: body, choices, choice, message, tool_calls; nothing below is needed for the verdict."""

_MOST: Final = 16 << 20

_STRUCTURE = re.compile(rb'["{}\[\]]')
_REST_OF_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_CUT = b"(cut)"


class Outline:
    """Feed it the document in any pieces; `document` is what is left of it."""

    def __init__(self) -> None:
        self.has_cut = False
        self._kept = bytearray()
        self._depth = 0
        self._string: bytearray | None = None
        self._carried = b""

    def feed(self, data: bytes) -> None:
        data, self._carried = self._carried + data, b""
        position = 0
        while position < len(data):
            position = self._structure(data, position) if self._string is None else self._rest_of_string(data, position)
        if len(self._kept) > _MOST:
            raise ProtocolError(f"the response is too large to be judged: its outline exceeds {_MOST >> 20} MiB")

    def watch(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Pass the pieces on, having looked at each once it was taken."""
        for piece in pieces:
            yield piece
            self.feed(piece)

    @property
    def document(self) -> bytes:
        return bytes(self._kept)

    def _structure(self, data: bytes, position: int) -> int:
        found = _STRUCTURE.search(data, position)
        if found is None:
            self._keep(data[position:])
            return len(data)
        self._keep(data[position : found.start()])
        mark = found[0]
        if mark in b"}]":
            self._depth -= 1
        if mark == b'"':
            self._string = bytearray()
        elif self._depth <= DEEP:
            self._kept += mark
        if mark in b"{[":
            self._depth += 1
        return found.end()

    def _keep(self, data: bytes) -> None:
        if self._depth <= DEEP:
            self._kept += data

    def _rest_of_string(self, data: bytes, position: int) -> int:
        assert self._string is not None
        found = _REST_OF_STRING.match(data, position)
        assert found is not None
        end = found.end()
        if self._depth <= DEEP and len(self._string) <= LONG:
            self._string += data[position:end]
        if end == len(data):
            return end
        if data[end : end + 1] == b"\\":  # half an escape: the other half comes with the next piece
            self._carried = data[end:]
            return len(data)
        is_long = len(self._string) > LONG
        self.has_cut = self.has_cut or is_long
        self._keep(b'"%b"' % (_CUT if is_long else bytes(self._string)))
        self._string = None
        return end + 1
