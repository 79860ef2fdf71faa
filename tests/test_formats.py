"""JSON, choices and yes or no on every server: stated in words, requested in the field, dropped where it is refused."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.api_server import ApiServer, Request, Step, events, reply
from tests.bodies import Json, chunks, completion
from tests.program import Program

SCHEMA: Json = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
CHOICES = ("--choice", "spam", "--choice", "ham")
WORDS = {
    CHOICES: 'Answer with JSON, {"choice":"spam"} or {"choice":"ham"}, and with nothing else.',
    ("--schema", json.dumps(SCHEMA)): (
        "Answer with JSON that fits this JSON Schema, and with nothing else:\n"
        + json.dumps(SCHEMA, separators=(",", ":"))
    ),
    ("--response-format", "json_object"): "Answer with a JSON object, and with nothing else.",
}
FORMATS = [pytest.param(options, words, id=options[0]) for options, words in WORDS.items()]
ANSWERS = {"--choice": '{"choice":"ham"}', "--schema": '{"n": 1}', "--response-format": '{"n": 1}'}
SHOWN = {"--choice": "ham\n", "--schema": '{"n": 1}\n', "--response-format": '{"n": 1}\n'}


def systems(request: Request) -> list[Any]:
    return [message["content"] for message in request.json["messages"] if message["role"] == "system"]


def refusing(
    *fields: str, status: int = 400, words: str = "{} is not supported"
) -> Callable[[Request], Sequence[Step]]:
    """Refuses requests that have one of these fields, and answers the others."""

    def answer(request: Request) -> Sequence[Step]:
        body = request.json
        refused = [field for field in fields if field in body and body[field] != "auto"]
        if refused:
            return reply({"error": {"message": words.format(refused[0])}}, status=status)
        text = "\n".join(str(message["content"]) for message in body["messages"])
        content = '{"choice":"ham"}' if "choice" in text else '{"n": 1}'
        return events(chunks(content)) if body["stream"] else reply(completion(content))

    return answer


@pytest.mark.parametrize("command", ["ask", "stream", "json", "map"])
@pytest.mark.parametrize(("options", "words"), FORMATS)
def test_it_is_requested_in_the_field_and_stated_in_words(
    qwen: Program, api: ApiServer, command: str, options: tuple[str, ...], words: str
) -> None:
    content = ANSWERS[options[0]]
    api.answer(events(chunks(content)) if command == "stream" else reply(completion(content)))
    result = qwen.call("map", *options, input="hi\n") if command == "map" else qwen.call(command, *options, "hi")
    assert (result.status, result.stderr) == (0, "")
    assert systems(api.request) == [words]
    assert api.request.json["response_format"]["type"] in ("json_schema", "json_object")
    if command != "json":
        assert result.text == SHOWN[options[0]]


def test_the_words_follow_a_system_message_whichever_form_it_has(qwen: Program, api: ApiServer) -> None:
    words = WORDS[CHOICES]
    parts = [{"role": "system", "content": [{"type": "text", "text": "Be brief."}]}]
    for options in (
        ["-s", "Be brief."],
        ["--messages", json.dumps(parts)],
        ["--messages", '[{"role":"user","content":"x"}]'],
    ):
        api.answer(reply(completion("ham")))
        assert qwen.call("ask", *options, *CHOICES, "hi").text == "ham\n"
    plain, in_parts, alone = map(systems, api.requests)
    assert plain == [f"Be brief.\n\n{words}"]
    assert in_parts == [[{"type": "text", "text": "Be brief."}, {"type": "text", "text": words}]]
    assert alone == [words]


def test_a_json_object_is_only_explained_where_nobody_has_said_json(qwen: Program, api: ApiServer) -> None:
    api.always(reply(completion("{}")))
    parts = json.dumps([{"role": "user", "content": [{"type": "text", "text": "a json object"}]}])
    for arguments in (["as JSON, please"], ["-s", "Json!", "hi"], ["--messages", parts, "hi"]):
        assert qwen.call("ask", "--response-format", "json_object", *arguments).text == "{}\n"
    assert [systems(request) for request in api.requests] == [[], ["Json!"], []]


def test_previews_and_estimates_show_and_count_the_words(qwen: Program, api: ApiServer) -> None:
    for option in ("--dry-run", "--curl"):
        assert "and with nothing else" in qwen.call("ask", option, *CHOICES, "hi").text
    api.always(reply({"data": []}))
    plain, formatted = (
        qwen.call("cost", "--estimate", "-q", *options, "hi").text.partition("\t")[2].partition("\n")[0]
        for options in ((), CHOICES)
    )
    assert int(formatted) > int(plain) + len(WORDS[CHOICES])


def test_a_conversation_does_not_keep_the_words(qwen: Program, api: ApiServer) -> None:
    api.always(reply(completion("ham")))
    for _ in range(2):
        assert qwen.call("ask", "--chat", "talk.json", *CHOICES, "hi").text == "ham\n"
    kept = json.loads(qwen.files()["talk.json"])
    assert [message["role"] for message in kept] == ["user", "assistant"] * 2
    assert systems(api.requests[1]) == [WORDS[CHOICES]]


# A server that refuses the field

REFUSALS = [
    (400, "response_format of type json_schema is not supported"),
    (400, "Json mode response is not supported when enable_thinking is true"),
    (422, "Structured output is not available for this model"),
    (500, "failed to parse grammar"),
    (404, "No endpoints found that support the provided 'response_format' value"),
    (400, "x" * 400 + " response_format"),
]


@pytest.mark.parametrize(("status", "words"), REFUSALS)
@pytest.mark.parametrize("command", ["ask", "stream", "json"])
def test_a_refused_field_is_left_out_once_with_a_note(
    qwen: Program, api: ApiServer, command: str, status: int, words: str
) -> None:
    api.always(refusing("response_format", status=status, words=words))
    result = qwen.call(command, "--retries", "0", *CHOICES, "hi")
    assert result.status == 0
    assert f"HTTP {status}: {words[:200]}" in result.message
    assert result.message.endswith("; asking again without it: the format is stated in words, too")
    first, second = (request.json for request in api.requests)
    assert {name: value for name, value in first.items() if name != "response_format"} == second


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (422, {"detail": [{"loc": ["body", "response_format"], "msg": "Extra inputs are not permitted"}]}),
        (400, {"error": {"message": "Unsupported value", "param": "response_format"}}),
        (400, {"error": {"message": "Failed to generate", "code": "json_validate_failed"}}),
        (400, {"error": {"message": "JSON-mode is not available"}}),
        (400, {"error": {"message": 'Unknown name "responseFormat"'}}),
        (400, {"error": {"message": "The type json_object is not supported"}}),
        (400, {"code": "InvalidParameter", "message": "'response_format.type' is invalid", "request_id": "r-1"}),
        (200, {"code": "InvalidParameter", "message": "'response_format.type' is invalid", "request_id": "r-1"}),
        (200, {"error": {"message": "Unsupported value", "param": "response_format"}}),
    ],
)
def test_it_may_be_named_anywhere_in_the_error(qwen: Program, api: ApiServer, status: int, body: Json) -> None:
    api.answer(reply(body, status=status), reply(completion("ham")))
    result = qwen.call("ask", *CHOICES, "hi")
    assert (result.status, result.text) == (0, "ham\n")
    assert "response_format" not in api.requests[1].json


def test_an_event_may_refuse_it(qwen: Program, api: ApiServer) -> None:
    refusal = {"error": {"message": "response_format is not supported", "code": 400}}
    api.answer(events([refusal]), events(chunks("ham")))
    result = qwen.call("stream", *CHOICES, "hi")
    assert (result.status, result.text) == (0, "ham\n")


def test_every_command_does_without_it(qwen: Program, api: ApiServer) -> None:
    api.always(refusing("response_format"))
    assert qwen("check", "-q", "hi").status == 9  # the imitation says "ham"
    assert qwen("cost", "-q", *CHOICES, "hi").text.startswith("prompt_tokens\t")
    assert qwen("map", "-q", *CHOICES, input="a\nb\n").text == "ham\nham\n"
    assert qwen("filter", "-q", input="a\n").status == 11
    assert qwen("ask", "-q", "--schema", json.dumps(SCHEMA), "hi").text == '{"n": 1}\n'


@pytest.mark.parametrize(
    ("status", "words", "expected"),
    [
        (400, "The prompt is too long", 4),
        (401, "response_format: no such key", 3),
        (429, "response_format: slow down", 5),
        (413, "response_format is too large", 4),
    ],
)
def test_another_refusal_is_not_asked_again(
    qwen: Program, api: ApiServer, status: int, words: str, expected: int
) -> None:
    api.answer(reply({"message": words}, status=status))
    result = qwen.call("ask", "--retries", "0", *CHOICES, "hi")
    assert result.status == expected
    assert len(api.requests) == 1


def test_a_format_that_was_set_as_a_field_is_not_left_out(qwen: Program, api: ApiServer) -> None:
    api.always(refusing("response_format"))
    result = qwen.call("ask", "-F", 'response_format={"type":"json_schema","json_schema":{"name":"x"}}', "hi")
    assert result.status == 4
    assert len(api.requests) == 1


def test_both_fields_may_be_refused(qwen: Program, api: ApiServer) -> None:
    api.always(refusing("tool_choice", "response_format"))
    tools = json.dumps([{"type": "function", "function": {"name": "f", "parameters": {}}}])
    result = qwen.call("ask", "--tools", tools, "--tool-choice", "required", *CHOICES, "hi")
    assert len(api.requests) == 3
    assert api.requests[2].json["tool_choice"] == "auto"
    assert result.status == 9, "no tool was called, although one was demanded"
    assert "calls no tool, although a call was requested" in result.stderr


def test_a_tool_that_is_called_all_the_same_is_an_answer(qwen: Program, api: ApiServer) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    api.answer(
        reply({"message": "The tool_choice parameter does not support being set to required"}, status=400),
        reply(completion(None, tool_calls=[call], finish_reason="tool_calls")),
    )
    tools = json.dumps([{"type": "function", "function": {"name": "f", "parameters": {}}}])
    result = qwen.call("ask", "--tools", tools, "--tool-choice", "f", "hi")
    assert (result.status, result.text) == (0, '{"id":"1","name":"f","arguments":{}}\n')
    assert result.message.endswith("; asking again with tool_choice 'auto'")


@pytest.mark.parametrize("options", [[], ["--no-include-usage"]])
def test_stream_options_that_nobody_asked_for_are_left_out(qwen: Program, api: ApiServer, options: list[str]) -> None:
    api.always(refusing("stream_options"))
    result = qwen.call("stream", *options, "hi")
    assert (result.status, result.text) == (0, '{"n": 1}\n')
    assert len(api.requests) == 2


def test_stream_options_that_were_asked_for_stay(qwen: Program, api: ApiServer) -> None:
    api.always(refusing("stream_options"))
    assert qwen.call("stream", "--include-usage", "hi").status == 4
    assert len(api.requests) == 1


def test_map_remembers_what_is_refused(qwen: Program, api: ApiServer) -> None:
    """No more requests are wasted than were under way at the first refusal, and one note tells of it."""
    api.always(refusing("response_format"))
    result = qwen.call("map", "-P", "4", *CHOICES, input="x\n" * 50)
    assert (result.status, result.text) == (0, "ham\n" * 50)
    assert "without it" in result.message
    assert len(api.requests) <= 50 + 4


def test_the_cache_knows_the_request_as_it_was_first_sent(qwen: Program, api: ApiServer) -> None:
    api.answer(reply({"message": "no response_format"}, status=400), reply(completion('<think>hm</think>"ham"')))
    assert qwen.call("ask", "--cache", "kept", "-q", *CHOICES, "hi").text == "ham\n"
    again = qwen.call("ask", "--cache", "kept", "--cache-only", *CHOICES, "hi")
    assert (again.status, again.text, again.stderr) == (0, "ham\n", "")


def test_asking_again_goes_on_without_the_field(qwen: Program, api: ApiServer) -> None:
    api.answer(
        reply({"message": "no response_format"}, status=400),
        reply(completion("I think that it is spam, mostly.")),
        reply(completion("spam")),
    )
    result = qwen.call("ask", "--reask", "1", *CHOICES, "hi")
    assert (result.status, result.text) == (0, "spam\n")
    assert ["response_format" in request.json for request in api.requests] == [True, False, False]
    *_, said, correction = api.requests[2].json["messages"]
    assert said == {"role": "assistant", "content": "I think that it is spam, mostly."}
    assert 'the answer is none of the choices (spam, ham): "I think that it is spam, mostly."' in correction["content"]


# Read tolerantly, checked strictly

READ: list[tuple[str, str, str | None]] = [
    ("--choice", ' {"choice": "ham"}\n', "ham\n"),
    ("--choice", '```json\n{"choice":"ham"}\n```', "ham\n"),
    ("--choice", 'So:\n\n```\n{"choice":"ham"}\n```\nYes.', "ham\n"),
    ("--choice", "**Ham.**", "ham\n"),
    ("--choice", "'HAM'!", "ham\n"),
    ("--choice", '"ham"', "ham\n"),
    ("--choice", "\ufeffham\n", "ham\n"),
    ("--choice", "It is ham.", None),
    ("--choice", '{"choice":"eggs"}', None),
    ("--choice", '{"answer":"ham"}', None),
    ("--choice", "", None),
    ("--schema", '{"n": 1}', '{"n": 1}\n'),
    ("--schema", '\n\n {"n": 1} \n', '{"n": 1}\n'),
    ("--schema", '\ufeff{"n": 1}', '{"n": 1}\n'),
    ("--schema", '```json\n{"n": 1}\n```', '{"n": 1}\n'),
    ("--schema", 'Here you are:\n~~~\n{"n": 1}\n~~~\n', '{"n": 1}\n'),
    ("--schema", '```\n{"n": 1}\n```\n```\n{"n": 2}\n```', None),
    ("--schema", 'Here you are: {"n": 1}', None),
    ("--schema", '{"n": "1"}', None),
    ("--schema", '{"n": 1} {"n": 2}', None),
    ("--response-format", '{"a": [1]}', '{"a": [1]}\n'),
    ("--response-format", "[1]", None),
    ("--response-format", "7", None),
]


@pytest.mark.parametrize("command", ["ask", "stream"])
@pytest.mark.parametrize(("option", "content", "shown"), READ)
def test_what_is_printed_is_the_json_or_the_choice_alone(
    qwen: Program, api: ApiServer, command: str, option: str, content: str, shown: str | None
) -> None:
    options = next(each for each in WORDS if each[0] == option)
    api.answer(events(chunks(*content)) if command == "stream" else reply(completion(content)))
    result = qwen.call(command, *options, "hi")
    if shown is None:
        assert result.status == (9 if content else 8)
        is_quoted = content[:40].replace("\n", " ").strip() in result.message
        assert is_quoted or "does not fit the schema" in result.message or "not a JSON object but" in result.message
    else:
        assert (result.status, result.text, result.stderr) == (0, shown, "")


def test_a_stream_with_a_format_is_held_back_until_it_is_judged(qwen: Program, api: ApiServer) -> None:
    api.answer(events(chunks("It ", "is ham.")))
    result = qwen.call("stream", *CHOICES, "hi")
    assert (result.status, result.stdout) == (9, b"")
    assert result.message == 'the answer is none of the choices (spam, ham): "It is ham."'


def test_map_records_have_the_value(qwen: Program, api: ApiServer) -> None:
    contents = {"a": '```json\n{"n": 1}\n```', "b": '{"n": "x"}', "c": '{"n":\n 2}'}
    api.always(lambda request: reply(completion(contents[request.json["messages"][-1]["content"]])))
    result = qwen.call("map", "--json", "--schema", json.dumps(SCHEMA), input="a\nb\nc\n")
    values = [(record["status"], record["value"]) for record in map(json.loads, result.text.splitlines())]
    assert values == [(0, {"n": 1}), (9, {"n": "x"}), (0, {"n": 2})]
    result = qwen.call("map", "--json", *CHOICES, input="a\n")
    assert json.loads(result.text)["value"] is None
    result = qwen.call("map", "--json", input="a\n")
    assert json.loads(result.text)["value"] is None


def test_a_line_of_map_is_json_where_json_was_asked_for(qwen: Program, api: ApiServer) -> None:
    content = '{\n  "n": 1,\r\n\t"said": "a \\"b\\"\\n\\\\ c"\n}'
    api.always(reply(completion(content)))
    result = qwen.call("map", "--schema", json.dumps(SCHEMA), input="a\nb\n")
    assert result.status == 0
    lines = result.text.splitlines()
    assert len(lines) == 2
    assert [json.loads(line) for line in lines] == [json.loads(content)] * 2


def test_a_choice_is_a_text_however_it_was_asked_for(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion(json.dumps({"choice": "C:\\temp"}))))
    assert qwen.call("map", "--choice", "C:\\temp", "--choice", "D:", input="a\n").text == "C:\\\\temp\n"


# --schema

WRAPPED: Json = {"name": "my_n", "strict": True, "schema": SCHEMA}


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (SCHEMA, "ticket"),
        (SCHEMA | {"title": "A ticket!"}, "A_ticket"),
        (WRAPPED, "my_n"),
        ({"type": "json_schema", "json_schema": WRAPPED}, "my_n"),
    ],
    ids=["a schema", "one with a title", "wrapped", "wrapped twice"],
)
@pytest.mark.parametrize("form", ["file", "@file", "JSON"])
def test_a_schema_may_be_a_file_or_json_and_wrapped(
    qwen: Program, api: ApiServer, given: Json, name: str, form: str
) -> None:
    file: Path = qwen.file("ticket.json", json.dumps(given))
    api.answer(reply(completion('{"n": 1}')))
    value = {"file": "ticket.json", "@file": f"@{file}", "JSON": f"  {json.dumps(given)}"}[form]
    assert qwen.call("ask", "--schema", value, "hi").status == 0
    sent = api.request.json["response_format"]["json_schema"]
    assert sent["name"] == ("schema" if form == "JSON" and name == "ticket" else name)
    assert sent["schema"].items() >= SCHEMA.items()
    assert sent["strict"] is True


@pytest.mark.parametrize("given", [{}, {"name": "Ann", "age": 7}, {"title": "x", "$defs": {"a": {"type": "string"}}}])
def test_a_schema_that_constrains_nothing_gets_a_note(qwen: Program, api: ApiServer, given: Json) -> None:
    qwen.file("s.json", json.dumps(given))
    api.answer(reply(completion("[]")))
    result = qwen.call("ask", "--schema", "s.json", "hi")
    assert (result.status, result.text) == (0, "[]\n")
    assert result.message.startswith("s.json constrains nothing")


def test_a_schema_from_standard_input_is_read_first(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion('{"n": 1}')))
    assert qwen.call("ask", "--schema", "@-", "hi", input=json.dumps(SCHEMA)).text == '{"n": 1}\n'
    assert qwen.call("ask", "--schema", "@-", "hi", input="[]").status == 2
