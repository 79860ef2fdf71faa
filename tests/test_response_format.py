"""The format that was requested: stated in the request, and what the answer is held against."""

import json
from collections.abc import Sequence

import pytest

from tests.api_server import ApiServer, Request, Step, events, reply
from tests.bodies import Json, chunks, completion, error
from tests.dry_run import messages_of
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
    result = qwen.call("stream", "--response-format", "json_object", "hi")
    assert (result.status, result.text) == (9, "Sure! {}\n")
    assert "json_object was requested" in result.message
    assert qwen.call("stream", "--response-format", "json_object", "hi").status == 0


# A server that refuses the field is asked once more without it: the format stands in words, too.

REFUSALS = [
    "response_format is not supported",
    "This model does not support Structured Outputs",
    "json_schema: unknown type",
    "JSON mode is not enabled",
    "Invalid response format",
]


@pytest.mark.parametrize("status", [400, 422, 500])
@pytest.mark.parametrize("words", REFUSALS)
def test_a_format_that_the_server_refuses_is_asked_for_in_words_alone(
    qwen: Program, api: ApiServer, status: int, words: str
) -> None:
    api.answer(reply(error(status, words), status=status), reply(completion('{"choice": "ham"}')))
    result = qwen.call("ask", "--choice=spam", "--choice=ham", "hi")
    assert (result.status, result.text) == (0, "ham\n")
    assert words in result.message
    assert result.message.endswith("; asking again without it: the format is stated in words, too")
    first, second = (request.json for request in api.requests)
    assert first.pop("response_format")["type"] == "json_schema"
    assert second == first
    assert first["messages"][0]["role"] == "system"


@pytest.mark.parametrize(
    ("status", "words", "ends_with"),
    [
        pytest.param(413, "response_format is not supported", 4, id="by a status that is about something else"),
        pytest.param(401, "response_format is not for you", 3, id="by one about the key"),
        pytest.param(400, "temperature is not supported", 4, id="in words about something else"),
    ],
)
def test_other_refusals_are_final(qwen: Program, api: ApiServer, status: int, words: str, ends_with: int) -> None:
    api.answer(reply(error(status, words), status=status))
    assert qwen.call("ask", "--response-format", "json_object", "hi").status == ends_with


def test_a_format_that_has_no_words_is_not_dropped(qwen: Program, api: ApiServer) -> None:
    """What was written as JSON is sent as it is, or not at all."""
    api.answer(reply(error(400, REFUSALS[0]), status=400))
    wanted = json.dumps({"type": "json_schema", "json_schema": {"name": "x"}})
    assert qwen.call("ask", "--response-format", wanted, "hi").status == 4


def test_a_stream_may_refuse_the_format_too(qwen: Program, api: ApiServer) -> None:
    api.answer(events([error(400, REFUSALS[0])]), events(chunks("{}")))
    result = qwen.call("stream", "--response-format", "json_object", "hi")
    assert (result.status, result.text) == (0, "{}\n")


@pytest.mark.parametrize("arguments", [("json",), ("json", "--stream")], ids=" ".join)
def test_what_is_printed_as_it_came_cannot_be_taken_back(
    qwen: Program, api: ApiServer, arguments: tuple[str, ...]
) -> None:
    refused = {"error": {"message": REFUSALS[0], "code": 400}}
    api.answer(events([refused]) if "--stream" in arguments else reply(refused))
    result = qwen.call(*arguments, "--response-format", "json_object", "hi")
    assert (result.status, result.text) == (4, json.dumps(refused) + "\n")


def test_map_remembers_what_the_server_refuses(qwen: Program, api: ApiServer) -> None:
    def answer(request: Request) -> Sequence[Step]:
        is_refused = "response_format" in request.json
        return reply(error(400, REFUSALS[0]), status=400) if is_refused else reply(completion("{}"))

    api.always(answer)
    result = qwen("map", "-P", "1", "--response-format", "json_object", input="a\nb\nc\n")
    assert (result.status, result.text) == (0, "{}\n" * 3)
    assert ["response_format" in request.json for request in api.requests] == [True, False, False, False]


@pytest.mark.parametrize("content", ["Be brief.", [{"type": "text", "text": "Be brief."}]], ids=["text", "parts"])
def test_the_words_are_added_to_the_system_message(qwen: Program, content: str | list[Json]) -> None:
    messages = [{"role": "system", "content": content}, {"role": "user", "content": "hi"}]
    flags = ("--schema", '{"type": "string"}', "--messages", json.dumps(messages))
    system, user = messages_of(qwen, *flags)
    words = 'Answer with JSON that fits this JSON Schema, and with nothing else:\n{"type":"string"}'
    assert system["content"] == (
        f"Be brief.\n\n{words}" if isinstance(content, str) else [*content, {"type": "text", "text": words}]
    )
    assert user == messages[1]
