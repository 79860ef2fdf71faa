"""Each flag is one field of the request body, and what is not given is not sent."""

import json

import pytest

from tests.api_server import ApiServer, reply
from tests.bodies import Json, completion
from tests.dry_run import body_of
from tests.program import Program

WEATHER: Json = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
ANSWER_SCHEMA: Json = {"type": "object", "properties": {"n": {"type": "integer"}}}
CHOICE: Json = {"type": "function", "function": {"name": "none"}}
JSON_SCHEMA: Json = {"type": "json_schema", "json_schema": {"name": "answer", "schema": ANSWER_SCHEMA}}

FIELDS = [
    (("-m", "another"), {"model": "another"}),
    (("--max-tokens", "1"), {"max_tokens": 1}),
    (("-t", "0"), {"temperature": 0}),
    (("-t", "2"), {"temperature": 2}),
    (("--temperature", "0.70"), {"temperature": 0.7}),
    (("--temperature", "1e-1"), {"temperature": 0.1}),
    (("--top-p", "0.01"), {"top_p": 0.01}),
    (("--top-p", "1"), {"top_p": 1}),
    (("--stop", "END"), {"stop": "END"}),
    (("--stop", "\n\n"), {"stop": "\n\n"}),
    (("--stop", "a", "--stop", "b c", "--stop", "", "--stop", "d"), {"stop": ["a", "b c", "", "d"]}),
    (("--seed", "1"), {"seed": 1}),
    (("--seed", "9007199254740993"), {"seed": 9007199254740993}),
    (("--frequency-penalty", "-2"), {"frequency_penalty": -2}),
    (("--frequency-penalty", "2"), {"frequency_penalty": 2}),
    (("--presence-penalty", "-1.5"), {"presence_penalty": -1.5}),
    (("--logit-bias", "42=-100"), {"logit_bias": {"42": -100}}),
    (("--logit-bias", "42=7.5", "--logit-bias", '{"43": 100, "42": 1}'), {"logit_bias": {"42": 1, "43": 100}}),
    (("--logprobs",), {"logprobs": True}),
    (("--no-logprobs",), {"logprobs": False}),
    (("--logprobs", "--top-logprobs", "0"), {"logprobs": True, "top_logprobs": 0}),
    (("--logprobs", "--top-logprobs", "20"), {"logprobs": True, "top_logprobs": 20}),
    (("--reasoning-effort", "high"), {"reasoning_effort": "high"}),
    (("--response-format", "text"), {"response_format": {"type": "text"}}),
    (("--response-format", json.dumps(JSON_SCHEMA)), {"response_format": JSON_SCHEMA}),
    (("--response-format", "@format.json"), {"response_format": JSON_SCHEMA}),
    (("--tools", json.dumps([WEATHER])), {"tools": [WEATHER]}),
    (("--tools", "@tools.json"), {"tools": [WEATHER]}),
    (("--tool-choice", "none"), {"tool_choice": "none"}),
    (("--tool-choice", "required"), {"tool_choice": "required"}),
    (("--tool-choice", "weather"), {"tool_choice": {"type": "function", "function": {"name": "weather"}}}),
    (("--tool-choice", json.dumps(CHOICE)), {"tool_choice": CHOICE}),
    (("--parallel-tool-calls",), {"parallel_tool_calls": True}),
    (("--no-parallel-tool-calls",), {"parallel_tool_calls": False}),
    (("--prediction", "@draft.txt"), {"prediction": {"type": "content", "content": "@draft.txt"}}),
    (("--prediction-file", "draft.txt"), {"prediction": {"type": "content", "content": "A draft.\n"}}),
    (("-F", "top_k=20"), {"top_k": 20}),
    (("-F", "enable_thinking=false", "--field", "note=a=b"), {"enable_thinking": False, "note": "a=b"}),
    (("-F", 'x={"a": [null]}', "-F", "y=", "-F", "z=NaN"), {"x": {"a": [None]}, "y": "", "z": "NaN"}),
    (("-t", "0.5", "-F", "temperature=1"), {"temperature": 1}),
    (("-F", "top_k=1", "-F", "top_k=2"), {"top_k": 2}),
    (("-F", "logprobs=true", "--top-logprobs", "3"), {"logprobs": True, "top_logprobs": 3}),
    (("--include-usage",), {}),
]


@pytest.fixture
def desk(qwen: Program) -> Program:
    """The program in a folder with the files that the table names."""
    qwen.file("tools.json", "\ufeff" + json.dumps([WEATHER]))
    qwen.file("format.json", json.dumps(JSON_SCHEMA))
    qwen.file("draft.txt", "A draft.\n")
    return qwen


@pytest.mark.parametrize(("arguments", "sent"), FIELDS, ids=[" ".join(arguments) for arguments, _ in FIELDS])
def test_a_flag_sends_its_field_and_nothing_else(desk: Program, arguments: tuple[str, ...], sent: Json) -> None:
    messages = [{"role": "user", "content": "hi"}]
    assert (
        body_of(desk, "-n", "hi", *arguments)
        == {"model": "alibaba/qwen3.6-35b-a3b", "messages": messages, "stream": False} | sent
    )


def test_flags_together_send_all_their_fields_from_a_process_too(desk: Program, api: ApiServer) -> None:
    flags = ("-t", "2", "--stop", "\n\n", "--tools", "@tools.json", "--response-format", "@format.json", "-F", "k=[1]")
    api.answer(reply(completion("{}")))
    assert desk("ask", *flags, "--prediction-file", "draft.txt", "hi").status == 0
    fields = {"temperature": 2, "stop": "\n\n", "tools": [WEATHER], "response_format": JSON_SCHEMA, "k": [1]}
    prediction = {"type": "content", "content": "A draft.\n"}
    messages = [{"role": "user", "content": "hi"}]
    expected = {"model": "alibaba/qwen3.6-35b-a3b", "messages": messages, "stream": False, "prediction": prediction}
    assert api.request.json == expected | fields


@pytest.mark.parametrize("flag", ["model", "messages", "stream"])
def test_a_field_cannot_replace_what_has_its_own_way_in(qwen: Program, api: ApiServer, flag: str) -> None:
    result = qwen.call("ask", "-F", f"{flag}=x", "hi")
    assert result.status == 2
    assert "--field" in result.message
    assert flag in result.message
    assert not api.requests


def test_top_logprobs_needs_logprobs(qwen: Program, api: ApiServer) -> None:
    for arguments in (("--top-logprobs", "3"), ("--no-logprobs", "--top-logprobs", "3"), ("-F", "top_logprobs=3")):
        result = qwen.call("ask", *arguments, "hi")
        assert (result.status, result.message) == (2, "--top-logprobs needs --logprobs")
    assert not api.requests


def test_stop_is_given_four_times_at_most(qwen: Program, api: ApiServer) -> None:
    result = qwen.call("ask", *["--stop", "x"] * 5, "hi")
    assert (result.status, result.message) == (2, "--stop can be given at most 4 times, not 5")
    assert not api.requests


def test_a_stream_asks_for_its_usage_by_default(qwen: Program) -> None:
    for arguments, wanted in [((), True), (("--include-usage",), True), (("--no-include-usage",), False)]:
        for command in (("stream",), ("json", "--stream")):
            sent = json.loads(qwen.call(*command, "--dry-run", *arguments, "hi").text)
            assert sent["stream"] is True
            assert sent["stream_options"] == {"include_usage": wanted}
