"""What a request may be: the documented limits, as checks put together from small ones.

A check takes a value parsed from JSON and the dotted name of its field. It returns nothing, or raises an
OutsideLimitsError that names the field, what was expected there and what was received.
"""

import binascii
import json
import re
from collections.abc import Callable, Mapping
from typing import NoReturn
from urllib.parse import urlsplit

from qwen_cli.request import limits

_TYPE_NAMES = {dict: "an object", list: "an array", str: "a string", bool: "a boolean"}

Check = Callable[[object, str], None]


class OutsideLimitsError(Exception):
    """A value that the API does not take. `status` is what it answers to it."""

    status = 400

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class _Missing:
    """The value of a field that isn't there."""


MISSING = _Missing()


def refuse(field: str, expected: str, received: object) -> NoReturn:
    """Raise the 400 that says what `field` should have been."""
    if isinstance(received, _Missing):
        shown = "undefined"
    elif isinstance(received, str):
        # A prompt or an image may be megabytes long.
        shown = json.dumps(received[:60])
    else:
        shown = _TYPE_NAMES[type(received)] if isinstance(received, dict | list) else json.dumps(received)
    raise OutsideLimitsError(f"{field}: Expected {expected}, Received {shown}")


def of_type(kind: type) -> Check:
    """Exactly this type, as the JSON parser made it."""

    def check(value: object, field: str) -> None:
        if type(value) is not kind:
            refuse(field, _TYPE_NAMES[kind], value)

    return check


def number(low: float | None = None, high: float | None = None, *, whole: bool = False) -> Check:
    """A number from `low` to `high`, both included; `whole` leaves 1.0 in and 1.5 out, as JSON Schema does."""
    bounds = "" if low is None else f" of at least {low}" if high is None else f" from {low} to {high}"
    expected = ("an integer" if whole else "a number") + bounds

    def check(value: object, field: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            refuse(field, expected, value)
        if (low is not None and value < low) or (high is not None and value > high):
            refuse(field, expected, value)
        if whole and isinstance(value, float) and not value.is_integer():
            refuse(field, expected, value)

    return check


def choice(*allowed: str) -> Check:
    """One of these strings."""

    def check(value: object, field: str) -> None:
        if not isinstance(value, str) or value not in allowed:
            refuse(field, " | ".join(map(json.dumps, allowed)), value)

    return check


def array(item: Check, most: int | None = None) -> Check:
    """A list of at most `most` items, each of which passes `item`."""

    def check(value: object, field: str) -> None:
        if not isinstance(value, list):
            refuse(field, "an array", value)
        if most is not None and len(value) > most:
            raise OutsideLimitsError(f"{field}: Expected an array of at most {most}, Received one of {len(value)}")
        for index, member in enumerate(value):
            item(member, f"{field}.{index}")

    return check


def mapping(item: Check) -> Check:
    """An object with any names, each of whose values passes `item`."""

    def check(value: object, field: str) -> None:
        if not isinstance(value, dict):
            refuse(field, "an object", value)
        for name, member in value.items():
            item(member, f"{field}.{name}")

    return check


def record(
    required: Mapping[str, Check], optional: Mapping[str, Check] | None = None, *, closed: bool = False
) -> Check:
    """An object with these fields; `closed` refuses any other."""
    known = {**required, **(optional or {})}

    def check(value: object, field: str) -> None:
        if not isinstance(value, dict):
            refuse(field, "an object", value)
        prefix = f"{field}." if field else ""
        for name in required:
            if name not in value:
                known[name](MISSING, prefix + name)
        for name, member in value.items():
            if name in known:
                known[name](member, prefix + name)
            elif closed:
                refuse(prefix + name, "no such field", member)

    return check


def nullable(inner: Check) -> Check:
    """Null, or what passes `inner`."""

    def check(value: object, field: str) -> None:
        if value is not None:
            inner(value, field)

    return check


def by_type(variants: Mapping[type, Check]) -> Check:
    """The check that belongs to the value's own JSON type."""

    def check(value: object, field: str) -> None:
        variant = variants.get(type(value))
        if variant is None:
            refuse(field, " or ".join(_TYPE_NAMES[kind] for kind in variants), value)
        variant(value, field)

    return check


def tagged(tag: str, variants: Mapping[str, Check]) -> Check:
    """An object whose field `tag` says which of the checks it has to pass."""
    tags = choice(*variants)

    def check(value: object, field: str) -> None:
        if not isinstance(value, dict):
            refuse(field, "an object", value)
        name = value.get(tag, MISSING)
        tags(name, f"{field}.{tag}")
        variants[name](value, field)

    return check


def _anything(_value: object, _field: str) -> None:
    """Any JSON value."""


def _name(value: object, field: str) -> None:
    if not isinstance(value, str) or not re.fullmatch(limits.NAME, value):
        refuse(field, "a name of 1 to 64 letters, digits, _ and -", value)


_DATA_URI = re.compile(rf"data:image/(?:{'|'.join(limits.IMAGE_TYPES)});base64,")


def image_url(value: object, field: str) -> None:
    expected = f"an https: URL or a base64 data: URI of {', '.join(limits.IMAGE_TYPES)}"
    if not isinstance(value, str):
        refuse(field, expected, value)
    if data := _DATA_URI.match(value):
        try:
            image = binascii.a2b_base64(value[data.end() :], strict_mode=True)
        except ValueError:
            image = b""
        valid = bool(image)
    else:
        try:
            url = urlsplit(value)
            valid = url.scheme == "https" and bool(url.hostname) and not re.search(r"\s", value)
        except ValueError:
            valid = False
    if not valid:
        refuse(field, expected, value)


text = of_type(str)
boolean = of_type(bool)

_text_part = record({"type": choice("text"), "text": text})
_image_part = record(
    {
        "type": choice("image_url"),
        "image_url": record({"url": image_url}, {"detail": choice(*limits.IMAGE_DETAILS)}),
    }
)
_refusal_part = record({"type": choice("refusal"), "refusal": text})


def _content(**parts: Check) -> Check:
    return by_type({str: text, list: array(tagged("type", parts))})


_called_function = record({"name": text, "arguments": text})
_tool_call = record({"id": text, "type": choice("function"), "function": _called_function})

_message = tagged(
    "role",
    {
        "system": record({"content": _content(text=_text_part)}, {"name": text}),
        "user": record({"content": _content(text=_text_part, image_url=_image_part)}, {"name": text}),
        "assistant": record(
            {},
            {
                "content": _content(text=_text_part, refusal=_refusal_part),
                "name": text,
                "tool_calls": array(_tool_call),
                "refusal": nullable(text),
            },
        ),
        "tool": record({"content": text, "tool_call_id": text}, {"name": nullable(text)}),
    },
)

_tool = record(
    {
        "type": choice("function"),
        "function": record(
            {"name": _name, "parameters": mapping(_anything)},
            {"description": text, "strict": nullable(boolean)},
            closed=True,
        ),
    },
    closed=True,
)

_just_type = record({"type": text}, closed=True)
_json_schema = record(
    {"name": _name},
    {"schema": mapping(_anything), "strict": nullable(boolean), "description": text},
    closed=True,
)

_NULLABLE = ("top_logprobs", "frequency_penalty", "presence_penalty")


def _ranges() -> dict[str, Check]:
    checks = {name: number(low, high, whole=name == "seed") for name, (low, high) in limits.RANGES.items()}
    return checks | {name: nullable(checks[name]) for name in _NULLABLE}


FIELDS: dict[str, Check] = {
    "model": text,
    "messages": array(_message),
    **_ranges(),
    "stream": boolean,
    "stream_options": record({"include_usage": boolean}),
    "tools": array(_tool, limits.TOOLS),
    "tool_choice": by_type(
        {
            str: choice(*limits.TOOL_CHOICES),
            dict: record({"type": choice("function"), "function": record({"name": text})}),
        }
    ),
    "parallel_tool_calls": boolean,
    "stop": nullable(by_type({str: text, list: array(text, limits.STOP_SEQUENCES)})),
    "logit_bias": nullable(mapping(number(*limits.LOGIT_BIAS))),
    "logprobs": nullable(boolean),
    "prediction": record({"type": choice("content"), "content": _content(text=_text_part)}),
    "reasoning_effort": choice(*limits.REASONING_EFFORTS),
    "response_format": tagged(
        "type",
        dict.fromkeys(limits.RESPONSE_FORMATS, _just_type)
        | {"json_schema": record({"type": text, "json_schema": _json_schema}, closed=True)},
    ),
}
"""Field of the request body -> what it may be."""


_REQUIRED = ("model", "messages")

check_request = record(
    {name: FIELDS[name] for name in _REQUIRED},
    {name: check for name, check in FIELDS.items() if name not in _REQUIRED},
)
"""The whole body, but for what depends on more than one field."""
