"""Rehearsed failures: what the server sends, and how the program meets it."""

import http.client
import json
import time
from types import SimpleNamespace
from typing import Any

import pytest

from qwen_cli.sandbox import faults, server
from qwen_cli.sandbox.faults import FAULTS, Failures, Fault, parse_fault
from qwen_cli.sandbox.server import serving
from tests.program import PROGRAM, Program
from tests.sandbox import CHAT, KEY, WEATHER, asking, chat, connect, formatted


@pytest.mark.parametrize("kind", FAULTS)
def test_parses_every_fault(kind: str) -> None:
    assert parse_fault(kind) == Fault(kind)
    assert parse_fault(f"{kind}*12") == Fault(kind, 12)


@pytest.mark.parametrize("text", ["", "404", "429*", "429*0", "429*-1", "429*two", "*2", "slow*1*1", "429 *1"])
def test_refuses_other_faults(text: str) -> None:
    with pytest.raises(ValueError, match="is not one of 429, 500") as refusal:
        parse_fault(text)
    assert "\n" not in str(refusal.value)


def test_faults_are_met_in_the_order_given() -> None:
    failures = Failures([Fault("429", 2), Fault("cut", 1)])
    assert [failures.take()[0] for _ in range(5)] == ["429", "429", "cut", None, None]
    failures = Failures([Fault("slow")])
    assert [failures.take()[0] for _ in range(3)] == ["slow"] * 3


@pytest.mark.parametrize("kind", ["429", "500", "503"])
def test_rehearses_failures_of_the_service(kind: str) -> None:
    with serving(faults=[Fault(kind, 1)]) as base_url:
        failed, fine = chat(base_url), chat(base_url)
    assert (failed.status, fine.status) == (int(kind), 200)
    assert failed.json["statusCode"] == int(kind)
    assert failed.message
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
    assert answer.content == "one two"
    last = answer.chunks[-1]["choices"][0] if stream else answer.choice
    assert last["finish_reason"] == "length"


def test_a_slow_service_waits_and_then_paces_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only lower bounds: a busy machine makes it slower still."""
    monkeypatch.setattr(server, "_SLOW_START", 0.2)
    monkeypatch.setattr(server, "_SLOW_CHUNK", 0.02)
    with serving(faults=[Fault("slow")]) as base_url:
        connection = connect(base_url)
        try:
            start = time.monotonic()
            connection.request("POST", CHAT, json.dumps(asking("one", stream=True)), KEY)
            response = connection.getresponse()
            assert time.monotonic() - start > 0.2
            chunks = sum(line.startswith(b"data: {") for line in response)
            assert time.monotonic() - start > 0.2 + 0.02 * chunks
        finally:
            connection.close()


SIZE = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "size": {"enum": ["small", "large"]}},
    "required": ["name", "size"],
    "additionalProperties": False,
}
JSON_OBJECT = {"response_format": {"type": "json_object"}}


def test_an_invalid_answer_is_json_of_another_form() -> None:
    tool = {"type": "function", "function": {"name": "order", "parameters": SIZE}}
    with serving(faults=[Fault("invalid")]) as base_url:
        (call,) = chat(base_url, tools=[tool], tool_choice="required").choice["message"]["tool_calls"]
        contents = [chat(base_url, "JSON", **fields).content for fields in (JSON_OBJECT, formatted(SIZE))]
    for text in (call["function"]["arguments"], *contents):
        assert isinstance(json.loads(text), str)


@pytest.mark.parametrize("stream", [False, True])
def test_a_fenced_answer_is_the_json_in_a_code_block(stream: bool) -> None:
    words = "Answer with JSON that fits this JSON Schema, and with nothing else:\n" + json.dumps(SIZE)
    in_words = {"messages": [{"role": "system", "content": words}]}
    with serving(faults=[Fault("fenced")]) as base_url:
        for fields in (JSON_OBJECT, formatted(SIZE), in_words):
            opening, text, closing, *rest = chat(base_url, "as JSON", stream=stream, **fields).content.split("\n")
            assert (opening, closing, rest) == ("```json", "```", [])
            assert isinstance(json.loads(text), dict)
        assert chat(base_url, "as JSON", stream=stream).content == "as JSON"


THOUGHTS = "<think>\nThis is a sandbox without a model: it repeats the prompt.\n</think>\n\n"


def test_thoughts_stand_in_the_content_whole_or_piece_by_piece() -> None:
    with serving(faults=[Fault("think")]) as base_url:
        whole = chat(base_url, "one two").choice["message"]
        assert (whole["content"], whole["reasoning_content"]) == (f"{THOUGHTS}one two", None)
        stream = chat(base_url, "one two", stream=True)
        deltas = [chunk["choices"][0]["delta"] for chunk in stream.chunks]
        assert stream.content == whole["content"]
        assert not any(delta["reasoning_content"] for delta in deltas)
        assert sum(bool(delta["content"]) for delta in deltas) > 10
        called = chat(base_url, tools=[WEATHER], tool_choice="required").choice["message"]
        assert (called["content"], called["tool_calls"][0]["function"]["name"]) == (THOUGHTS, "weather")


@pytest.mark.parametrize("fields", [JSON_OBJECT, formatted(SIZE)])
def test_a_server_may_refuse_formats(fields: dict[str, Any]) -> None:
    kind = fields["response_format"]["type"]
    with serving(faults=[Fault("noformat", 3)]) as base_url:
        refused = chat(base_url, "a JSON colour", **fields)
        assert refused.status == 400
        assert refused.message == f"response_format: {kind} is not supported by this model"
        assert chat(base_url, "a JSON colour").content == "a JSON colour"
        assert chat(base_url, "a colour", response_format={"type": "text"}).content == "a colour"
        assert json.loads(chat(base_url, "a JSON colour", **fields).content)


# The rate


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What time it is for the sandbox."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(faults, "time", SimpleNamespace(monotonic_ns=lambda: int(clock.now * 1e9)))
    return clock


def test_a_second_of_requests_may_come_at_once_and_then_one_at_a_time(clock: SimpleNamespace) -> None:
    limit = Failures([], 5)
    assert [limit.take() for _ in range(6)] == [(None, 0)] * 5 + [("429", pytest.approx(0.2))]
    clock.now += 0.1
    assert limit.take()[1] == pytest.approx(0.1)
    clock.now += 0.11
    assert [limit.take() for _ in range(2)] == [(None, 0), ("429", pytest.approx(0.19))]
    clock.now += 1000
    assert [limit.take()[0] for _ in range(6)] == [None] * 5 + ["429"]


def test_a_rate_below_one_lets_one_through_at_a_time(clock: SimpleNamespace) -> None:
    limit = Failures([], 0.2)
    assert [limit.take() for _ in range(2)] == [(None, 0), ("429", pytest.approx(5))]
    clock.now += 5.01
    assert limit.take() == (None, 0)


def test_requests_beyond_the_rate_get_a_time_to_retry() -> None:
    with serving(rate=0.01) as base_url:
        assert chat(base_url).status == 200
        refused = chat(base_url)
    assert refused.status == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 100


# The program meets them


@pytest.mark.parametrize(
    ("fault", "arguments", "status", "stdout"),
    [
        ("429*1", ["ask"], 0, "one two three four\n"),
        ("500", ["ask", "--retries", "0"], 5, ""),
        ("cut", ["ask"], 6, ""),
        ("cut", ["stream"], 6, "one two three\n"),
        ("garbage", ["ask"], 9, ""),
        ("length", ["ask"], 8, "one two\n"),
        ("think", ["ask"], 0, "one two three four\n"),
        ("think", ["stream"], 0, "one two three four\n"),
        ("think", ["ask", "-r"], 0, "This is a sandbox without a model: it repeats the prompt.\n"),
        ("think", ["ask", "--choice", "a", "--choice", "b"], 0, "a\n"),
        ("fenced", ["ask", "--choice", "a", "--choice", "b"], 0, "a\n"),
        ("fenced", ["ask", "--schema", "schema.json"], 0, '{"name": "", "size": "small"}\n'),
        ("noformat", ["ask", "--choice", "a", "--choice", "b"], 0, "a\n"),
        ("noformat*1", ["ask", "--schema", "schema.json"], 0, '{"name": "", "size": "small"}\n'),
        ("noformat", ["ask", "--response-format", "json_object"], 0, '{"prompt": "one two three four"}\n'),
        ("invalid", ["check"], 9, ""),
        ("invalid*1", ["ask", "--schema", "schema.json", "--reask", "1"], 0, '{"name": "", "size": "small"}\n'),
    ],
)
def test_the_program_meets_the_faults(
    qwen: Program, fault: str, arguments: list[str], status: int, stdout: str
) -> None:
    qwen.file("schema.json", json.dumps(SIZE))
    with serving(faults=[parse_fault(fault)]) as base_url:
        result = qwen.call(*arguments, "-n", "one two three four", env={"AIMLAPI_BASE_URL": base_url})
    assert (result.status, result.text) == (status, stdout)
    assert all(line.startswith("qwen-cli: ") for line in result.stderr.splitlines())


def test_map_asks_each_item_of_a_server_without_formats(qwen: Program) -> None:
    qwen.file("schema.json", json.dumps(SIZE))
    ask = (*PROGRAM, "map", "--schema", "schema.json", "Order {}")
    result = qwen("sandbox", "--fault", "noformat", "--", *ask, input="a\nb\n", timeout=60)
    assert (result.status, result.text) == (0, '{"name": "", "size": "small"}\n' * 2)


def test_an_unknown_fault_is_a_usage_error_that_lists_them_all(qwen: Program) -> None:
    result = qwen("sandbox", "--fault", "404", "--", "true")
    assert (result.status, result.text) == (2, "")
    assert ", ".join(FAULTS) in result.stderr
