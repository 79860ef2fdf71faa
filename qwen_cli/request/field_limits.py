"""The documented limits of a request, stated once: as a JSON Schema (draft 2020-12), and what follows from it.

Source: the provider's OpenAPI document of `POST /v1/chat/completions`. Where it states a limit in words only (the
pattern of a name, the number of tools and stop sequences), the schema holds it all the same. Null is accepted
for the absent fields of an assistant message too: the official clients send their answers back in that form.

No part refers to another and no alternative is tried: the tag of an object (`role`, `type`) says which limits hold, so
that a violation is one place, one keyword.
"""

from collections.abc import Mapping
from typing import Any

MODEL = "alibaba/qwen3.6-35b-a3b"

NAME = r"[a-zA-Z0-9_-]{1,64}"
"""What a function and a JSON schema may be called."""

REQUEST_ID = r"[A-Za-z0-9._:-]{1,128}"
"""`X-Client-Request-Id`; the service silently drops a value outside this alphabet."""

PERIOD_HOURS = 92 * 24
"""The longest `period` of the account's usage report."""

IMAGE_TYPES = ("jpeg", "png", "gif", "webp")

Schema = dict[str, Any]


def _tagged(tag: str, variants: Mapping[str, Schema]) -> Schema:
    """An object whose field `tag` names the schema that it has to pass."""
    return {
        "type": "object",
        "properties": {tag: {"enum": [*variants]}},
        "required": [tag],
        "allOf": [
            {"if": {"properties": {tag: {"const": name}}, "required": [tag]}, "then": schema}
            for name, schema in variants.items()
        ],
    }


def _object(
    required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None, *, is_closed: bool = False
) -> Schema:
    """An object with these properties; a closed one takes no others."""
    schema = {"type": "object", "properties": {**required, **(optional or {})}, "required": [*required]}
    return schema | ({"additionalProperties": False} if is_closed else {})


def _number(low: float, high: float | None = None, kind: str | list[str] = "number") -> Schema:
    return {"type": kind, "minimum": low} | ({} if high is None else {"maximum": high})


_TEXT: Schema = {"type": "string"}
_BOOLEAN: Schema = {"type": "boolean"}
_OBJECT: Schema = {"type": "object"}
_FUNCTION: Schema = {"enum": ["function"]}
_NULLABLE_TEXT: Schema = {"type": ["string", "null"]}
_NULLABLE_BOOLEAN: Schema = {"type": ["boolean", "null"]}
_NULLABLE_NUMBER = ["number", "null"]
_NAME: Schema = {"type": "string", "pattern": f"^{NAME}$"}
IMAGE_URL = f"https: URL or base64 data: URI of {', '.join(IMAGE_TYPES)}"
"""The format of an image's URL, named as it is to be called in messages."""
_IMAGE = _object({"url": {"type": "string", "format": IMAGE_URL}}, {"detail": {"enum": ["low", "high", "auto"]}})
_PARTS = {
    name: _object({name: schema}) for name, schema in {"text": _TEXT, "image_url": _IMAGE, "refusal": _TEXT}.items()
}


def _content(*parts: str, null: bool = False) -> Schema:
    """Text, or an array of these kinds of parts."""
    kinds = ["string", "array", "null"] if null else ["string", "array"]
    return {"type": kinds, "items": _tagged("type", {name: _PARTS[name] for name in parts})}


_CALL = _object({"id": _TEXT, "type": _FUNCTION, "function": _object({"name": _TEXT, "arguments": _TEXT})})
_MESSAGE = _tagged(
    "role",
    {
        "system": _object({"content": _content("text")}, {"name": _TEXT}),
        "user": _object({"content": _content("text", "image_url")}, {"name": _TEXT}),
        "assistant": _object(
            {},
            {
                "content": _content("text", "refusal", null=True),
                "name": _NULLABLE_TEXT,
                "tool_calls": {"type": ["array", "null"], "items": _CALL},
                "refusal": _NULLABLE_TEXT,
            },
        ),
        "tool": _object({"content": _TEXT, "tool_call_id": _TEXT}, {"name": _NULLABLE_TEXT}),
    },
)
_TOOL = _object(
    {
        "type": _FUNCTION,
        "function": _object(
            {"name": _NAME, "parameters": _OBJECT},
            {"description": _TEXT, "strict": _NULLABLE_BOOLEAN},
            is_closed=True,
        ),
    },
    is_closed=True,
)
_TOOL_CHOICE: Schema = {
    "type": ["string", "object"],
    "if": {"type": "string"},
    "then": {"enum": ["none", "auto", "required"]},
    "else": _object({"type": _FUNCTION, "function": _object({"name": _TEXT})}),
}
_JUST_TYPE = _object({}, {"type": {}}, is_closed=True)
_JSON_SCHEMA = _object(
    {
        "json_schema": _object(
            {"name": _NAME},
            {"schema": _OBJECT, "strict": _NULLABLE_BOOLEAN, "description": _TEXT},
            is_closed=True,
        )
    },
    {"type": {}},
    is_closed=True,
)

FIELDS: Mapping[str, Schema] = {
    "model": _TEXT,
    "messages": {"type": "array", "items": _MESSAGE},
    "max_tokens": _number(1),
    "stream": _BOOLEAN,
    "stream_options": _object({"include_usage": _BOOLEAN}),
    "tools": {"type": "array", "items": _TOOL, "maxItems": 128},
    "tool_choice": _TOOL_CHOICE,
    "parallel_tool_calls": _BOOLEAN,
    "temperature": _number(0, 2),
    "top_p": _number(0.01, 1),
    "stop": {"type": ["string", "array", "null"], "items": _TEXT, "maxItems": 4},
    "logit_bias": {"type": ["object", "null"], "additionalProperties": _number(-100, 100)},
    "logprobs": _NULLABLE_BOOLEAN,
    "top_logprobs": _number(0, 20, _NULLABLE_NUMBER),
    "frequency_penalty": _number(-2, 2, _NULLABLE_NUMBER),
    "presence_penalty": _number(-2, 2, _NULLABLE_NUMBER),
    "prediction": _object({"type": {"enum": ["content"]}, "content": _content("text")}),
    "seed": _number(1, kind="integer"),
    "reasoning_effort": {"enum": ["low", "medium", "high"]},
    "response_format": _tagged("type", {"text": _JUST_TYPE, "json_object": _JUST_TYPE, "json_schema": _JSON_SCHEMA}),
}
"""Field of the request body -> the schema of its value."""

BODY: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": FIELDS,
    "required": ["model", "messages"],
    "if": {"properties": {"top_logprobs": {"type": "number"}}, "required": ["top_logprobs"]},
    "then": {
        "properties": {"logprobs": {"const": True}},
        "required": ["logprobs"],
    },
}
"""The whole request body."""

RANGES: Mapping[str, tuple[float, float | None]] = {
    name: (field["minimum"], field.get("maximum")) for name, field in FIELDS.items() if "minimum" in field
}
"""Field name -> smallest and largest value allowed; None where there is no largest."""

INTEGERS = frozenset({"max_tokens", "seed", "top_logprobs"})
"""Of those, the fields that count something: the flags take whole numbers only."""

LOGIT_BIAS: tuple[int, int] = tuple(FIELDS["logit_bias"]["additionalProperties"][end] for end in ("minimum", "maximum"))
STOP_SEQUENCES: int = FIELDS["stop"]["maxItems"]
REASONING_EFFORTS: tuple[str, ...] = tuple(FIELDS["reasoning_effort"]["enum"])
IMAGE_DETAILS: tuple[str, ...] = tuple(_IMAGE["properties"]["detail"]["enum"])
TOOL_CHOICES: tuple[str, ...] = tuple(_TOOL_CHOICE["then"]["enum"])
RESPONSE_FORMATS = ("text", "json_object")
"""The formats that need nothing but their type."""
