"""Errors in the words of a server, in any of their shapes -> one error with its exit status. No I/O."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from qwen_cli import json_text
from qwen_cli.answer.members import plain_words
from qwen_cli.errors import (
    CredentialsError,
    IncompleteAnswer,
    ProtocolError,
    QwenError,
    RefusedError,
    ServiceError,
)

# The names of http.HTTPStatus, whose package is more than summing up saved responses needs.
_BAD_REQUEST, UNAUTHORIZED, _PAYMENT_REQUIRED, _FORBIDDEN, NOT_FOUND = range(400, 405)
_UNPROCESSABLE, _INTERNAL = 422, 500
_REQUEST_TIMEOUT, _CONTENT_TOO_LARGE, _TOO_EARLY, _TOO_MANY_REQUESTS = 408, 413, 425, 429

_TOP_UP = "top up the account; 'qwen-cli cost --balance' says what is left"
_ADVICE: Mapping[int, str] = {
    _PAYMENT_REQUIRED: _TOP_UP,
    _CONTENT_TOO_LARGE: "send a shorter prompt or smaller images",
    _TOO_MANY_REQUESTS: "wait, send fewer requests at once, or raise --retries",
}

_LIMIT_TOO_LOW = ("thinking_budget", "output limit was reached")
"""In the message of a 400 for a `max_tokens` that leaves no room for an answer after the reasoning."""


class FieldRefused(RefusedError):
    """The server does not take `field` of the request, or not its value: without it, it may answer."""

    field = ""


_OUT_OF_CREDIT = ("insufficientquota", "arrearage", "billing", "paymentrequired", "insufficientbalance")
_KINDS: Mapping[type[QwenError], tuple[str, ...]] = {
    CredentialsError: (
        *_OUT_OF_CREDIT,
        *("invalidapikey", "incorrectapikey", "authentication", "unauthenticated", "unauthorized"),
        *("permission", "accessdenied", "forbidden"),
    ),
    IncompleteAnswer: ("datainspectionfailed", "contentfilter", "contentpolicyviolation", "responsibleaipolicy"),
    ServiceError: (
        *("servererror", "internal", "overloaded", "engineoverloaded", "ratelimit", "throttling", "toomanyrequests"),
        *("resourceexhausted", "unavailable", "serviceunavailable", "timeout", "deadlineexceeded", "upstream"),
    ),
    RefusedError: (
        *("invalidrequest", "invalidparameter", "invalidargument", "badrequest", "unprocessable", "unsupported"),
        *("notfound", "modelnotfound", "contextlengthexceeded"),
    ),
}
"""What the codes of servers begin with, in small letters and digits alone, by what they mean."""

_FIELD_WORDS: Mapping[str, tuple[str, ...]] = {
    "tool_choice": ("tool_choice", "tool choice"),
    "response_format": ("response_format", "response format", "json_schema", "json mode", "structured output"),
}
"""What a server says of a field that it does not take."""


def refusal(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    advice: Mapping[int, str] | None = None,
    droppable: Collection[str] = (),
) -> QwenError:
    """Explain a response other than a success; FieldRefused if it is about one of the `droppable` fields.

    `headers` are looked up in lower case; `advice` is what to do about some statuses.
    """
    if status < _BAD_REQUEST:
        where = headers.get("location")
        return ProtocolError(
            f"the server answered HTTP {status}" + (f", a redirect to {where}" if where else ""),
            advice="redirects are not followed: check --base-url",
        )
    payload = _parse(body)
    request_id = _request_id(payload) or headers.get("x-inference-id")
    failure = _error(payload, f"HTTP {status}", status, request_id, advice or {})
    is_about_fields = status in (_BAD_REQUEST, _UNPROCESSABLE, _INTERNAL)
    return (is_about_fields and refused_field(failure, droppable)) or failure


def refused_field(failure: QwenError, droppable: Collection[str]) -> FieldRefused | None:
    """The same failure as one about a field, if its words name one of these."""
    words = failure.message.lower()
    for field in () if isinstance(failure, CredentialsError | IncompleteAnswer) else droppable:
        if any(word in words for word in _FIELD_WORDS[field]):
            refused = FieldRefused(failure.message)
            refused.field = field
            return refused
    return None


def error_in(payload: Mapping[str, Any], what: str) -> QwenError | None:
    """Explain the error that a body or an event with status 200 is or holds; None if there is none."""
    error = payload.get("error")
    is_error = any(error.values()) if isinstance(error, dict) else bool(error)
    has_status = "message" in payload and _status(payload.get("statusCode")) is not None
    if is_error or has_status or (not payload.get("choices") and _has_words(payload)):
        return error_event(payload, what)
    return None


def _has_words(payload: Mapping[str, Any]) -> bool:
    return any(payload.get(name) and isinstance(payload[name], str | list) for name in ("message", "msg", "detail"))


def error_event(payload: Any, what: str) -> QwenError:
    """Explain what is known to be an error."""
    status = next(filter(None, (_status(holder.get(name)) for holder, name in _codes(payload))), None)
    return _error(payload, what if status is None else f"{what} {status}", status, _request_id(payload), {})


_CODE_NAMES = ("statusCode", "status", "code", "type", "error_code")


def _codes(payload: Any) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Where a status or a code may stand: in the error itself, or in what it is wrapped in."""
    inner = payload.get("error") if isinstance(payload, dict) else None
    for holder in (inner, payload):
        if isinstance(holder, dict):
            yield from ((holder, name) for name in _CODE_NAMES)


def _status(value: Any) -> int | None:
    """An HTTP status given as a number or as its digits."""
    try:
        status = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return status if 400 <= status <= 599 else None  # noqa: PLR2004


def _error(payload: Any, what: str, status: int | None, request_id: str | None, advice: Mapping[int, str]) -> QwenError:
    message = _message(payload)
    text = f"{what}: {message}" if message else what
    if request_id:
        text += f" (request {request_id})"
    codes = [_plain(holder[name]) for holder, name in _codes(payload) if isinstance(holder.get(name), str)]
    kind = next((kind for code in codes for kind, names in _KINDS.items() if code.startswith(names)), None)
    if any(code.startswith(_OUT_OF_CREDIT) for code in codes):
        return CredentialsError(text, advice=_TOP_UP)
    # A code says more than 400, which servers use for all kinds of failures; what it says of any other status is more
    # exact only where it is about the key or the content.
    if kind is None or not (kind in (CredentialsError, IncompleteAnswer) or status in (None, _BAD_REQUEST)):
        kind = ProtocolError if status is None else _class_of(status)
    return kind(text, advice=_advice_for(status, message, advice))


def _plain(code: str) -> str:
    return re.sub(r"[^a-z0-9]", "", code.lower())


def _advice_for(status: int | None, message: str, advice: Mapping[int, str]) -> str | None:
    """What to do about it, as far as status and message tell."""
    if status == _FORBIDDEN and any(word in message.lower() for word in ("credit", "balance", "fund", "billing")):
        return _TOP_UP
    if status == _BAD_REQUEST and any(words in message for words in _LIMIT_TOO_LOW):
        return "raise --max-tokens or lower --reasoning-effort"
    return None if status is None else advice.get(status) or _ADVICE.get(status)


def _class_of(status: int) -> type[QwenError]:
    if status in (UNAUTHORIZED, _PAYMENT_REQUIRED, _FORBIDDEN):
        return CredentialsError
    if status in (_REQUEST_TIMEOUT, _TOO_EARLY, _TOO_MANY_REQUESTS) or status >= _INTERNAL:
        return ServiceError
    return RefusedError


_MAX_TEXT: Final = 300


def _parse(body: bytes) -> Any:
    """The JSON of a body, or what else it says."""
    try:
        return json_text.loads(body, strict=False)
    except ValueError:
        return plain_words(body)


def _message(payload: Any) -> str:
    """The server's own words, wherever they stand."""
    try:
        return _text(payload)
    except RecursionError:
        return ""


_NAMES = ("message", "msg", "error", "detail", "details", "error_message", "error_msg", "title")


def _text(payload: Any) -> str:
    if isinstance(payload, dict):
        words = next(filter(None, (_quoted(payload.get(name)) for name in _NAMES)), "")
        metadata = payload.get("metadata")
        raw = _raw(metadata.get("raw")) if isinstance(metadata, dict) else ""
        return ": ".join(filter(None, (words, raw if raw not in words else "")))
    if isinstance(payload, list):
        return "; ".join(filter(None, map(_quoted, payload)))
    return payload[:_MAX_TEXT].strip() if isinstance(payload, str) else ""


def _raw(raw: Any) -> str:
    """The words of the server behind a gateway, which may be JSON within a string."""
    if isinstance(raw, str) and raw.lstrip().startswith(("{", "[")):
        try:
            return _quoted(json_text.loads(raw, strict=False))
        except ValueError:
            return raw
    return _quoted(raw)


def _quoted(item: Any) -> str:
    return _text(item) or (json_text.compact(item) if item else "")


def _request_id(payload: Any) -> str | None:
    holders = (payload, payload.get("error")) if isinstance(payload, dict) else ()
    ids = (holder.get(name) for holder in holders if isinstance(holder, dict) for name in ("requestId", "request_id"))
    return next((each for each in ids if isinstance(each, str) and each), None)
