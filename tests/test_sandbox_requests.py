"""Which requests the sandbox takes: those within the documented limits, and no others."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis.strategies as st
import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings

from qwen_cli.sandbox.request import ApiError, read_request
from qwen_cli.sandbox.server import serving
from tests.provider import provider_schema, with_the_document
from tests.sandbox import CHAT, PIXEL, WEATHER, chat, formatted, send


@pytest.fixture(scope="module")
def shared() -> Iterator[str]:
    """One sandbox without faults for all of these tests."""
    with serving() as base_url:
        yield base_url


# What is refused

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a temperature above 2": ({"temperature": 2.1}, "temperature: 2.1 is greater than the maximum of 2"),
    "a temperature in words": ({"temperature": "hot"}, 'temperature: "hot" is not of type "number"'),
    "a boolean for a number": ({"top_p": True}, 'top_p: true is not of type "number"'),
    "a top_p of 0": ({"top_p": 0}, "top_p: "),
    "no tokens at all": ({"max_tokens": 0}, "max_tokens: 0 is less than the minimum of 1"),
    "max_tokens of null": ({"max_tokens": None}, 'max_tokens: null is not of type "number"'),
    "half a seed": ({"seed": 1.5}, 'seed: 1.5 is not of type "integer"'),
    "a penalty below -2": ({"presence_penalty": -2.5}, "presence_penalty: "),
    "21 top_logprobs": ({"top_logprobs": 21, "logprobs": True}, "top_logprobs: "),
    "top_logprobs without logprobs": ({"top_logprobs": 2}, 'body: "logprobs" is a required property'),
    "five stops": ({"stop": list("abcde")}, "stop: "),
    "a stop that is a number": ({"stop": 5}, "stop: 5 is not of types "),
    "a bias above 100": ({"logit_bias": {"7": 101}}, "logit_bias.7: "),
    "stream in words": ({"stream": "yes"}, 'stream: "yes" is not of type "boolean"'),
    "stream_options without include_usage": (
        {"stream_options": {}},
        'stream_options: "include_usage" is a required property',
    ),
    "an unknown effort": (
        {"reasoning_effort": "max"},
        'reasoning_effort: "max" is not one of "low", "medium" or "high"',
    ),
    "an unknown format": ({"response_format": {"type": "xml"}}, "response_format.type: "),
    "a format with more in it": (
        {"response_format": {"type": "text", "x": 1}},
        "response_format: Additional properties",
    ),
    "a schema without a name": (
        {"response_format": {"type": "json_schema", "json_schema": {}}},
        'response_format.json_schema: "name" is a required property',
    ),
    "a schema's name with a space": (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a b"}}},
        "response_format.json_schema.name: ",
    ),
    "a schema that is none": (formatted({"type": "strng"}), "response_format.json_schema.schema: "),
    "a schema without an instance": (
        formatted({"required": ["a"], "properties": {"a": {"$ref": "#"}}}),
        "response_format.json_schema.schema: ",
    ),
    "a tool whose arguments cannot be made": (
        {
            "tools": [
                WEATHER,
                {"type": "function", "function": {"name": "f", "parameters": {"type": "string", "pattern": "^[0-9]$"}}},
            ],
            "tool_choice": {"type": "function", "function": {"name": "f"}},
        },
        "tools.1.function.parameters: ",
    ),
    "a tool without parameters": (
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        'tools.0.function: "parameters" is a required property',
    ),
    "a tool with a bad name": (
        {"tools": [{"type": "function", "function": {"name": "f g", "parameters": {}}}]},
        "tools.0.function.name: ",
    ),
    "129 tools": ({"tools": [WEATHER] * 129}, "tools: "),
    "an unknown tool choice": ({"tool_choice": "any"}, "tool_choice: "),
    "a prediction without content": (
        {"prediction": {"type": "content"}},
        'prediction: "content" is a required property',
    ),
    "messages that are a string": ({"messages": "hi"}, 'messages: "hi" is not of type "array"'),
    "an unknown role": ({"messages": [{"role": "robot", "content": "hi"}]}, 'messages.0.role: "robot" is not one of'),
    "a message without role": ({"messages": [{"content": "hi"}]}, 'messages.0: "role" is a required property'),
    "a user without content": ({"messages": [{"role": "user"}]}, 'messages.0: "content" is a required property'),
    "a tool result without its call": ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0: "),
    "a lone surrogate in the place of a word": ({"messages": [{"role": "\ud800", "content": "x"}]}, "body: "),
    "messages nested deeply": ({"messages": json.loads("[" * 450 + "]" * 450)}, "body: "),
    "a model that is a number": ({"model": 3}, 'model: 3 is not of type "string"'),
}
ACCEPTED: dict[str, dict[str, Any]] = {
    "the bounds": {"temperature": 2, "top_p": 0.01, "frequency_penalty": -2, "top_logprobs": 20, "logprobs": True},
    "null where null is allowed": dict.fromkeys(
        ("stop", "logit_bias", "logprobs", "top_logprobs", "presence_penalty", "frequency_penalty")
    ),
    "a fraction of max_tokens": {"max_tokens": 1.5},
    "a seed of 1.0": {"seed": 1.0},
    "an unknown field": {"top_k": 5},
    "an assistant without content": {"messages": [{"role": "assistant"}, {"role": "user", "content": "x"}]},
    "no messages": {"messages": []},
    "strict as null": {
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "strict": None}},
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}, "strict": None}}],
    },
    "messages with everything": {
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "x"}], "name": "n"},
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}], "refusal": None},
            {
                "role": "assistant",
                "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{"}}],
            },
            {"role": "tool", "content": "x", "tool_call_id": "c", "name": None},
        ]
    },
    "a tool choice without tools": {"tool_choice": "required"},
    "an assistant message of the official clients": {
        "messages": [
            {"role": "user", "content": "x"},
            {"role": "assistant", "content": None, "refusal": None, "name": None, "tool_calls": None, "audio": None},
            {
                "role": "assistant",
                "content": None,
                "function_call": None,
                "tool_calls": [
                    {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}, "index": 0}
                ],
            },
            {"role": "tool", "content": "42", "tool_call_id": "c"},
        ]
    },
    "a pattern that could take forever": {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "a", "schema": {"type": "string", "pattern": "^([a-z]+)+$"}},
        }
    },
}


@pytest.mark.parametrize("case", REFUSED)
def test_refuses_and_names_the_field(shared: str, case: str) -> None:
    fields, message = REFUSED[case]
    answer = chat(shared, **fields)
    assert answer.status == 400
    assert answer.message.startswith(message)
    assert "\n" not in answer.message
    assert answer.json.keys() == {"message", "path", "requestId", "statusCode", "timestamp"}
    assert answer.json["path"] == CHAT
    assert answer.json["statusCode"] == 400
    assert answer.json["requestId"] == answer.headers["x-inference-id"]


@pytest.mark.parametrize("case", ACCEPTED)
def test_accepts_what_the_documents_allow(shared: str, case: str) -> None:
    answer = chat(shared, **ACCEPTED[case])
    assert answer.status == 200
    assert answer.choice["finish_reason"] in {"stop", "length"}


@pytest.mark.parametrize(
    ("url", "status"),
    [
        (PIXEL, 200),
        ("https://example.org/a%20b.png?x=1", 200),
        ("http://example.org/a.png", 400),
        ("https://", 400),
        ("https://example.org/a b.png", 400),
        ("file:///etc/passwd", 400),
        ("data:image/svg+xml;base64,PHN2Zy8+", 400),
        ("data:image/png,plain", 400),
        ("data:image/png;base64,", 400),
        ("data:image/png;base64,not base64!", 400),
        ("https://[", 400),
    ],
)
def test_images_are_https_or_base64_of_four_kinds(shared: str, url: str, status: int) -> None:
    answer = chat(shared, [{"type": "image_url", "image_url": {"url": url}}])
    assert answer.status == status
    if status == 400:
        assert answer.message.startswith("messages.0.content.0.image_url.url: ")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"\xff", b'{"model": NaN}', b'{"seed": 1e999}', b"[" * 100_000, b'{"a":' * 5000, b"1" * 5000],
)
def test_refuses_what_is_not_a_json_object(shared: str, body: bytes) -> None:
    answer = send(shared, "POST", CHAT, body)
    assert answer.status == 400
    assert answer.message.startswith("body: ")


# Agreement with the provider's document

BEYOND_THE_SCHEMA = (
    "has more than 4 items",
    "has more than 128 items",
    'body: "logprobs" is a required property',
    "true was expected",
    "of type 'json_object'.",
)
"""Limits that the documents state in words, where the schema alone would let a request through."""


def is_beyond_the_schema(message: str) -> bool:
    field = message.partition(":")[0]
    return message.endswith(BEYOND_THE_SCHEMA) or field.endswith(("image_url.url", "function.name", "json_schema.name"))


JUNK = st.sampled_from(
    [None, True, False, 0, 1, -1, 0.5, 1e9, "", "x", "text", "auto", [], ["a"], {}, {"type": "text"}, {"x": 1}]
)
WORDS = st.sampled_from(["a", "weather", "two words", "", PIXEL, "https://example.org/a.png", "ftp://example.org"])


ODDS = 60


@st.composite
def near(draw: st.DrawFn, schema: Any) -> Any:
    """A value that is mostly what `schema` says, with a piece of junk about once in `ODDS` nodes."""
    if draw(rarely):
        return draw(JUNK)
    alternatives = schema.get("anyOf") or schema.get("oneOf")
    if alternatives:
        return draw(near(draw(st.sampled_from(alternatives))))
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    return draw(NEAR_TYPE[schema["type"]](schema))


rarely = st.integers(0, ODDS).map(lambda number: number == ODDS)


@st.composite
def near_object(draw: st.DrawFn, schema: Any) -> Any:
    fields = {
        name: draw(near(inner))
        for name, inner in schema.get("properties", {}).items()
        if not draw(rarely) and (name in schema.get("required", ()) or draw(st.sampled_from([False, False, True])))
    }
    is_map = "additionalProperties" in schema and "properties" not in schema
    return fields | ({"extra": draw(JUNK)} if is_map or draw(rarely) else {})


def near_number(schema: Any) -> st.SearchStrategy[float]:
    low, high = schema.get("minimum", 0), schema.get("maximum", 10)
    return st.sampled_from([low, high, low + 1, (low + high) / 2, low - 0.5, high + 0.5, low - 1, high + 1])


NEAR_TYPE: dict[str, Callable[[Any], st.SearchStrategy[Any]]] = {
    "object": near_object,
    "array": lambda schema: st.lists(near(schema["items"]), max_size=6),
    "number": near_number,
    "integer": near_number,
    "boolean": lambda _schema: st.booleans(),
    "string": lambda _schema: WORDS,
    "null": lambda _schema: st.none(),
}


def without_nulls(request: Any) -> Any:
    """The request without the null fields of its assistant messages, which the official clients send."""
    messages = request.get("messages") if isinstance(request, dict) else None
    if not isinstance(messages, list):
        return request
    plain = [
        {name: value for name, value in message.items() if value is not None or name == "role"}
        if isinstance(message, dict) and message.get("role") == "assistant"
        else message
        for message in messages
    ]
    return request | {"messages": plain}


def refusal(request: object) -> str | None:
    """The sandbox's objection to a request, None if it has none."""
    try:
        read_request(json.dumps(request).encode())
    except ApiError as error:
        return str(error)
    return None


@with_the_document
def test_agrees_with_the_providers_schema() -> None:
    schema = provider_schema("request")
    validator = jsonschema.Draft202012Validator(schema)
    seen: Counter[str] = Counter()

    @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
    @given(near(schema))
    def agrees(request: Any) -> None:
        is_documented = validator.is_valid(without_nulls(request))
        message = refusal(request)
        if message is None:
            seen["accepted"] += 1
            assert is_documented
        else:
            seen["beyond" if is_documented else "refused"] += 1
            assert not is_documented or is_beyond_the_schema(message), message

    agrees()
    # The version of hypothesis decides how many of each come; an agreement about none would be no test.
    assert seen["accepted"] > 20
    assert seen["refused"] > 20
    assert seen["beyond"] > 0
