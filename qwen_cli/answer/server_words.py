"""What a server says of a failure, in any of the shapes that are in use: its words, codes and request id. No I/O."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from qwen_cli import json_text
from qwen_cli.answer.members import plain_words


class Said(NamedTuple):
    """The server's own words, and what tells programs about the failure."""

    words: str
    codes: Sequence[str]
    """In small letters and digits alone, the most exact first."""
    status: int | None
    """An HTTP status that stands in it."""
    request_id: str | None


def said_by(body: bytes) -> Said:
    """What the body of an error says, be it JSON, a text or a page."""
    try:
        return said_in(json_text.loads(body, strict=False))
    except ValueError:
        return said_in(plain_words(body))


def said_in(payload: Any) -> Said:
    """What JSON says that is known to be an error."""
    try:
        words, layers = _words(payload), list(_layers(payload))
    except RecursionError:
        words, layers = "", []
    values = _members(layers, _CODES)
    codes = [letters_of(value) for value in values if isinstance(value, str)]
    if any("reasons" in layer for layer in layers):
        codes.append("contentfilter")  # a gateway's moderation, which has no code
    ids = (value for value in _members(layers, ("requestId", "request_id")) if isinstance(value, str))
    return Said(words, codes, next(filter(None, map(_status, values)), None), next(filter(None, ids), None))


def letters_of(text: str) -> str:
    """The text in small letters and digits alone, however its words are joined."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


def is_error(payload: Mapping[str, Any]) -> bool:
    """Whether a body or an event with the status 200 is, or holds, what can only be an error."""
    if payload.keys().isdisjoint(_OF_ERRORS):  # as in each chunk of a long stream
        return False
    errors = (payload.get(name) for name in ("error", "errors"))
    if any(any(error.values()) if isinstance(error, dict) else error for error in errors):
        return True
    if "message" in payload and _status(payload.get("statusCode")) is not None:
        return True
    return any(payload.get(name) for name in ("code", "error_code")) and has_words(payload)


def has_words(payload: Mapping[str, Any]) -> bool:
    """Whether it is no answer, but says something: an error if nothing follows, and otherwise perhaps a ping."""
    is_answer = payload.get("choices") or payload.get("usage")
    words = (payload.get(name) for name in _SAYING)
    return not is_answer and any(each and isinstance(each, str | list | dict) for each in words)


_SAYING = ("message", "msg", "detail", "error_msg", "base_resp")
_OF_ERRORS = frozenset(("error", "errors", "message", "code", "error_code"))

_CODES = ("statusCode", "status", "code", "type", "error_code", "error_type")
_WORDS = (
    *("message", "msg", "error", "errors", "detail", "details"),
    *("error_message", "error_msg", "error_description", "status_msg", "base_resp", "title"),
)


_WRAPPERS = ("error", "errors", "message", "detail", "details", "metadata", "raw")
"""Members within which the error itself may stand, as JSON or as JSON in a string."""


def _layers(payload: Any) -> Iterator[Mapping[str, Any]]:
    """The error itself, and then what it is wrapped in."""
    payload = _unquoted(payload)
    if isinstance(payload, dict):
        for name in _WRAPPERS:
            yield from _layers(payload.get(name))
        yield payload
    elif isinstance(payload, list):
        for each in payload:
            yield from _layers(each)


def _members(layers: Iterable[Mapping[str, Any]], names: Sequence[str]) -> list[Any]:
    return [layer[name] for layer in layers for name in names if name in layer]


def _unquoted(value: Any) -> Any:
    """The JSON that a server behind a gateway has sent, and the gateway put into a string; anything else as it is."""
    if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        with suppress(ValueError):
            return json_text.loads(value, strict=False)
    return value


def _status(value: Any) -> int | None:
    """An HTTP status given as a number or as its digits."""
    try:
        status = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return status if 400 <= status <= 599 else None  # noqa: PLR2004


def _words(payload: Any) -> str:
    payload = _unquoted(payload)
    if isinstance(payload, list):
        return "; ".join(filter(None, map(_quoted, payload)))
    if not isinstance(payload, dict):
        return payload.strip() if isinstance(payload, str) else ""
    words = next(filter(None, (_quoted(payload.get(name)) for name in _WORDS)), "")
    metadata = payload.get("metadata")
    raw = _quoted(metadata.get("raw")) if isinstance(metadata, dict) else ""
    return ": ".join(filter(None, (_field(payload, words), words, raw if raw not in words else "")))


def _field(payload: Mapping[str, Any], words: str) -> str:
    """The field of the request that it is about, if the words do not name it."""
    where = payload.get("loc") or payload.get("param") or ""
    name = ".".join(str(step) for step in where if step != "body") if isinstance(where, list) else where
    return name if words and isinstance(name, str) and name not in words else ""


def _quoted(item: Any) -> str:
    return _words(item) or (json_text.compact(item) if item else "")
