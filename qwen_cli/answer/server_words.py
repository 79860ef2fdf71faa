"""What a server says of a failure, in any of the shapes that are in use: its words, codes and request id. No I/O."""

import re
from collections.abc import Iterator, Mapping, Sequence
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
    values = [value for _, value in _members(payload, _CODES)]
    codes = [re.sub(r"[^a-z0-9]", "", value.lower()) for value in values if isinstance(value, str)]
    if any(isinstance(metadata, dict) and "reasons" in metadata for _, metadata in _members(payload, ("metadata",))):
        codes.append("contentfilter")  # a gateway's moderation, which has no code
    ids = (value for _, value in _members(payload, ("requestId", "request_id")) if isinstance(value, str))
    try:
        words = _words(payload)
    except RecursionError:
        words = ""
    return Said(words, codes, next(filter(None, map(_status, values)), None), next(filter(None, ids), None))


def is_error(payload: Mapping[str, Any]) -> bool:
    """Whether a body or an event with the status 200 is, or holds, an error."""
    if payload.keys().isdisjoint(_OF_ERRORS):  # as in each chunk of a long stream
        return False
    errors = (payload.get(name) for name in ("error", "errors"))
    if any(any(error.values()) if isinstance(error, dict) else error for error in errors):
        return True
    if "message" in payload and _status(payload.get("statusCode")) is not None:
        return True
    is_answer = payload.get("choices") or payload.get("usage")
    words = (payload.get(name) for name in _SAYING)
    return not is_answer and any(each and isinstance(each, str | list | dict) for each in words)


_SAYING = ("message", "msg", "detail", "error_msg", "base_resp")
_OF_ERRORS = frozenset(("error", "errors", *_SAYING))

_CODES = ("statusCode", "status", "code", "type", "error_code", "error_type")
_WORDS = (
    *("message", "msg", "error", "errors", "detail", "details"),
    *("error_message", "error_msg", "error_description", "status_msg", "base_resp", "title"),
)


def _members(payload: Any, names: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """The members of these names, of the error itself, and then of what it is wrapped in."""
    inner = payload.get("error") if isinstance(payload, dict) else None
    for holder in (inner, payload):
        if isinstance(holder, dict):
            yield from ((name, holder[name]) for name in names if name in holder)


def _status(value: Any) -> int | None:
    """An HTTP status given as a number or as its digits."""
    try:
        status = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return status if 400 <= status <= 599 else None  # noqa: PLR2004


def _words(payload: Any) -> str:
    if isinstance(payload, list):
        return "; ".join(filter(None, map(_quoted, payload)))
    if not isinstance(payload, dict):
        return payload.strip() if isinstance(payload, str) else ""
    words = next(filter(None, (_quoted(payload.get(name)) for name in _WORDS)), "")
    metadata = payload.get("metadata")
    raw = _raw(metadata.get("raw")) if isinstance(metadata, dict) else ""
    return ": ".join(filter(None, (_field(payload, words), words, raw if raw not in words else "")))


def _field(payload: Mapping[str, Any], words: str) -> str:
    """The field of the request that it is about, if the words do not name it."""
    where = payload.get("loc") or payload.get("param") or ""
    name = ".".join(str(step) for step in where if step != "body") if isinstance(where, list) else where
    return name if words and isinstance(name, str) and name not in words else ""


def _raw(raw: Any) -> str:
    """The words of the server behind a gateway, which may be JSON within a string."""
    if isinstance(raw, str) and raw.lstrip().startswith(("{", "[")):
        try:
            return _quoted(json_text.loads(raw, strict=False))
        except ValueError:
            return raw
    return _quoted(raw)


def _quoted(item: Any) -> str:
    return _words(item) or (json_text.compact(item) if item else "")
