"""The format that was requested: stated in the request, and what the answer is held against."""

import json

import pytest

from tests.api_server import ApiServer, events, reply
from tests.bodies import Json, chunks, completion
from tests.program import Program


@pytest.mark.parametrize("by_variable", [False, True])
@pytest.mark.parametrize(
    "arguments",
    [
        ("check",),
        ("ask", "--choice", "spam", "--choice", "ham"),
        ("map", "--choice", "spam", "--choice", "ham"),
        ("stream", "--schema", "schema.json"),
        ("json", "--response-format", "json_object"),
    ],
    ids=" ".join,
)
def test_what_is_asked_for_is_what_is_checked(qwen: Program, arguments: tuple[str, ...], by_variable: bool) -> None:
    qwen.file("schema.json", "{}")
    other = 'response_format={"type":"text"}'
    env, flags = ({"QWEN_CLI_FIELD": other}, ()) if by_variable else ({}, ("-F", other))
    result = qwen.call(*arguments, *flags, "Is it?", env=env)
    assert (result.status, result.text) == (2, "")
    assert "response_format" in result.message


@pytest.mark.parametrize("streaming", [False, True], ids=["as a body", "as a stream"])
@pytest.mark.parametrize(
    ("content", "status"),
    [("{}", 0), ("[]", 9), ("Sure!", 9), ('{"a": NaN}', 9)],
)
def test_a_json_format_is_held_against_the_content(
    qwen: Program, api: ApiServer, content: str, status: int, streaming: bool
) -> None:
    api.answer(events(chunks(content)) if streaming else reply(completion(content)))
    result = qwen.call("json", *(["--stream"] if streaming else []), "--response-format", "json_object", "hi")
    assert result.status == status
    assert content in "".join(found_content(json.loads(line)) for line in result.text.splitlines())
    if status:
        assert "json_object was requested" in result.message


def found_content(document: Json) -> str:
    """The content of a body or a chunk."""
    return "".join(choice.get("message", choice.get("delta"))["content"] or "" for choice in document["choices"])


def test_a_json_format_that_the_answer_does_not_keep_ends_with_9(qwen: Program, api: ApiServer) -> None:
    api.answer(events(chunks("Sure! ", "{}")), events(chunks('{"a"', ": 1}")))
    result = qwen("stream", "--response-format", "json_object", "hi")
    assert (result.status, result.text) == (9, "Sure! {}\n")
    assert "json_object was requested" in result.message
    assert qwen("stream", "--response-format", "json_object", "hi").status == 0
