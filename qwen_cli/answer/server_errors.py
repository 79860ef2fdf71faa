"""What a server says of a failure -> one error with its exit status, and what to do about it. No I/O."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from qwen_cli.answer.server_words import Said, has_words, is_error, letters_of, said_by, said_in
from qwen_cli.errors import (
    CredentialsError,
    IncompleteAnswer,
    ProtocolError,
    QwenError,
    RefusedError,
    ServiceError,
)

# The names of http.HTTPStatus, whose package is more than summing up saved responses needs.
_BAD_REQUEST, UNAUTHORIZED, _PAYMENT_REQUIRED, _FORBIDDEN, _NOT_FOUND, _METHOD_NOT_ALLOWED = range(400, 406)
_REQUEST_TIMEOUT, _CONTENT_TOO_LARGE, _UNPROCESSABLE, _TOO_EARLY, TOO_MANY_REQUESTS = 408, 413, 422, 425, 429
_INTERNAL, _NOT_IMPLEMENTED, _UNAVAILABLE = 500, 501, 503

NOT_THERE: Final = (_NOT_FOUND, _METHOD_NOT_ALLOWED)
"""Statuses of a URL that leads nowhere."""

BUSY: Final = frozenset((TOO_MANY_REQUESTS, _UNAVAILABLE))
"""Statuses of a service that is busy rather than broken."""

_ABOUT_FIELDS: Final = (_BAD_REQUEST, _NOT_FOUND, _UNPROCESSABLE, _INTERNAL, _NOT_IMPLEMENTED)
"""Statuses of servers that do not take a field of the request."""

_TOP_UP = "top up the account"
_ADVICE: Mapping[int, str] = {
    _PAYMENT_REQUIRED: _TOP_UP,
    _CONTENT_TOO_LARGE: "send a shorter prompt or smaller images",
    TOO_MANY_REQUESTS: "wait, send fewer requests at once, or raise --retries",
}

_LIMIT_TOO_LOW = ("thinking_budget", "output limit was reached")
"""In the message of a 400 for a `max_tokens` that leaves no room for an answer after the reasoning."""

_MAX_WORDS: Final = 300
"""Characters of the server's words that are shown."""


class FieldRefused(RefusedError):
    """The server does not take `field` of the request, or not its value: without it, it may answer."""

    field = ""


class ServiceBusy(ServiceError):
    """The service is rate limiting or overloaded: later, it may answer."""


_OUT_OF_CREDIT = ("insufficientquota", "arrearage", "billing", "paymentrequired", "insufficientbalance")
_KINDS: Mapping[type[QwenError], tuple[str, ...]] = {
    CredentialsError: (
        *_OUT_OF_CREDIT,
        *("invalidapikey", "incorrectapikey", "authentication", "unauthenticated", "unauthorized"),
        *("permission", "accessdenied", "forbidden"),
    ),
    IncompleteAnswer: ("datainspectionfailed", "contentfilter", "contentpolicyviolation", "responsibleaipolicy"),
    ServiceBusy: ("overloaded", "engineoverloaded", "ratelimit", "throttling", "toomanyrequests", "resourceexhausted"),
    ServiceError: (
        *("servererror", "internal", "unavailable", "serviceunavailable"),
        *("timeout", "deadlineexceeded", "upstream"),
    ),
    RefusedError: (
        *("invalidrequest", "invalidparameter", "invalidargument", "badrequest", "unprocessable", "unsupported"),
        *("notfound", "modelnotfound", "contextlengthexceeded"),
    ),
}
"""What the codes of servers begin with, by what they mean."""

_FIELD_WORDS: Mapping[str, tuple[str, ...]] = {
    "tool_choice": ("toolchoice",),
    "response_format": (
        *("responseformat", "jsonschema", "jsonobject", "jsonmode", "jsonvalidate"),
        *("structuredoutput", "grammar", "guided"),
    ),
    "stream_options": ("streamoptions", "includeusage"),
}
"""What a server says of a field that it does not take, in letters alone."""


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
    said = said_by(body)
    if said.request_id is None:
        said = said._replace(request_id=headers.get("x-inference-id"))
    failure = _explained(said, f"HTTP {status}", status, advice or {})
    return (
        status in _ABOUT_FIELDS and refused_field(failure, " ".join((said.words, *said.codes)), droppable)
    ) or failure


def refused_field(failure: QwenError, words: str, droppable: Collection[str]) -> FieldRefused | None:
    """The same failure as one about a field, if the server's words name one of these."""
    letters = letters_of(words)
    for field in () if isinstance(failure, CredentialsError | IncompleteAnswer) else droppable:
        if any(word in letters for word in _FIELD_WORDS[field]):
            refused = FieldRefused(failure.message)
            refused.field = field
            return refused
    return None


def error_in(payload: Mapping[str, Any], what: str) -> QwenError | None:
    """Explain the error that a body or an event with the status 200 is or holds; None if there is none."""
    return error_event(payload, what) if is_error(payload) or has_words(payload) else None


def error_event(payload: Any, what: str) -> QwenError:
    """Explain what is known to be an error: JSON, or a text that is none."""
    said = said_by(payload.encode(errors="replace")) if isinstance(payload, str) else said_in(payload)
    return _explained(said, what if said.status is None else f"{what} {said.status}", said.status, {})


def _explained(said: Said, what: str, status: int | None, advice: Mapping[int, str]) -> QwenError:
    words = said.words if len(said.words) <= _MAX_WORDS else said.words[:_MAX_WORDS].rstrip() + " …"
    text = f"{what}: {words}" if words else what
    if said.request_id:
        text = f"{text.removesuffix('.')} (request {said.request_id})"
    if status == _BAD_REQUEST and said.status is not None:
        status = said.status  # of a server behind a gateway that sends every failure as 400
    if any(code.startswith(_OUT_OF_CREDIT) for code in said.codes):
        return CredentialsError(text, advice=_TOP_UP)
    kind = next((kind for code in said.codes for kind, names in _KINDS.items() if code.startswith(names)), None)
    # A code says more than 400, which servers use for all kinds of failures; what it says of any other status is more
    # exact only where it is about the key or the content.
    if kind is None or not (kind in (CredentialsError, IncompleteAnswer) or status in (None, _BAD_REQUEST)):
        kind = ProtocolError if status is None else _class_of(status)
    return kind(text, advice=None if kind is IncompleteAnswer else _advice_for(status, said.words, advice))


def _advice_for(status: int | None, words: str, advice: Mapping[int, str]) -> str | None:
    """What to do about it, as far as status and words tell."""
    if status == _FORBIDDEN and any(word in words.lower() for word in ("credit", "balance", "fund", "billing")):
        return _TOP_UP
    if status == _BAD_REQUEST and any(each in words for each in _LIMIT_TOO_LOW):
        return "raise --max-tokens or lower --reasoning-effort"
    return None if status is None else advice.get(status) or _ADVICE.get(status)


def _class_of(status: int) -> type[QwenError]:
    if status in (UNAUTHORIZED, _PAYMENT_REQUIRED, _FORBIDDEN):
        return CredentialsError
    if status in BUSY:
        return ServiceBusy
    if status in (_REQUEST_TIMEOUT, _TOO_EARLY) or status >= _INTERNAL:
        return ServiceError
    return RefusedError
