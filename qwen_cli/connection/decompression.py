"""The `Content-Encoding` of a body, undone in pieces that stay small however much it was compressed. No I/O."""

import zlib
from collections.abc import Iterable, Iterator
from typing import Final

from qwen_cli.errors import ProtocolError

ENCODINGS: Final = "gzip, deflate"
"""What is accepted, as the header says it."""

_MAX_PIECE: Final = 1 << 16
_GZIP_OR_ZLIB: Final = zlib.MAX_WBITS | 32
"""The value of `wbits` that recognises either format by its header."""

_OTHERS: Final = ("br", "zstd", "compress", "x-compress", "dcb", "dcz")
"""Encodings that are not accepted; any other name, such as `utf-8`, is none."""


def decoded(pieces: Iterable[bytes], encodings: str) -> Iterator[bytes]:
    """The body before it was encoded; ProtocolError if that cannot be undone."""
    for encoding in reversed([name.strip().lower() for name in encodings.split(",")]):
        if encoding in ("gzip", "x-gzip", "deflate"):
            pieces = _inflated(pieces)
        elif encoding in _OTHERS:
            raise ProtocolError(f"the response is encoded as {encoding}, which was not requested")
    yield from pieces


def _wbits(beginning: bytes) -> int:
    """What zlib needs to know of the format: some servers send `deflate` without the header of zlib."""
    return _GZIP_OR_ZLIB if beginning[0] in _FIRST_BYTES else -zlib.MAX_WBITS


_FIRST_BYTES: Final = (0x1F, *range(0x08, 0x80, 0x10))
"""Of gzip and of zlib."""


def _inflated(pieces: Iterable[bytes]) -> Iterator[bytes]:
    inflater = None
    try:
        for piece in filter(None, pieces):
            inflater = inflater or zlib.decompressobj(_wbits(piece))
            while piece:
                if inflater.eof:  # gzip may have several members (RFC 1952, 2.2), and padding after the last one
                    piece = piece.lstrip(b"\0")  # noqa: PLW2901 -- what is left of it
                    inflater = zlib.decompressobj(_GZIP_OR_ZLIB) if piece else inflater
                    continue
                yield inflater.decompress(piece, _MAX_PIECE)
                piece = inflater.unconsumed_tail + inflater.unused_data  # noqa: PLW2901
    except zlib.error as error:
        raise ProtocolError("the response cannot be decompressed") from error
