"""A successful response: its body as it arrives, decoded, and the server-sent events in it."""

import zlib
from collections.abc import Iterable, Iterator
from typing import Final

from qwen_cli import json_text
from qwen_cli.answer.server_errors import error_in
from qwen_cli.connection import network_failures
from qwen_cli.connection.lean_httpx import httpx
from qwen_cli.errors import IncompleteAnswer, ProtocolError

MAX_BYTES: Final = 64 << 20
"""The largest response, or event of a stream: an endless one stops here."""

_MAX_PIECE: Final = 1 << 16
_GZIP_OR_ZLIB: Final = zlib.MAX_WBITS | 32
"""The value of `wbits` that recognises either format by its header."""


class Reply:
    """A successful response whose body is still arriving."""

    def __init__(self, response: httpx.Response, proxy: str | None) -> None:
        self._response = response
        self._proxy = proxy
        self._headers = response.headers
        self._has_ended = False

    def pieces(self) -> Iterator[bytes]:
        """The decoded body as it arrives."""
        try:
            yield from decoded(self._response.iter_raw(), self._headers.get("content-encoding", ""))
            self._has_ended = True
        except httpx.TransportError as error:
            raise network_failures.explain(error, self._proxy, self._response) from error

    def read(self) -> bytes:
        """The whole body; ProtocolError if it is larger than `MAX_BYTES`."""
        body = bytearray()
        for piece in self.pieces():
            body += piece
            if len(body) > MAX_BYTES:
                raise ProtocolError(f"the response is larger than {MAX_BYTES >> 20} MiB, the limit")
        return bytes(body)

    def events(self) -> Iterator[str]:
        """The data of each server-sent event, up to `[DONE]` or the end.

        IncompleteAnswer if it ends in the middle of an event: in a body without a length, a cut looks like the end.
        """
        content_type = self._headers.get("content-type", "").lower()
        if content_type and "text/event-stream" not in content_type:
            error = error_in(self.read(), "the response holds an error") if "json" in content_type else None
            message = f"the server answered a request to stream with {content_type}, not an event stream"
            raise error or ProtocolError(message)
        for data in read_events(self.pieces()):
            if data.strip() == "[DONE]":
                return
            if self._has_ended and not json_text.is_valid(data):
                raise IncompleteAnswer("the stream ended in the middle of an event")
            yield data


def decoded(pieces: Iterable[bytes], encodings: str) -> Iterator[bytes]:
    """Undo the `Content-Encoding` of a body, in pieces that stay small however much it was compressed."""
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


def read_events(pieces: Iterable[bytes]) -> Iterator[str]:
    """The data of each server-sent event in a body."""
    import httpx_sse

    undelivered = 0

    def bounded() -> Iterator[bytes]:
        nonlocal undelivered
        for piece in pieces:
            undelivered += len(piece)
            if undelivered > MAX_BYTES:
                raise ProtocolError(f"the stream contains an event larger than {MAX_BYTES >> 20} MiB")
            yield piece
        yield b"\n\n"  # the blank line at the end that some servers forget

    # utf-8-sig drops a byte order mark.
    headers = {"Content-Type": "text/event-stream; charset=utf-8-sig"}
    response = httpx.Response(200, headers=headers, content=bounded())
    for event in httpx_sse.EventSource(response).iter_sse():
        undelivered = 0
        if event.data:
            yield event.data
