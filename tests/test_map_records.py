"""`map --json`: all that is known of an item, in a JSON object."""

import json
import sys

import pytest

from tests.api_server import ApiServer, reply
from tests.bodies import completion, error, tool_call
from tests.echo import asked, echo, records
from tests.program import Program


def test_a_record_says_all_that_is_known(qwen: Program, api: ApiServer) -> None:
    api.answer(
        reply(completion("one", reasoning="because")),
        reply(error(400, "no"), status=400),
        reply(completion(None, tool_calls=[tool_call()], finish_reason="tool_calls")),
    )
    one, two, three = records(qwen("map", "-P", "1", "--json", input="a\nb\nc\n").text)
    assert one == {
        "index": 1,
        "input": "a",
        "status": 0,
        "content": "one",
        "value": None,
        "reasoning": "because",
        "tool_calls": None,
        "finish_reason": "stop",
        "usage": one["usage"],
        "usd_spent": 0.00013,
        "cached": False,
        "error": None,
    }
    assert one["usage"]["total_tokens"] == 53
    assert (two["index"], two["status"], two["content"]) == (2, 4, None)
    assert "HTTP 400: no" in two["error"]
    assert (three["content"], three["reasoning"]) == ("", None)
    assert three["tool_calls"] == [{"id": "call_1", "name": "weather", "arguments": {"city": "Paris"}}]


def test_a_record_may_be_nested_as_deep_as_what_was_read(qwen: Program, api: ApiServer) -> None:
    deep = json.loads('{"a":' * 480 + "1" + "}" * 480)
    api.answer(reply(completion("Hello.", usage=deep)))
    result = qwen("map", "--json", "--jsonl", "{p}", input=f"{json.dumps({'p': 'hi', 'x': deep})}\n")
    (record,) = records(result.text)
    assert (result.status, record["input"]["x"], record["usage"]) == (0, deep, deep)


def test_a_record_is_json_whatever_numbers_a_server_sends(qwen: Program, api: ApiServer) -> None:
    """A number that JSON cannot hold, or no double, is null."""
    usage = {"nan": float("nan"), "deep": [float("-inf")], "large": 10**4300}
    body = completion('{"n": 1e999}', usage=usage)
    sys.set_int_max_str_digits(5000)
    api.answer(reply(body))
    sys.set_int_max_str_digits(sys.int_info.default_max_str_digits)
    result = qwen.call("map", "--json", "--response-format", "json_object", input="JSON!\n")
    record = json.loads(result.text, parse_constant=pytest.fail)
    assert record["usage"] == {"nan": None, "deep": [None], "large": None}
    assert (record["status"], record["content"], record["value"]) == (0, '{"n": 1e999}', {"n": None})


def test_a_failure_among_records_has_its_record(qwen: Program, api: ApiServer) -> None:
    api.always(lambda request: reply(error(400), status=400) if asked(request) == "b" else echo(request))
    found = records(qwen.call("map", "--json", input="a\nb\nc\n").text)
    assert [(record["index"], record["status"], record["content"]) for record in found] == [
        (1, 0, "a"),
        (2, 4, None),
        (3, 0, "c"),
    ]
