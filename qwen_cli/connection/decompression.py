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


def decoded(pieces: Iterable[bytes], encodings: str) -> Iterator[bytes]:
    """The body before it was encoded; ProtocolError if that cannot be undone."""
    for encoding in reversed([name.strip().lower() for name in encodings.split(",")]):
        if encoding in ("gzip", "x-gzip", "deflate"):
            pieces = _inflated(pieces)
        elif encoding not in ("", "identity"):
            raise ProtocolError(f"the response is encoded as {encoding}, which was not requested")
    yield from pieces


def _inflated(pieces: Iterable[bytes]) -> Iterator[bytes]:
    inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        for piece in pieces:
            while piece:
                if inflater.eof:  # gzip may have several members (RFC 1952, 2.2), and padding after the last one
                    piece = piece.lstrip(b"\0")  # noqa: PLW2901 -- what is left of it
                    inflater = zlib.decompressobj(_GZIP_OR_ZLIB) if piece else inflater
                    continue
                yield inflater.decompress(piece, _MAX_PIECE)
                piece = inflater.unconsumed_tail + inflater.unused_data  # noqa: PLW2901
    except zlib.error as error:
        raise ProtocolError("the response cannot be decompressed") from error
