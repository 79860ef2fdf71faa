"""A body -> the server-sent events in it. No I/O."""

import codecs
import re
from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any, Final, NamedTuple

from qwen_cli.errors import ProtocolError

MAX_EVENT_BYTES: Final = 64 << 20
"""The largest event: an endless one stops here."""

_FIELDS: Final = (b":", b"data:", b"event:", b"id:", b"retry:", b"error:")
"""What the first line of an event stream begins with."""


class Event(NamedTuple):
    """The type of an event, often empty, and its data."""

    type: str
    data: str


def is_event_stream(beginning: bytes, content_type: str) -> bool:
    """Whether a body is one: its beginning decides, and the content type only where that says nothing."""
    if beginning.startswith((b"{", b"[", b"<")):
        return False
    return beginning.startswith(_FIELDS) or "text/event-stream" in content_type.lower()


def read_events(pieces: Iterable[bytes]) -> Iterator[Event]:
    """Each event that has data."""
    import httpx_sse

    undelivered = 0

    def texts() -> Iterator[str]:
        nonlocal undelivered
        decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")  # which drops a byte order mark
        for piece in _with_error_events(pieces):
            undelivered += len(piece)
            if undelivered > MAX_EVENT_BYTES:
                raise ProtocolError(f"the stream contains an event larger than {MAX_EVENT_BYTES >> 20} MiB")
            if text := decoder.decode(piece):
                yield text
        yield decoder.decode(b"", final=True) + "\n\n"  # the blank line at the end that some servers forget

    # All that httpx-sse needs of a response; that of httpx would hand each piece through four generators.
    response: Any = SimpleNamespace(headers={"content-type": "text/event-stream"}, iter_text=texts)
    for event in httpx_sse.EventSource(response).iter_sse():
        undelivered = 0
        if event.data:
            yield Event(event.event, event.data)


_ERROR_LINE: Final = b"error:"
_ERROR_LINES: Final = re.compile(rb"(?<=[\r\n])error:")
_ERROR_EVENT: Final = b"event: error\ndata:"


def _with_error_events(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The body with each line `error: …`, which is no field of the format, as an event of that type."""
    begins_line, held = True, b""
    for piece in filter(None, pieces):
        if not held and piece.endswith(b"\n") and _ERROR_LINE not in piece:  # as nearly all are
            begins_line = True
            yield piece
            continue
        data = held + piece
        if _ERROR_LINE in data:
            before = b"\n" if begins_line else b" "
            data = _ERROR_LINES.sub(_ERROR_EVENT, before + data)[1:]
        start = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        begins_line = begins_line if not start else True
        last_line = data[start:]
        held = last_line if begins_line and last_line and _ERROR_LINE.startswith(last_line) else b""
        begins_line = begins_line and last_line == held
        if len(data) > len(held):
            yield data[: len(data) - len(held)]
    yield held
