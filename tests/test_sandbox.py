"""The sandbox over real sockets and around real processes."""

import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings

from qwen_cli.request import field_limits
from qwen_cli.sandbox.command import environment
from qwen_cli.sandbox.faults import FAULTS, Fault, FaultSchedule, parse_fault
from qwen_cli.sandbox.incoming import ApiError, parse_request
from qwen_cli.sandbox.schema_instance import find
from qwen_cli.sandbox.server import serving
from tests.sandbox import CHAT, KEY, Answer, asking, chat, connect, send

OPENAPI = Path(__file__).resolve().parents[2] / "shared" / "api" / "chat-completions.openapi.json"
PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACw="
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
    },
}


@pytest.fixture(scope="module")
def shared() -> Iterator[str]:
    """One sandbox without faults for all tests that don't look at its account."""
    with serving() as base_url:
        yield base_url


# The answer


def test_answers_with_the_prompt_and_says_that_it_is_a_sandbox(shared: str) -> None:
    message = chat(shared).choice["message"]
    assert message["content"] == "Hello there, world"
    assert "sandbox" in message["reasoning_content"]


def test_the_same_request_has_the_same_answer_and_another_has_another_id(shared: str) -> None:
    assert chat(shared).body == chat(shared).body
    assert chat(shared).json["id"] != chat(shared, "Hello").json["id"]


@pytest.mark.parametrize(
    ("prompt", "content"),
    [
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "a\n\nb"),
        ([{"type": "image_url", "image_url": {"url": PIXEL}}], "(1 image)"),
        ([{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "https://e.org/a.png"}}], "a"),
        ("", ""),
        ("\u2028é\U0001f600\x00\n", "\u2028é\U0001f600\x00\n"),
        ("lone \ud800", "lone \ud800"),
    ],
)
def test_repeats_every_kind_of_prompt(shared: str, prompt: object, content: str) -> None:
    answer = chat(shared, prompt)
    assert answer.body.decode()
    assert answer.choice["message"]["content"] == content
    streamed = chat(shared, prompt, stream=True).chunks
    assert "".join(chunk["choices"][0]["delta"]["content"] or "" for chunk in streamed) == content


def test_answers_the_last_user_message(shared: str) -> None:
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "answer"},
        {"role": "user", "content": "second"},
        {"role": "tool", "content": "42", "tool_call_id": "c"},
    ]
    assert chat(shared, messages=messages).choice["message"]["content"] == "second"


def test_usage_and_cost_agree_in_body_headers_and_price_list(shared: str) -> None:
    answer = chat(shared, "one two three")
    usage, cost = answer.json["usage"], answer.json["meta"]["usage"]
    units = send(shared, "GET", "/v1/models?include=pricing", headers={}).json["data"][0]["pricing"]["units"]
    price = {unit["measure"]: Decimal(str(unit["price"])) / unit["per"] for unit in units}
    spent = usage["prompt_tokens"] * price["input"] + usage["completion_tokens"] * price["output"]
    assert usage["prompt_tokens"] == 3
    assert usage["completion_tokens"] == usage["completion_tokens_details"]["reasoning_tokens"] + 3
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert price == {"input": Decimal("0.4875") / 1_000_000, "output": Decimal("2.925") / 1_000_000}
    assert Decimal(str(cost["usd_spent"])) == spent
    assert Decimal(str(cost["credits_used"])) == spent * 2_000_000
    assert Decimal(answer.headers["x-aimlapi-credits-used"]) == spent * 2_000_000
    assert Decimal(answer.headers["x-aimlapi-usd-spent"]) == spent
    assert "e" not in answer.headers["x-aimlapi-usd-spent"]


def test_headers_name_the_request_and_echo_the_clients_name_for_it(shared: str) -> None:
    body = json.dumps(asking()).encode()
    answer = send(shared, "POST", CHAT, body, KEY | {"X-Client-Request-Id": "build-7"})
    assert answer.headers["x-client-request-id"] == "build-7"
    assert answer.headers["x-inference-id"]
    assert "x-client-request-id" not in send(shared, "POST", CHAT, body, KEY | {"X-Client-Request-Id": "a b"}).headers


def test_max_tokens_cuts_the_content_and_counts_reasoning(shared: str) -> None:
    reasoning = chat(shared).json["usage"]["completion_tokens_details"]["reasoning_tokens"]
    cut = chat(shared, "one two three", max_tokens=reasoning + 2)
    assert cut.choice["message"]["content"] == "one two"
    assert cut.choice["finish_reason"] == "length"
    assert cut.json["usage"]["completion_tokens"] == reasoning + 2
    assert chat(shared, "one two three", max_tokens=reasoning + 3).choice["finish_reason"] == "stop"


def test_reasoning_can_eat_the_whole_budget(shared: str) -> None:
    starved = chat(shared, max_tokens=1)
    assert starved.choice["message"]["content"] is None
    assert starved.choice["finish_reason"] == "length"
    assert starved.json["usage"]["completion_tokens"] == 1


@pytest.mark.parametrize(
    ("stop", "content"),
    [("there", "Hello "), ([",", "there"], "Hello "), ("absent", "Hello there, world"), (None, "Hello there, world")],
)
def test_content_ends_before_the_first_stop_sequence(shared: str, stop: object, content: str) -> None:
    choice = chat(shared, stop=stop).choice
    assert (choice["message"]["content"], choice["finish_reason"]) == (content, "stop")


def test_json_object_holds_the_prompt(shared: str) -> None:
    content = chat(shared, 'say "é"', response_format={"type": "json_object"}).choice["message"]["content"]
    assert json.loads(content) == {"prompt": 'say "é"'}


def test_json_schema_is_answered_with_an_instance(shared: str) -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string", "minLength": 2}, "tags": {"$ref": "#/$defs/tags"}},
        "required": ["name", "tags"],
        "additionalProperties": False,
        "$defs": {"tags": {"type": "array", "items": {"enum": ["red"]}, "minItems": 2}},
    }
    named = {"type": "json_schema", "json_schema": {"name": "thing", "schema": schema, "strict": True}}
    content = json.loads(chat(shared, response_format=named).choice["message"]["content"])
    jsonschema.validate(content, schema)
    assert content["tags"] == ["red", "red"]


@pytest.mark.parametrize("tool_choice", ["required", {"type": "function", "function": {"name": "weather"}}])
def test_a_demanded_tool_is_called_with_valid_arguments(shared: str, tool_choice: object) -> None:
    fields = {"tools": [WEATHER], "tool_choice": tool_choice}
    choice = chat(shared, **fields).choice
    (call,) = choice["message"]["tool_calls"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    assert call["function"]["name"] == "weather"
    assert json.loads(call["function"]["arguments"]) == {"town": ""}

    deltas = [chunk["choices"][0]["delta"] for chunk in chat(shared, stream=True, **fields).chunks]
    fragments = [fragment for delta in deltas for fragment in delta.get("tool_calls", [])]
    assert fragments[0]["id"].startswith("call_")
    assert fragments[0]["function"]["name"] == "weather"
    arguments = "".join(fragment["function"]["arguments"] for fragment in fragments)
    assert json.loads(arguments) == {"town": ""}


@pytest.mark.parametrize("tool_choice", ["auto", "none"])
def test_tools_that_are_only_offered_are_not_called(shared: str, tool_choice: str) -> None:
    choice = chat(shared, tools=[WEATHER], tool_choice=tool_choice).choice
    assert choice["message"]["content"] == "Hello there, world"
    assert "tool_calls" not in choice["message"]


def test_logprobs_come_when_asked_for(shared: str) -> None:
    assert chat(shared).choice["logprobs"] is None
    logprobs = chat(shared, "é b", logprobs=True, top_logprobs=2).choice["logprobs"]["content"]
    assert [token["token"] for token in logprobs] == ["é", " b"]
    assert logprobs[0]["bytes"] == list("é".encode())
    assert logprobs[0]["top_logprobs"][0]["token"] == "é"
    streamed = chat(shared, "é b", logprobs=True, stream=True).chunks
    pieces = [chunk["choices"][0]["logprobs"] for chunk in streamed if chunk["choices"][0]["logprobs"]]
    assert [piece["content"][0]["token"] for piece in pieces] == ["é", " b"]


# The stream


def test_a_stream_goes_from_role_to_reasoning_to_content_to_usage(shared: str) -> None:
    answer = chat(shared, "one two three", stream=True, stream_options={"include_usage": True})
    *chunks, finish, last = answer.chunks
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert deltas[0]["role"] == "assistant"
    assert all("role" not in delta for delta in deltas[1:])
    kinds = ["content" if delta["content"] is not None else "reasoning" for delta in deltas]
    assert kinds == sorted(kinds, reverse=True)
    assert [delta["content"] for delta in deltas if delta["content"]] == ["one", " two", " three"]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * len(chunks)
    assert finish["choices"][0]["finish_reason"] == "stop"
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] == 3 + len(chunks) - 1
    assert last["meta"]["usage"]["credits_used"] > 0


def test_without_usage_the_cost_is_still_in_the_last_chunk(shared: str) -> None:
    last = chat(shared, stream=True).chunks[-1]
    assert last["choices"][0]["finish_reason"] == "stop"
    assert last["usage"] is None
    assert last["meta"]["usage"]["usd_spent"] > 0


def test_a_client_of_http_1_0_gets_a_stream_without_chunk_sizes(shared: str) -> None:
    host, port = shared.split("/")[2].split(":")
    body = json.dumps(asking(stream=True)).encode()
    with socket.create_connection((host, int(port)), timeout=20) as client:
        client.sendall(
            b"POST %b HTTP/1.0\r\nAuthorization: Bearer k\r\nContent-Length: %d\r\n\r\n" % (CHAT.encode(), len(body))
        )
        client.sendall(body)
        received = b"".join(iter(lambda: client.recv(65536), b""))
    head, _, stream = received.partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert stream.startswith(b"data: {")
    assert stream.endswith(b"data: [DONE]\n\n")


# What is refused

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a temperature above 2": ({"temperature": 2.1}, "temperature: Expected a number from 0 to 2, Received 2.1"),
    "a temperature in words": ({"temperature": "hot"}, "temperature: Expected a number"),
    "a boolean for a number": ({"top_p": True}, "top_p: Expected a number"),
    "a top_p of 0": ({"top_p": 0}, "top_p: "),
    "no tokens at all": ({"max_tokens": 0}, "max_tokens: Expected a number of at least 1, Received 0"),
    "max_tokens of null": ({"max_tokens": None}, "max_tokens: Expected a number of at least 1, Received null"),
    "half a seed": ({"seed": 1.5}, "seed: Expected an integer"),
    "a penalty below -2": ({"presence_penalty": -2.5}, "presence_penalty: "),
    "21 top_logprobs": ({"top_logprobs": 21, "logprobs": True}, "top_logprobs: "),
    "top_logprobs without logprobs": ({"top_logprobs": 2}, "logprobs: Expected true"),
    "five stops": ({"stop": list("abcde")}, "stop: Expected an array of at most 4"),
    "a stop that is a number": ({"stop": 5}, "stop: Expected a string or an array, Received 5"),
    "a bias above 100": ({"logit_bias": {"7": 101}}, "logit_bias.7: "),
    "stream in words": ({"stream": "yes"}, 'stream: Expected a boolean, Received "yes"'),
    "stream_options without include_usage": (
        {"stream_options": {}},
        "stream_options.include_usage: Expected a boolean, Received undefined",
    ),
    "an unknown effort": ({"reasoning_effort": "max"}, 'reasoning_effort: Expected "low" | "medium" | "high"'),
    "an unknown format": ({"response_format": {"type": "xml"}}, "response_format.type: "),
    "a format with more in it": ({"response_format": {"type": "text", "x": 1}}, "response_format.x: "),
    "a schema without a name": (
        {"response_format": {"type": "json_schema", "json_schema": {}}},
        "response_format.json_schema.name: ",
    ),
    "a schema's name with a space": (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a b"}}},
        "response_format.json_schema.name: ",
    ),
    "a schema that is none": (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "strng"}}}},
        "response_format.json_schema.schema.type: ",
    ),
    "a schema without an instance": (
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "a", "schema": {"required": ["a"], "properties": {"a": {"$ref": "#"}}}},
            }
        },
        "response_format.json_schema.schema: ",
    ),
    "a tool without parameters": (
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        "tools.0.function.parameters: Expected an object, Received undefined",
    ),
    "a tool with a bad name": (
        {"tools": [{"type": "function", "function": {"name": "f g", "parameters": {}}}]},
        "tools.0.function.name: ",
    ),
    "129 tools": ({"tools": [WEATHER] * 129}, "tools: Expected an array of at most 128"),
    "an unknown tool choice": ({"tool_choice": "any"}, "tool_choice: "),
    "a prediction without content": ({"prediction": {"type": "content"}}, "prediction.content: "),
    "messages that are a string": ({"messages": "hi"}, "messages: Expected an array"),
    "an unknown role": ({"messages": [{"role": "robot", "content": "hi"}]}, "messages.0.role: "),
    "a message without role": ({"messages": [{"content": "hi"}]}, "messages.0.role: "),
    "a user without content": ({"messages": [{"role": "user"}]}, "messages.0.content: "),
    "a tool result without its call": ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.tool_call_id: "),
    "a model that is a number": ({"model": 3}, "model: Expected a string"),
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
    assert answer.json["message"].startswith(message)
    assert "Received" in answer.json["message"]
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
        assert answer.json["message"].startswith("messages.0.content.0.image_url.url: ")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"\xff", b'{"model": NaN}', b'{"seed": 1e999}', b"[" * 100_000, b'{"a":' * 5000, b"1" * 5000],
)
def test_refuses_what_is_not_a_json_object(shared: str, body: bytes) -> None:
    answer = send(shared, "POST", CHAT, body)
    assert answer.status == 400
    assert answer.json["message"].startswith("body: Expected")


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", CHAT, {}, 401),
        ("POST", CHAT, {"Authorization": ""}, 401),
        ("POST", CHAT, {"Authorization": "Bearer "}, 401),
        ("POST", CHAT, {"Authorization": "Basic abc"}, 401),
        ("GET", "/v2/billing", {}, 401),
        ("GET", "/v1/models", {}, 200),
        ("POST", "/chat/completions", KEY, 200),
        ("POST", "/v1/completions", KEY, 404),
        ("GET", "/", KEY, 404),
        ("GET", "//[", KEY, 404),
        ("GET", CHAT, KEY, 405),
        ("DELETE", "/v1/models", KEY, 405),
        ("BREW", "/v1/models", KEY, 405),
    ],
)
def test_routes_and_keys(shared: str, method: str, path: str, headers: dict[str, str], status: int) -> None:
    body = json.dumps(asking()).encode() if method == "POST" else None
    answer = send(shared, method, path, body, headers)
    assert answer.status == status
    if status != 200:
        assert answer.json["statusCode"] == status


def test_another_model_is_not_found(shared: str) -> None:
    answer = chat(shared, model="qwen/other")
    assert answer.status == 404
    assert "qwen/other" in answer.json["message"]


def test_a_connection_is_kept_through_refusals(shared: str) -> None:
    connection = connect(shared)
    try:
        for path, status in ((CHAT, 200), ("/nowhere", 404), (CHAT, 200)):
            connection.request("POST", path, json.dumps(asking()), KEY)
            response = connection.getresponse()
            response.read()
            assert response.status == status
            assert response.headers.get("Connection") != "close"
    finally:
        connection.close()


def test_reads_a_body_sent_in_chunks(shared: str) -> None:
    connection = connect(shared)
    try:
        text = json.dumps(asking("in pieces")).encode()
        connection.request("POST", CHAT, iter([text[:5], text[5:]]), KEY, encode_chunked=True)
        assert Answer(connection.getresponse()).choice["message"]["content"] == "in pieces"
    finally:
        connection.close()


@pytest.mark.parametrize("size", [b"+5", b"x", b"", b"-1"])
def test_refuses_malformed_chunks(shared: str, size: bytes) -> None:
    host, port = shared.split("/")[2].split(":")
    with socket.create_connection((host, int(port)), timeout=20) as client:
        client.sendall(b"POST %b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n%b\r\n" % (CHAT.encode(), size))
        assert client.recv(65536).startswith(b"HTTP/1.1 400 ")


def test_64_megabytes_are_taken_and_more_is_a_413_that_arrives(shared: str) -> None:
    picture = [{"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 63_999_600}}]
    assert chat(shared, picture).choice["message"]["content"] == "(1 image)"
    connection = connect(shared)
    try:
        connection.putrequest("POST", CHAT)
        connection.putheader("Content-Length", str(65 << 20))
        connection.endheaders()
        # Some of the body is under way when the refusal comes, as with any client that sends before it listens.
        connection.send(bytes(4 << 20))
        answer = Answer(connection.getresponse())
        assert answer.status == 413
        assert answer.json["message"].startswith("body: Expected at most")
    finally:
        connection.close()


# Agreement with the provider's document

BEYOND_THE_SCHEMA = (
    "stop: Expected an array of at most 4",
    "tools: Expected an array of at most 128",
    "logprobs: Expected true, because top_logprobs is set",
)
"""Limits that the documents state in words, where the schema alone would let a request through."""


def is_beyond_the_schema(message: str) -> bool:
    field = message.partition(":")[0]
    return message.startswith(BEYOND_THE_SCHEMA) or field.endswith(
        ("image_url.url", "function.name", "json_schema.name")
    )


def as_json_schema(node: Any) -> Any:
    """A schema of OpenAPI 3.0 as one of JSON Schema: `nullable` becomes a type."""
    if isinstance(node, list):
        return [as_json_schema(member) for member in node]
    if not isinstance(node, dict):
        return node
    plain = {name: as_json_schema(value) for name, value in node.items() if name != "nullable"}
    if "anyOf" in plain:
        # An alternative that says nothing but nullable means null, not anything at all.
        plain["anyOf"] = [part or {"type": "null"} for part in plain["anyOf"]]
    if node.get("nullable") is True and "type" in node:
        return {"anyOf": [plain, {"type": "null"}]}
    return plain


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
        parse_request(json.dumps(request).encode())
    except ApiError as error:
        return str(error)
    return None


@pytest.mark.skipif(not OPENAPI.exists(), reason="the provider's document is not beside this checkout")
def test_agrees_with_the_providers_schema() -> None:
    document = json.loads(OPENAPI.read_text())
    body = document["paths"][CHAT]["post"]["requestBody"]["content"]["application/json"]
    schema = as_json_schema(body["schema"])
    validator = jsonschema.Draft202012Validator(schema)
    seen: Counter[str] = Counter()

    @settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
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
    # Chance, and the version of hypothesis, decide how many of each come; an agreement about none would be no test.
    assert seen["accepted"] > 20
    assert seen["refused"] > 20
    assert seen["beyond"] > 0


@pytest.mark.skipif(not OPENAPI.exists(), reason="the provider's document is not beside this checkout")
@pytest.mark.parametrize("fields", [{}, {"logprobs": True, "top_logprobs": 1}, {"stop": "there"}])
def test_answers_as_the_provider_documents(shared: str, fields: dict[str, Any]) -> None:
    document = json.loads(OPENAPI.read_text())
    answer = document["paths"][CHAT]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.validate(chat(shared, **fields).json, as_json_schema(answer))


# Instances of schemas

LEAVES = st.one_of(
    st.sampled_from([True, {}, {"type": "boolean"}, {"type": "null"}, {"enum": [1, "x"]}, {"const": {"k": [1]}}]),
    st.builds(lambda n: {"type": "string", "minLength": n, "maxLength": n + 1}, st.integers(0, 40)),
    st.builds(
        lambda n, k: {"type": "integer", "minimum": n, "maximum": n + k}, st.integers(-99, 99), st.integers(0, 3)
    ),
    st.builds(lambda n: {"type": "number", "exclusiveMinimum": n, "maximum": n + 0.25}, st.integers(-9, 9)),
    st.builds(lambda n, m: {"type": "integer", "minimum": n, "multipleOf": m}, st.integers(-99, 99), st.integers(1, 9)),
    st.just({"$ref": "#/$defs/leaf"}),
    st.just({"$ref": "#/$defs/list"}),
)


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    names = st.sampled_from("abc")
    return st.one_of(
        st.builds(
            lambda properties, required: {"type": "object", "properties": properties, "required": sorted(required)},
            st.dictionaries(names, inner),
            st.sets(names),
        ),
        st.builds(lambda items, n: {"type": "array", "items": items, "minItems": n}, inner, st.integers(0, 3)),
        st.builds(lambda parts: {"anyOf": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda part: {"allOf": [part, {"description": "as it is"}]}, inner),
    )


@settings(max_examples=300, deadline=None)
@given(st.recursive(LEAVES, nested, max_leaves=12))
def test_every_schema_of_common_keywords_gets_a_valid_instance(schema: Any) -> None:
    linked = {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#/$defs/list"}, {"type": "null"}]}}}
    root = {
        "allOf": [schema],
        "$defs": {"leaf": {"type": "string", "minLength": 1}, "list": linked | {"required": ["next"]}},
    }
    instance, misfits = find(root)
    validator = jsonschema.Draft202012Validator(root)
    assert validator.is_valid(instance)
    assert not any(map(validator.is_valid, misfits))


@pytest.mark.parametrize(
    ("schema", "instance"),
    [
        ({}, {}),
        ({"required": ["z"]}, {"z": None}),
        ({"type": ["null", "string"]}, None),
        ({"type": "string", "pattern": "^[0-9]$"}, "0"),
        ({"type": "string", "format": "date"}, "2026-01-01"),
        ({"allOf": [{"type": "number", "minimum": 3}, {"type": "integer", "multipleOf": 5}]}, 5),
        (
            {"allOf": [{"properties": {"a": {"const": 1}}, "required": ["a"]}], "properties": {"b": {}}},
            {"a": 1},
        ),
        ({"oneOf": [{"type": "integer"}, {"type": "number", "minimum": 0.5}]}, 0),
        ({"anyOf": [{"type": "string", "minLength": 10**12}, {"const": 7}]}, 7),
        ({"properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}, "required": ["next"]}, {"next": None}),
    ],
)
def test_small_instances(schema: dict[str, Any], instance: object) -> None:
    assert find(schema)[0] == instance
    jsonschema.validate(instance, schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/nowhere"},
        {"$ref": "https://example.org/schema"},
        {"type": "string", "pattern": "^[0-9]{3}-[a-z]$"},
        {"type": "string", "minLength": 10**12},
        {"type": "integer", "minimum": 3, "maximum": 2},
        {"type": "array", "minItems": 10**12},
        {"type": "array", "uniqueItems": True, "minItems": 2},
        {"type": "number", "minimum": 1, "multipleOf": 5e-324},
        {"not": {"type": "object"}},
        {"required": ["a"], "type": "object", "properties": {"a": {"$ref": "#"}}},
        {"enum": []},
    ],
)
def test_says_when_the_common_keywords_lead_to_no_instance(schema: dict[str, Any]) -> None:
    with pytest.raises((LookupError, ValueError)):
        find(schema)


# The account


def test_the_account_adds_up_what_was_served() -> None:
    with serving(faults=[Fault("500", 1)]) as base_url:
        assert send(base_url, "GET", "/v2/usage/detail?period=7d&group_by=day").status == 500
        before = send(base_url, "GET", "/v2/billing").json
        empty = send(base_url, "GET", "/v2/usage/detail?period=7d&group_by=day").json
        costs = [chat(base_url, prompt).json["meta"]["usage"]["usd_spent"] for prompt in ("one", "two three")]
        chat(base_url, temperature=9)
        report = send(base_url, "GET", "/v2/usage/detail?period=7d&group_by=day,model").json
        after = send(base_url, "GET", "/v2/billing").json
    assert (empty["requests"], empty["spend"], empty["models"], empty["groups"]) == (0, 0, [], [])
    spent = sum(Decimal(str(cost)) for cost in costs)
    assert Decimal(str(report["spend"])) == spent
    assert Decimal(str(before["current_balance"])) - Decimal(str(after["current_balance"])) == spent
    assert report["models"] == [{"model": field_limits.MODEL, "spend": report["spend"], "requests": 2}]
    assert report["groups"][0]["requests"] == {"total": 2, "charged": 2, "succeeded": 2, "failed": 0}
    assert report["groups"][0]["tokens"]["input"] == 3


def test_a_failed_request_is_counted_but_not_charged() -> None:
    with serving(faults=[Fault("503", 1)]) as base_url:
        assert chat(base_url).status == 503
        group = send(base_url, "GET", "/v2/usage/detail?period=24h&group_by=model").json["groups"][0]
    assert group["requests"] == {"total": 1, "charged": 0, "succeeded": 0, "failed": 1}
    assert group["spend"] == 0


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("period=24h", 200),
        ("period=92d", 200),
        ("period=2208h&group_by=model", 200),
        ("period=93d", 400),
        ("period=2209h", 400),
        ("period=0d", 400),
        ("period=-1d", 400),
        ("period=7w", 400),
        ("period=", 400),
        ("", 400),
        ("period=7d&group_by=hour", 400),
        ("start=2025-10-01&end=2026-01-01", 200),
        ("start=2025-10-01T00:00:00Z&end=2026-01-01T00:00:00%2B00:00", 200),
        ("start=2025-10-01&end=2026-01-01T00:00:01", 400),
        ("start=2026-01-02&end=2026-01-01", 400),
        ("start=2026-01-01T01:00%2B02:00&end=2026-01-01T00:00Z", 200),
        ("start=2026-01-01", 400),
        ("end=2026-01-01", 400),
        ("period=7d&start=2026-01-01", 400),
        ("period=7d&start=2026-01-01&end=2026-01-02", 400),
        ("start=yesterday&end=2026-01-02", 400),
        ("start=0001-01-01T00:00%2B14:00&end=2026-01-02", 400),
    ],
)
def test_periods(shared: str, query: str, status: int) -> None:
    assert send(shared, "GET", f"/v2/usage/detail?{query}").status == status


def test_a_window_from_start_to_end_holds_what_was_served_in_it() -> None:
    with serving() as base_url:
        spent = chat(base_url).json["meta"]["usage"]["usd_spent"]
        now, before = (
            send(base_url, "GET", f"/v2/usage/detail?group_by=day&start=2025-12-31T23:00&end={end}").json
            for end in ("2026-01-01T01:00:00%2B01:00", "2025-12-31T23:59:59Z")
        )
    assert (now["start"], now["end"]) == ("2025-12-31T23:00:00.000Z", "2026-01-01T00:00:00.000Z")
    assert (now["requests"], now["spend"], now["groups"][0]["spend"]) == (1, spent, spent)
    assert (before["requests"], before["spend"], before["models"], before["groups"]) == (0, 0, [], [])


@pytest.mark.parametrize(
    ("query", "found", "priced"),
    [
        ("", 1, False),
        (f"id={field_limits.MODEL}", 1, False),
        ("id=other", 0, False),
        (f"id=other,{field_limits.MODEL}&include=all", 1, True),
        ("include=pricing,capabilities", 1, True),
        ("details=true", 1, True),
    ],
)
def test_models(shared: str, query: str, found: int, priced: bool) -> None:
    models = send(shared, "GET", f"/v1/models?{query}", headers={}).json["data"]
    assert [model["id"] for model in models] == [field_limits.MODEL] * found
    assert ["pricing" in model for model in models] == [priced] * found
    for model in models:
        assert (model["info"]["contextLength"], model["info"]["outputMax"]) == (256_000, 252_000)


# Faults


@pytest.mark.parametrize("kind", FAULTS)
def test_parses_every_fault(kind: str) -> None:
    assert parse_fault(kind) == Fault(kind)
    assert parse_fault(f"{kind}*12") == Fault(kind, 12)


@pytest.mark.parametrize("text", ["", "404", "429*", "429*0", "429*-1", "429*two", "*2", "slow*1*1", "429 *1"])
def test_refuses_other_faults(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not one of 429, 500|after the") as refusal:
        parse_fault(text)
    assert "\n" not in str(refusal.value)


def test_faults_are_met_in_the_order_given() -> None:
    schedule = FaultSchedule([Fault("429", 2), Fault("cut", 1)])
    assert [schedule.take() for _ in range(5)] == ["429", "429", "cut", None, None]
    assert [FaultSchedule([Fault("slow")]).take() for _ in range(3)] == ["slow"] * 3


@pytest.mark.parametrize("kind", ["429", "500", "503"])
def test_rehearses_failures_of_the_service(kind: str) -> None:
    with serving(faults=[Fault(kind, 1)]) as base_url:
        failed, fine = chat(base_url), chat(base_url)
    assert (failed.status, fine.status) == (int(kind), 200)
    assert failed.json["statusCode"] == int(kind)
    assert failed.headers.get("Retry-After") == ("1" if kind == "429" else None)


def test_rehearses_a_broken_connection() -> None:
    with serving(faults=[Fault("cut", 2)]) as base_url:
        with pytest.raises(http.client.IncompleteRead) as body:
            chat(base_url)
        with pytest.raises(http.client.IncompleteRead) as stream:
            chat(base_url, "one two three four", stream=True)
        assert chat(base_url).status == 200
    assert body.value.partial.startswith(b'{"id":')
    assert b'"content":" two"' in stream.value.partial
    assert b'"content":" three"' not in stream.value.partial
    assert b'"finish_reason":"stop"' not in stream.value.partial


@pytest.mark.parametrize("stream", [False, True])
def test_rehearses_garbage(stream: bool) -> None:
    with serving(faults=[Fault("garbage")]) as base_url:
        answer = chat(base_url, stream=stream)
    assert answer.status == 200
    data = answer.body.partition(b"data: ")[2].partition(b"\n\n")[0] if stream else answer.body
    assert data
    with pytest.raises(ValueError, match=r"codec|Expecting"):
        json.loads(data)


@pytest.mark.parametrize("stream", [False, True])
def test_rehearses_an_answer_cut_by_length(stream: bool) -> None:
    with serving(faults=[Fault("length")]) as base_url:
        answer = chat(base_url, "one two three four", stream=stream)
    if stream:
        choices = [chunk["choices"][0] for chunk in answer.chunks]
        assert "".join(choice["delta"]["content"] or "" for choice in choices) == "one two"
        assert choices[-1]["finish_reason"] == "length"
    else:
        assert answer.choice["message"]["content"] == "one two"
        assert answer.choice["finish_reason"] == "length"


def test_a_slow_service_waits_and_then_paces_the_stream() -> None:
    with serving(faults=[Fault("slow")]) as base_url:
        connection = connect(base_url)
        try:
            start = time.monotonic()
            connection.request("POST", CHAT, json.dumps(asking("one", stream=True)), KEY)
            response = connection.getresponse()
            assert time.monotonic() - start > 1.5
            arrivals = [time.monotonic() for line in response if line.startswith(b"data: {")]
        finally:
            connection.close()
    gaps = [later - earlier for earlier, later in pairwise(arrivals)]
    # One that the machine delivered late comes close to its successor.
    assert statistics.median(gaps) > 0.08


# The server under strain


def test_many_clients_at_once(shared: str) -> None:
    contents: list[str] = []
    threads = [
        threading.Thread(target=lambda n=n: contents.append(chat(shared, f"number {n}").choice["message"]["content"]))
        for n in range(200)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(contents) == sorted(f"number {n}" for n in range(200))


def test_listens_on_loopback_only(shared: str) -> None:
    assert shared.startswith("http://127.0.0.1:")
    with socket.socket() as client:
        # Another address of this machine's loopback network: served too, if the server listened everywhere.
        assert client.connect_ex(("127.0.0.2", int(shared.split("/")[2].split(":")[1]))) != 0


def test_stops_listening_when_done() -> None:
    with serving() as base_url:
        assert chat(base_url).status == 200
    with pytest.raises(ConnectionRefusedError):
        chat(base_url)


# Around a command

RUN = "import sys; from qwen_cli.sandbox.command import run; sys.exit(run(sys.argv[1:]))"
PRINT_PLACE = "import os; print(os.environ['AIMLAPI_BASE_URL'], os.environ['AIMLAPI_API_KEY'])"


def sandboxed(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUN, *command],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_the_command_finds_the_sandbox_in_its_environment() -> None:
    done = sandboxed(sys.executable, "-c", PRINT_PLACE)
    base_url, key = done.stdout.split()
    assert base_url.startswith("http://127.0.0.1:")
    assert base_url.endswith("/v1")
    assert key == "sandbox"
    assert (done.returncode, done.stderr) == (0, "")


def test_the_environment_leads_nowhere_else() -> None:
    outer = {
        "QWEN_CLI_BASE_URL": "https://elsewhere",
        "AIMLAPI_KEY": "real",
        "AIML_API_KEY": "real",
        "AIMLAPI_API_KEY": "real",
        "https_proxy": "http://proxy",
        "NO_PROXY": "intranet",
        "HOME": "/home/me",
    }
    assert environment("http://127.0.0.1:1/v1", outer) == {
        "AIMLAPI_BASE_URL": "http://127.0.0.1:1/v1",
        "AIMLAPI_API_KEY": "sandbox",
        "https_proxy": "http://proxy",
        "NO_PROXY": "intranet,127.0.0.1",
        "no_proxy": "intranet,127.0.0.1",
        "HOME": "/home/me",
    }


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (("true",), 0),
        (("sh", "-c", "exit 7"), 7),
        (("sh", "-c", "kill -TERM $$"), 143),
        (("sh", "-c", "kill -KILL $$"), 137),
    ],
)
def test_returns_the_status_of_the_command(command: tuple[str, ...], status: int) -> None:
    done = sandboxed(*command)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


def test_says_when_the_command_cannot_start(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("true\n")
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    for command, status in (("no-such-command", 127), (str(script), 127), (str(plain), 126), (str(tmp_path), 126)):
        done = sandboxed(command)
        assert done.returncode == status
        assert done.stderr.startswith(f"qwen-cli: {command}: ")
        assert done.stderr.count("\n") == 1


def test_a_key_in_the_place_of_the_command_is_not_shown() -> None:
    done = sandboxed("sk-0123456789abcdefABCDEF")
    assert done.returncode == 127
    assert "0123456789" not in done.stderr


def test_the_command_inherits_the_three_streams_and_its_signals() -> None:
    code = (
        "import signal, sys; sys.stderr.write(sys.stdin.read()); "
        "print([signal.getsignal(s) == signal.SIG_DFL for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", RUN, sys.executable, "-c", code],
        input="typed",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("[True, True, True]\n", "typed")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_passes_signals_on_to_the_command(signum: signal.Signals) -> None:
    trap = f"trap 'echo caught; exit 5' {signum.name.removeprefix('SIG')}; echo ready; while :; do sleep 0.05; done"
    with subprocess.Popen([sys.executable, "-c", RUN, "sh", "-c", trap], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signum)
        assert process.stdout.read() == "caught\n"
    assert process.returncode == 5


def test_an_interrupt_is_the_commands_to_handle() -> None:
    trap = "trap 'echo caught; exit 6' INT; echo ready; while :; do sleep 0.05; done"
    with subprocess.Popen(
        [sys.executable, "-c", RUN, "sh", "-c", trap], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        os.killpg(process.pid, signal.SIGINT)
        assert process.stdout.read() == "caught\n"
    assert process.returncode == 6


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_without_a_command_says_where_it_is_and_serves_until_a_signal(signum: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", RUN], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        place, key = process.stdout.readline(), process.stdout.readline()
        assert key == "export AIMLAPI_API_KEY=sandbox\n"
        assert place.startswith("export AIMLAPI_BASE_URL=http://127.0.0.1:")
        assert chat(place.strip().partition("=")[2]).status == 200
        process.send_signal(signum)
        assert process.wait(20) == -signum
        assert process.stderr.read() == (
            "qwen-cli: serving until interrupted; paste these two lines into another shell\n"
        )


def test_clients_that_hang_up_leave_no_trace(tmp_path: Path) -> None:
    client = tmp_path / "client.py"
    client.write_text(
        "import json, os, socket, struct, time\n"
        "from urllib.parse import urlsplit\n"
        "url = urlsplit(os.environ['AIMLAPI_BASE_URL'])\n"
        f"body = json.dumps({asking('word ' * 50_000, stream=True)!r}).encode()\n"
        "head = b'POST /v1/chat/completions HTTP/1.1\\r\\nAuthorization: Bearer k\\r\\n'\n"
        "whole = head + b'Content-Length: %d\\r\\n\\r\\n' % len(body) + body\n"
        "for sent in (b'', b'POST', head, whole[:-5], whole, whole, whole):\n"
        "    for abruptly in (True, False):\n"
        "        with socket.create_connection((url.hostname, url.port)) as client:\n"
        "            client.sendall(sent)\n"
        "            if abruptly:\n"
        "                if sent is whole: client.recv(10)\n"
        "                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))\n"
        "time.sleep(0.5)\n"
        "import http.client\n"
        "connection = http.client.HTTPConnection(url.netloc)\n"
        "connection.request('GET', '/v1/models')\n"
        "print(connection.getresponse().status)\n"
    )
    done = sandboxed(sys.executable, str(client))
    assert (done.returncode, done.stdout, done.stderr) == (0, "200\n", "")


# Around the program itself

PROGRAM = (sys.executable, "-m", "qwen_cli")


def qwen(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The program with nothing on standard input, and no settings of the caller's."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("QWEN_CLI_", "AIML"))}
    return subprocess.run(
        [*PROGRAM, *arguments],
        env=plain,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_program_asks_its_own_sandbox() -> None:
    done = qwen("sandbox", "--", *PROGRAM, "ask", "Is anybody there?")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Is anybody there?\n", "")


@pytest.mark.parametrize(
    ("fault", "status", "stdout"),
    [
        ("429*1", 0, "one two three four\n"),
        ("500", 5, ""),
        ("cut", 6, ""),
        ("garbage", 9, ""),
        ("length", 8, "one two\n"),
    ],
)
def test_the_program_meets_the_faults(fault: str, status: int, stdout: str) -> None:
    done = qwen("sandbox", "--fault", fault, "--", *PROGRAM, "ask", "one two three four")
    assert (done.returncode, done.stdout) == (status, stdout)
    assert all(line.startswith("qwen-cli: ") for line in done.stderr.splitlines())


def test_an_unknown_fault_is_a_usage_error() -> None:
    done = qwen("sandbox", "--fault", "404", "--", "true")
    assert (done.returncode, done.stdout) == (2, "")
    assert ", ".join(FAULTS) in done.stderr
