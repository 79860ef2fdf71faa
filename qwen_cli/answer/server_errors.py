"""Error responses of the API, in any of their shapes -> one error with its exit status. No I/O."""

import json
from collections.abc import Mapping
from typing import Any

from qwen_cli import json_text
from qwen_cli.errors import CredentialsError, ProtocolError, QwenError, RefusedError, ServiceError
from qwen_cli.key.sources import KEYRING

# The names of http.HTTPStatus, whose package is more than summing up saved responses needs.
_BAD_REQUEST, _UNAUTHORIZED, _PAYMENT_REQUIRED, _FORBIDDEN, _NOT_FOUND = range(400, 405)
_CONTENT_TOO_LARGE = 413
_TOO_MANY_REQUESTS = 429

_TOP_UP = "top up the account; 'qwen-cli cost --balance' says what is left"
_STORE = "see 'qwen-cli key status', and store a valid key with 'qwen-cli key set'"
_ADVICE = {
    _UNAUTHORIZED: _STORE,
    _PAYMENT_REQUIRED: _TOP_UP,
    _NOT_FOUND: "check --base-url",
    _CONTENT_TOO_LARGE: "send a shorter prompt or smaller images",
    _TOO_MANY_REQUESTS: "wait, send fewer requests at once, or raise --retries",
}

_LIMIT_TOO_LOW = ("thinking_budget", "output limit was reached")
"""In the message of a 400 for a `max_tokens` that leaves no room for an answer after the reasoning."""


def refusal(
    status: int, headers: Mapping[str, str], body: bytes, *, key_source: str | None, has_model: bool
) -> QwenError:
    """Explain a response other than a success.

    `headers` are looked up in lower case. `key_source` is the variable that the key was in, `keyring`, or None where no
    key was sent; `has_model` says whether the request named a model.
    """
    if status < 400:  # noqa: PLR2004
        where = headers.get("location")
        return ProtocolError(
            f"the server answered HTTP {status}" + (f", a redirect to {where}" if where else ""),
            advice="redirects are not followed: check --base-url",
        )
    payload = _parse(body)
    message = _message(payload)
    advice = _advice(status, message)
    if status == _UNAUTHORIZED:
        advice = _key_advice(key_source)
    elif status == _NOT_FOUND and has_model:
        advice = "check --model and --base-url"
    request_id = _request_id(payload) or headers.get("x-inference-id")
    return _error(status, f"HTTP {status}", message, request_id, advice)


def _key_advice(source: str | None) -> str:
    if source is None:
        return "no key was sent: see 'qwen-cli key status'"
    if source == KEYRING:
        return _STORE
    return f"the key is from {source}: correct it, or unset it to use the key stored by 'qwen-cli key set'"


def error_within(payload: Mapping[str, Any], what: str) -> QwenError | None:
    """Explain an error in a body or an event that came with status 200; None if there is none."""
    is_own = {"message", "statusCode"} <= payload.keys()
    if not payload.get("error") and not (is_own and (not payload.get("choices") or _status(payload["statusCode"]))):
        return None
    inner = payload.get("error")
    holders = [payload, inner] if isinstance(inner, dict) else [payload]
    status = next(filter(None, (_status(holder.get(name)) for holder in holders for name in _STATUS_NAMES)), None)
    what, message = what if status is None else f"{what} {status}", _message(payload)
    return _error(status, what, message, _request_id(payload), _advice(status, message))


def error_in(body: bytes, what: str) -> QwenError | None:
    """The same for a body that need not be JSON."""
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


def _error(status: int | None, what: str, message: str, request_id: str | None, advice: str | None) -> QwenError:
    text = f"{what}: {message}" if message else what
    if request_id:
        text += f" (request {request_id})"
    return ProtocolError(text) if status is None else _class_of(status)(text, advice=advice)


def _advice(status: int | None, message: str) -> str | None:
    """What to do about it, as far as status and message tell."""
    if status == _FORBIDDEN and any(word in message.lower() for word in ("credit", "balance", "fund", "billing")):
        return _TOP_UP
    if status == _BAD_REQUEST and any(words in message for words in _LIMIT_TOO_LOW):
        return "raise --max-tokens or lower --reasoning-effort"
    return None if status is None else _ADVICE.get(status)


def _class_of(status: int) -> type[QwenError]:
    if status in (_UNAUTHORIZED, _PAYMENT_REQUIRED, _FORBIDDEN):
        return CredentialsError
    if status == _TOO_MANY_REQUESTS or status >= 500:  # noqa: PLR2004
        return ServiceError
    return RefusedError


def _parse(body: bytes) -> Any:
    try:
        return json_text.loads(body)
    except ValueError:
        # Gateways send HTML or nothing; a short plain text is worth quoting.
        text = body.decode(errors="replace").strip()
        return text if text and "<" not in text and len(text) <= 300 else None  # noqa: PLR2004


def _message(payload: Any) -> str:
    """The message, which may be a string, an array or an object, and stand under `error` or alone."""
    try:
        return _text(payload)
    except RecursionError:
        return ""


def _text(payload: Any) -> str:
    if isinstance(payload, dict):
        return next(filter(None, (_quoted(payload.get(name)) for name in ("message", "error", "detail"))), "")
    if isinstance(payload, list):
        return "; ".join(filter(None, map(_quoted, payload)))
    return payload if isinstance(payload, str) else ""


def _quoted(item: Any) -> str:
    return _text(item) or (json.dumps(item, ensure_ascii=False) if item else "")


def _request_id(payload: Any) -> str | None:
    found = payload.get("requestId") if isinstance(payload, dict) else None
    return found if isinstance(found, str) else None
