"""What the API says when it refuses: any of its shapes -> one error with the right exit status. No I/O."""

import json
from collections.abc import Mapping
from typing import Any

from qwen_cli.api import json_text
from qwen_cli.errors import CredentialsError, ProtocolError, QwenError, RefusedError, ServiceError

_UNAUTHORIZED, _NO_CREDIT, _FORBIDDEN, _NOT_FOUND, _TOO_LARGE, _TOO_MANY = 401, 402, 403, 404, 413, 429

_TOP_UP = "top up the account; 'qwen-cli cost --balance' says what is left"
_ADVICE = {
    _UNAUTHORIZED: "see 'qwen-cli key status', and store a valid key with 'qwen-cli key set'",
    _NO_CREDIT: _TOP_UP,
    _NOT_FOUND: "check --model and --base-url",
    _TOO_LARGE: "send a shorter prompt or smaller images",
    _TOO_MANY: "wait, send fewer requests at once, or raise --retries",
}


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> QwenError:
    """Explain a response that is no success. `headers` are looked up in lower case."""
    if status < 400:  # noqa: PLR2004
        where = headers.get("location")
        return ProtocolError(
            f"the server answered HTTP {status}" + (f", a redirect to {where}" if where else ""),
            advice="redirects are not followed: check --base-url",
        )
    payload = _parse(body)
    return _error(status, f"HTTP {status}", _message(payload), _request_id(payload) or headers.get("x-inference-id"))


def error_within(payload: Mapping[str, Any], what: str) -> QwenError | None:
    """Explain an error that arrives in spite of a 200, in a body or an event; None when there is none."""
    is_own = {"message", "statusCode"} <= payload.keys()
    if not payload.get("error") and not (is_own and (not payload.get("choices") or _status(payload["statusCode"]))):
        return None
    inner = payload.get("error")
    holders = [payload, inner] if isinstance(inner, dict) else [payload]
    status = next(filter(None, (_status(holder.get(name)) for holder in holders for name in _STATUS_NAMES)), None)
    return _error(status, what if status is None else f"{what} {status}", _message(payload), _request_id(payload))


def error_in(body: bytes, what: str) -> QwenError | None:
    """The same for a body that is not known to be anything."""
    payload = _parse(body)
    return error_within(payload, what) if isinstance(payload, dict) else None


_STATUS_NAMES = ("statusCode", "status", "code")


def _status(value: Any) -> int | None:
    """An HTTP status given as a number or as its digits."""
    try:
        status = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return status if 400 <= status <= 599 else None  # noqa: PLR2004


def _error(status: int | None, what: str, message: str, request_id: str | None) -> QwenError:
    text = f"{what}: {message}" if message else what
    if request_id:
        text += f" (request {request_id})"
    if status is None:
        return ProtocolError(text)
    advice = _ADVICE.get(status)
    if status == _FORBIDDEN and any(word in message.lower() for word in ("credit", "balance", "fund", "billing")):
        advice = _TOP_UP
    return _class_of(status)(text, advice=advice)


def _class_of(status: int) -> type[QwenError]:
    if status in (_UNAUTHORIZED, _NO_CREDIT, _FORBIDDEN):
        return CredentialsError
    if status == _TOO_MANY or status >= 500:  # noqa: PLR2004
        return ServiceError
    return RefusedError


def _parse(body: bytes) -> Any:
    try:
        return json_text.loads(body)
    except ValueError:
        # Gateways answer in HTML or not at all; a short plain text is worth showing.
        text = body.decode(errors="replace").strip()
        return text if text and "<" not in text and len(text) <= 300 else None  # noqa: PLR2004


def _message(payload: Any) -> str:
    """The message, wherever it is: a string, an array, an object, under `error` or bare."""
    try:
        return _text(payload)
    except RecursionError:
        return ""


def _text(payload: Any) -> str:
    if isinstance(payload, dict):
        found = (payload[name] for name in ("message", "error", "detail") if payload.get(name))
        return next(filter(None, (_text(item) or _compact(item) for item in found)), "")
    if isinstance(payload, list):
        return "; ".join(filter(None, (_text(item) or _compact(item) for item in payload)))
    return payload if isinstance(payload, str) else ""


def _compact(item: Any) -> str:
    return json.dumps(item, ensure_ascii=False) if item else ""


def _request_id(payload: Any) -> str | None:
    found = payload.get("requestId") if isinstance(payload, dict) else None
    return found if isinstance(found, str) else None
