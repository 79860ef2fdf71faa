"""What the sandbox answers: content, reasoning, formats, tool calls, usage and cost, whole and as a stream."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import jsonschema
import pytest

from qwen_cli.request.format_in_words import format_in_words
from qwen_cli.sandbox.server import serving
from tests.provider import provider_schema, with_the_document
from tests.sandbox import PIXEL, WEATHER, chat, formatted, send


@pytest.fixture(scope="module")
def shared() -> Iterator[str]:
    """One sandbox without faults for all of these tests."""
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
        ([{"type": "image_url", "image_url": {"url": PIXEL}}], "(image)"),
        (
            [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "https://e.org/a.png"}}],
            "a\n\n(image)",
        ),
        ("\u2028é\U0001f600\x00\n", "\u2028é\U0001f600\x00\n"),
        ("lone \ud800", "lone \ufffd"),
    ],
)
def test_repeats_every_kind_of_prompt(shared: str, prompt: object, content: str) -> None:
    answer = chat(shared, prompt)
    assert answer.content == content
    assert chat(shared, prompt, stream=True).content == content


def test_answers_the_last_user_message(shared: str) -> None:
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "answer"},
        {"role": "user", "content": "second"},
        {"role": "tool", "content": "42", "tool_call_id": "c"},
    ]
    assert chat(shared, messages=messages).content == "second"


@pytest.mark.parametrize(
    ("model", "named"), [("alibaba/qwen3.6-35b-a3b", "qwen3.6-35b-a3b"), ("some/other", "some/other")]
)
def test_serves_any_model_and_names_the_one_that_was_asked_for(shared: str, model: str, named: str) -> None:
    assert chat(shared, model=model).json["model"] == named
    assert {chunk["model"] for chunk in chat(shared, model=model, stream=True).chunks} == {named}


def test_usage_and_cost_agree_with_the_price_list(shared: str) -> None:
    body = chat(shared, "one two three").json
    usage, cost = body["usage"], body["meta"]["usage"]
    units = send(shared, "GET", "/v1/models", headers={}).json["data"][0]["pricing"]["units"]
    price = {unit["measure"]: Decimal(str(unit["price"])) / unit["per"] for unit in units}
    spent = usage["prompt_tokens"] * price["input"] + usage["completion_tokens"] * price["output"]
    assert usage["prompt_tokens"] == 3
    assert usage["completion_tokens"] == usage["completion_tokens_details"]["reasoning_tokens"] + 3
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert price == {"input": Decimal("0.4875") / 1_000_000, "output": Decimal("2.925") / 1_000_000}
    assert Decimal(str(cost["usd_spent"])) == spent
    assert Decimal(str(cost["credits_used"])) == spent * 2_000_000


def test_max_tokens_cuts_the_content_and_counts_reasoning(shared: str) -> None:
    reasoning = chat(shared).json["usage"]["completion_tokens_details"]["reasoning_tokens"]
    cut = chat(shared, "one two three", max_tokens=reasoning + 2)
    assert cut.content == "one two"
    assert cut.choice["finish_reason"] == "length"
    assert cut.json["usage"]["completion_tokens"] == reasoning + 2
    assert chat(shared, "one two three", max_tokens=reasoning + 3).choice["finish_reason"] == "stop"
    streamed = chat(shared, "one two three", max_tokens=reasoning + 2, stream=True)
    assert streamed.content == "one two"
    assert streamed.chunks[-1]["choices"][0]["finish_reason"] == "length"


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


# Formats


def test_json_object_holds_the_prompt(shared: str) -> None:
    content = chat(shared, 'say "é" in Json', response_format={"type": "json_object"}).content
    assert json.loads(content) == {"prompt": 'say "é" in Json'}


@pytest.mark.parametrize(
    "words", ["a JSON list", [{"type": "text", "text": "JsOn"}, {"type": "image_url", "image_url": {"url": PIXEL}}]]
)
@pytest.mark.parametrize("role", ["user", "system", "assistant"])
def test_json_object_needs_the_word_in_some_message(shared: str, role: str, words: object) -> None:
    text = words if role == "user" else "json, please"
    messages = [{"role": role, "content": text}, {"role": "user", "content": "a colour"}]
    assert chat(shared, messages=messages, response_format={"type": "json_object"}).status == 200
    refused = chat(shared, "a colour", response_format={"type": "json_object"})
    assert refused.status == 400
    assert refused.message == (
        "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
    )


def test_json_schema_is_answered_with_an_instance(shared: str) -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string", "minLength": 2}, "tags": {"$ref": "#/$defs/tags"}},
        "required": ["name", "tags"],
        "additionalProperties": False,
        "$defs": {"tags": {"type": "array", "items": {"enum": ["red"]}, "minItems": 2}},
    }
    content = json.loads(chat(shared, **formatted(schema)).content)
    jsonschema.validate(content, schema)
    assert content["tags"] == ["red", "red"]


def test_json_schema_without_a_schema_is_a_json_object(shared: str) -> None:
    named = {"type": "json_schema", "json_schema": {"name": "thing"}}
    assert json.loads(chat(shared, "a colour", response_format=named).content) == {"prompt": "a colour"}


SIZE = {"type": "object", "properties": {"size": {"enum": ["large", "small"]}}, "required": ["size"]}


@pytest.mark.parametrize(
    ("choices", "schema", "answer"),
    [
        (['b"b', "c"], None, {"choice": 'b"b'}),
        (None, SIZE, {"size": "large"}),
        (None, None, {"prompt": "which"}),
    ],
)
@pytest.mark.parametrize("before", ["", "Be brief.\n\n"])
def test_a_format_in_the_words_of_the_program_is_met_where_the_field_is_absent(
    shared: str, before: str, choices: list[str] | None, schema: Any, answer: object
) -> None:
    words = format_in_words({"type": "json_object"}, choices, schema)
    messages = [{"role": "system", "content": f"{before}{words}"}, {"role": "user", "content": "which"}]
    assert json.loads(chat(shared, messages=messages).content) == answer
    in_parts = [{"role": "system", "content": [{"type": "text", "text": words}]}, messages[1]]
    assert json.loads(chat(shared, messages=in_parts).content) == answer
    assert chat(shared, messages=messages, response_format={"type": "text"}).content == "which"


@pytest.mark.parametrize(
    "words",
    [
        "Answer with JSON",
        "Answer with JSON, {",
        "Answer with JSON, please",
        "Answer with JSON that fits this JSON Schema, and with nothing else:\n[1]",
    ],
)
def test_other_words_are_no_format(shared: str, words: str) -> None:
    messages = [{"role": "system", "content": words}, {"role": "user", "content": "which"}]
    assert chat(shared, messages=messages).content == "which"
    assert chat(shared, words).content == words


def test_a_schema_in_words_that_cannot_be_met_is_refused_for_the_messages(shared: str) -> None:
    words = format_in_words(None, None, {"type": "string", "pattern": "^[0-9]{3}$"})
    refused = chat(shared, messages=[{"role": "system", "content": words}])
    assert refused.status == 400
    assert refused.message.startswith("messages: ")


# Tool calls


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


def test_log_probabilities_may_be_asked_for_and_are_null(shared: str) -> None:
    assert chat(shared, logprobs=True, top_logprobs=2).choice["logprobs"] is None


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


@with_the_document
@pytest.mark.parametrize("fields", [{}, {"logprobs": True, "top_logprobs": 1}, {"stop": "there"}])
def test_answers_as_the_provider_documents(shared: str, fields: dict[str, Any]) -> None:
    validator = jsonschema.Draft202012Validator(provider_schema("response"))
    assert list(validator.iter_errors(chat(shared, **fields).json)) == []
