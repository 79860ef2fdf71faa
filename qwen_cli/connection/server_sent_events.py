"""A body -> the server-sent events in it. No I/O."""

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from qwen_cli.connection.lean_httpx import httpx
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

    def bounded() -> Iterator[bytes]:
        nonlocal undelivered
        for piece in _with_error_events(pieces):
            undelivered += len(piece)
            if undelivered > MAX_EVENT_BYTES:
                raise ProtocolError(f"the stream contains an event larger than {MAX_EVENT_BYTES >> 20} MiB")
            yield piece
        yield b"\n\n"  # the blank line at the end that some servers forget

    # utf-8-sig drops a byte order mark.
    headers = {"Content-Type": "text/event-stream; charset=utf-8-sig"}
    response = httpx.Response(200, headers=headers, content=bounded())
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
