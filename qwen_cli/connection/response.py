"""A response's body as it arrives, in whichever form it comes. No I/O of its own."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from qwen_cli import json_text
from qwen_cli.connection.server_sent_events import Event, is_event_stream, read_events
from qwen_cli.errors import IncompleteAnswer, ProtocolError

MAX_BYTES: Final = 64 << 20
"""The largest body that is kept: an endless one stops here."""

_BEFORE_CONTENT: Final = b" \t\r\n\xef\xbb\xbf"
"""White space and the byte order mark."""


_MAX_BEGINNING: Final = 1000
"""Pieces of a body in which it should have begun: an endless one may hold nothing but white space."""


class CutEvent(IncompleteAnswer):
    """The end of a body in the middle of an event."""


class Reply:
    """A successful response whose body is still arriving, or was kept."""

    def __init__(self, pieces: Iterable[bytes], content_type: str = "") -> None:
        self._pieces: Iterator[bytes] = self._until_end(pieces)
        self._content_type = content_type
        self._has_ended = False

    def _until_end(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        yield from pieces
        self._has_ended = True

    def pieces(self) -> Iterator[bytes]:
        """The body as it arrives."""
        return self._pieces

    def is_event_stream(self) -> bool:
        """Whether the body is an event stream, whatever was requested; waits for its beginning."""
        begun: list[bytes] = []
        beginning = b""
        for piece in self._pieces:
            begun.append(piece)
            beginning = (beginning + piece).lstrip(_BEFORE_CONTENT)
            if len(beginning) >= len(b"error:") or len(begun) >= _MAX_BEGINNING:
                break
        self._pieces = chain(begun, self._pieces)
        return is_event_stream(beginning, self._content_type)

    def read(self) -> bytes:
        """The whole body; ProtocolError if it is larger than `MAX_BYTES`."""
        body = bytearray()
        for piece in self._pieces:
            body += piece
            if len(body) > MAX_BYTES:
                raise too_large()
        return bytes(body)

    def events(self, pieces: Iterable[bytes]) -> Iterator[Event]:
        """Each event with data in the pieces of this body, up to `[DONE]` or the end.

        CutEvent if that is in the middle of one: in a body without a length, a cut looks like the end.
        """
        for event in read_events(pieces):
            if event.data.strip() == "[DONE]":
                return
            is_begun = self._has_ended and event.data.startswith(("{", "["))
            if is_begun and not json_text.is_json(event.data, strict=False):
                raise CutEvent("the stream ended in the middle of an event")
            yield event


def too_large() -> ProtocolError:
    return ProtocolError(f"the response is larger than {MAX_BYTES >> 20} MiB, the limit of what can be checked")
