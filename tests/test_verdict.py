"""A status never lies: what is not a complete answer, not an answer at all, or not what was asked for, says so."""

import json
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from qwen_cli.answer.chunks import ChunkReader
from qwen_cli.answer.completion import Answer, read_completion
from qwen_cli.answer.verdict import Expectation, judge
from qwen_cli.cost.figures import usage_line
from qwen_cli.cost.usage import Total, figures
from qwen_cli.errors import QwenError
from tests.api_server import FIN, ApiServer, Reply, events, head, reply
from tests.bodies import Json, chunk, chunks, completion, event, tool_call
from tests.program import TERMINAL, Program

COMMANDS = [("ask",), ("json", "--stream")]
"""One that reads a whole response, one that reads a stream: the others read as they do."""


def is_streamed(arguments: tuple[str, ...]) -> bool:
    """Whether that command line asks for a stream."""
    return arguments[0] == "stream" or "--stream" in arguments


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("reason", ["error", "abort", "network_error", "insufficient_system_resource", ""])
def test_a_finish_reason_that_is_not_known_to_be_complete_ends_with_8(
    qwen: Program, api: ApiServer, reason: str, arguments: tuple[str, ...]
) -> None:
    qwen.file("answer", "old")
    answer = (
        events(chunks("Half", finish_reason=reason))
        if is_streamed(arguments)
        else reply(completion("Half", finish_reason=reason))
    )
    api.answer(answer)
    result = qwen.call(*arguments, "-o", "answer", "hi")
    assert (result.status, qwen.files()) == (8, {"answer": b"old"})
    assert "Half" in result.text
    assert (f"'{reason}'" if reason else "without a finish reason") in result.message


ERRORS: list[tuple[str, object, int, str]] = [
    ("an object with a status", {"message": "Upstream broke", "code": 502}, 5, "Upstream broke"),
    ("an object with a status as text", {"message": "Slow down", "code": "429"}, 5, "Slow down"),
    ("an object without a status", {"message": "Upstream broke", "type": "x"}, 9, "Upstream broke"),
    ("a string", "Upstream broke", 9, "Upstream broke"),
    ("about the key", {"message": "Key disabled", "code": 401}, 3, "Key disabled"),
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("empty", [False, True], ids=["beside choices", "beside no choices"])
@pytest.mark.parametrize(("error", "status", "part"), [pytest.param(*rest, id=name) for name, *rest in ERRORS])
def test_an_error_beside_choices_is_that_error(
    qwen: Program, api: ApiServer, error: object, status: int, part: str, empty: bool, arguments: tuple[str, ...]
) -> None:
    fields: Json = {"error": error} | ({"choices": []} if empty else {})
    if is_streamed(arguments):
        api.answer(events([chunk("One "), chunk("two", **fields)]))
    else:
        api.answer(reply(completion("Half", **fields)))
    result = qwen.call(*arguments, "--retries", "0", "hi")
    assert result.status == status
    assert part in result.message


@pytest.mark.parametrize("arguments", [("stream",), ("json", "--stream")], ids=" ".join)
def test_an_error_that_comes_as_a_body_where_a_stream_was_asked_for_is_that_error(
    qwen: Program, api: ApiServer, arguments: tuple[str, ...]
) -> None:
    api.answer(reply({"error": {"message": "Slow down", "code": 429}}, headers={"content-type": "application/json"}))
    result = qwen(*arguments, "--retries", "0", "hi")
    shown = '{"error": {"message": "Slow down", "code": 429}}\n' if arguments[0] == "json" else ""
    assert (result.status, result.text) == (5, shown)
    assert "Slow down" in result.message


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("nothing", [None, {}, "", False, []], ids=repr)
def test_an_error_that_is_none_is_no_error(
    qwen: Program, api: ApiServer, nothing: object, arguments: tuple[str, ...]
) -> None:
    payloads = [{**each, "error": nothing} for each in chunks("Hello.")]
    api.answer(events(payloads) if is_streamed(arguments) else reply(completion("Hello.", error=nothing)))
    assert qwen.call(*arguments, "hi").status == 0


class TestCutWithoutLength:
    """A connection that closes without a length or HTTP chunks: the close may be the end, or a cut."""

    HEAD = head(200, {"content-type": "text/event-stream"})

    @pytest.mark.parametrize("arguments", [("stream",), ("json", "--stream")], ids=" ".join)
    @pytest.mark.parametrize(
        "rest", [b"data: {", b'data: {"choices": [{"del', b"data: [DON", b"data: {}trailing", b"dat"]
    )
    def test_inside_an_event_before_the_finish_reason_is_incomplete(
        self, qwen: Program, api: ApiServer, rest: bytes, arguments: tuple[str, ...]
    ) -> None:
        qwen.file("answer", "old")
        answer = (self.HEAD + event(chunk("One ")) + event(chunk("two")) + rest, 0.05, FIN)
        api.answer(answer, answer, answer)
        result = qwen.call(*arguments, "hi")
        assert result.status == 8
        assert "finish reason" in result.message
        assert result.text == "One two\n" if arguments == ("stream",) else result.text.count("\n") == 2
        assert qwen.call(*arguments, "-o", "answer", "hi").status == 8
        assert qwen.files() == {"answer": b"old"}
        assert qwen.call(*arguments, "--allow-incomplete", "hi").status == 0

    @pytest.mark.parametrize("arguments", [("stream",), ("json", "--stream")], ids=" ".join)
    def test_inside_the_usage_after_the_finish_reason_is_complete_with_a_note(
        self, qwen: Program, api: ApiServer, arguments: tuple[str, ...]
    ) -> None:
        *whole, last = chunks("Hello.")
        api.answer((self.HEAD + b"".join(map(event, whole)) + event(last)[:-40], 0.05, FIN))
        result = qwen(*arguments, "hi")
        assert result.status == 0
        assert "complete, but its usage may be missing" in result.message

    def test_inside_an_event_with_an_error_is_that_error(self, qwen: Program, api: ApiServer) -> None:
        api.answer((self.HEAD + event(chunk("One")) + b'data: {"error": {"message": "Broken"}}', FIN))
        result = qwen("stream", "hi")
        assert (result.status, result.text) == (9, "One\n")
        assert "Broken" in result.message

    @pytest.mark.parametrize("start", [b"", b"HT", b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK\r\n", HEAD[:-2], HEAD[:30]])
    @pytest.mark.parametrize("command", ["ask", "stream", "json"])
    def test_inside_the_header_is_a_network_failure(
        self, qwen: Program, api: ApiServer, start: bytes, command: str
    ) -> None:
        api.answer((start, 0.05, FIN))
        result = qwen.call(command, "hi")
        assert (result.status, result.stdout) == (6, b"")
        assert "cut" in result.message


WEATHER = tool_call("weather", '{"city": "Paris"}')
WEATHER_LINE = '{"id":"call_1","name":"weather","arguments":{"city":"Paris"}}\n'


def calling(*calls: Json, content: str | None = None, streamed: bool) -> Reply:
    """An answer of these calls, and of some content before them."""
    if not streamed:
        return reply(completion(content, tool_calls=[*calls], finish_reason="tool_calls"))
    numbered = [call | {"index": number} for number, call in enumerate(calls)]
    return events(
        [
            chunk(content),
            *(chunk(delta={"tool_calls": [call]}) for call in numbered),
            *chunks(finish_reason="tool_calls"),
        ]
    )


TOOLS = json.dumps([{"type": "function", "function": {"name": name, "parameters": {}}} for name in ("weather", "time")])


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    ("choice", "call", "status"),
    [
        ("required", WEATHER, 0),
        ("required", None, 9),
        ("weather", WEATHER, 0),
        ("time", WEATHER, 9),
        ("time", None, 9),
        ('{"type": "function", "function": {"name": "time"}}', WEATHER, 9),
        ("auto", None, 0),
        ("none", None, 0),
    ],
)
def test_a_tool_choice_that_was_not_followed_ends_with_9(
    qwen: Program, api: ApiServer, choice: str, call: Json | None, status: int, arguments: tuple[str, ...]
) -> None:
    streamed = is_streamed(arguments)
    plain = events(chunks("Sunny.")) if streamed else reply(completion("Sunny."))
    api.answer(plain if call is None else calling(call, streamed=streamed))
    result = qwen.call(*arguments, "--tools", TOOLS, "--tool-choice", choice, "hi")
    assert result.status == status
    if status:
        assert "requested" in result.message


@pytest.mark.parametrize("command", ["ask", "stream"])
class TestShowCalls:
    """`--show calls` is for programs that read JSON; without it, text and calls keep to lines of their own."""

    def test_prints_the_calls_alone(self, qwen: Program, api: ApiServer, command: str) -> None:
        api.answer(calling(WEATHER, WEATHER, content="Let me look.", streamed=command == "stream"))
        result = qwen.call(command, "--show", "calls", "hi")
        assert (result.status, result.text, result.stderr) == (0, WEATHER_LINE * 2, "")

    def test_without_a_call_it_ends_with_9(self, qwen: Program, api: ApiServer, command: str) -> None:
        qwen.file("calls", "old")
        api.answer(*[events(chunks("Prose.")) if command == "stream" else reply(completion("Prose."))] * 2)
        result = qwen.call(command, "--show", "calls", "hi")
        assert (result.status, result.stdout) == (9, b"")
        assert "no tool call" in result.message
        assert qwen.call(command, "--show", "calls", "-o", "calls", "hi").status == 9
        assert qwen.files() == {"calls": b"old"}

    @pytest.mark.parametrize("flags", [(), ("--no-newline",)], ids=["as usual", "with --no-newline"])
    def test_otherwise_text_stays_on_its_own_lines_before_them(
        self, qwen: Program, api: ApiServer, command: str, flags: tuple[str, ...]
    ) -> None:
        api.answer(calling(WEATHER, content="Let me look.", streamed=command == "stream"))
        result = qwen.call(command, *flags, "hi")
        assert (result.status, result.text) == (0, "Let me look.\n" + WEATHER_LINE)


def fragment(arguments: str = "", **fields: object) -> Json:
    """A fragment of a call that carries little."""
    return {"function": {"arguments": arguments}, **fields}


def named(name: str, arguments: str, **fields: object) -> Json:
    """A fragment with a name."""
    return {"function": {"name": name, "arguments": arguments}, **fields}


FRAGMENTS: list[tuple[str, list[Json], list[tuple[str | None, str, object]]]] = [
    ("only index 9999", [named("f", "{}", index=9999, id="a")], [("a", "f", {})]),
    ("indexes with a hole", [named("f", "1", index=5), named("g", "2", index=2)], [(None, "g", 2), (None, "f", 1)]),
    ("two with ids and no index", [named("f", "1", id="a"), named("g", "2", id="b")], [("a", "f", 1), ("b", "g", 2)]),
    ("two with names alone", [named("f", "1"), named("f", "2")], [(None, "f", 1), (None, "f", 2)]),
    ("an index of null", [named("f", "1", id="a", index=None), fragment("2", index=None)], [("a", "f", 12)]),
    ("fragments without an index", [named("f", "[1", id="a"), fragment(",2]")], [("a", "f", [1, 2])]),
    ("the same id again", [named("f", "[", id="a"), named("f", "]", id="a")], [("a", "f", [])]),
    (
        "all with index 0",
        [named("f", "1", index=0, id="a"), named("g", "2", index=0, id="b")],
        [("a", "f", 1), ("b", "g", 2)],
    ),
    (
        "another id for each fragment",
        [named("f", "[", index=0, id="a"), fragment("]", index=0, id="b")],
        [("a", "f", [])],
    ),
    ("the name in each fragment", [named("f", "[", index=0), named("f", "]", index=0)], [(None, "f", [])]),
    ("a number beyond a double", [named("f", '{"x":1e400}', index=0)], [(None, "f", '{"x":1e400}')]),
    ("NaN", [named("f", '{"x":NaN}', index=0)], [(None, "f", '{"x":NaN}')]),
    ("a lone surrogate", [named("f\ud800", '"\\ud800"', index=0, id="\udfff")], [("\ufffd", "f\ufffd", "\ufffd")]),
    ("nested near the limit", [named("f", "[" * 983 + "]" * 983, index=0)], [(None, "f", "[" * 983 + "]" * 983)]),
]


@pytest.mark.parametrize(("parts", "calls"), [pytest.param(*rest, id=name) for name, *rest in FRAGMENTS])
def test_tool_calls_of_a_stream_are_those_that_came(
    qwen: Program, api: ApiServer, parts: list[Json], calls: list[tuple[str | None, str, object]]
) -> None:
    api.answer(events([*(chunk(delta={"tool_calls": [part]}) for part in parts), *chunks(finish_reason="tool_calls")]))
    result = qwen.call("stream", "--show", "calls", "hi")
    assert (result.status, result.stderr) == (0, "")
    assert "Infinity" not in result.text
    found = [json.loads(line) for line in result.text.splitlines()]
    assert [(call["id"], call["name"], call["arguments"]) for call in found] == calls


@pytest.mark.parametrize("number", ["12345678901234567890123", "1.5", "-0.0"])
def test_numbers_in_arguments_keep_their_value(qwen: Program, api: ApiServer, number: str) -> None:
    api.answer(calling(tool_call("f", f'{{"x": {number}}}'), streamed=False))
    assert f'{{"x":{number}}}' in qwen.call("ask", "hi").text


@pytest.mark.parametrize("command", ["ask", "stream"])
def test_tool_calls_on_a_terminal_are_valid_json_that_is_not_obeyed(
    qwen: Program, api: ApiServer, command: str
) -> None:
    call = tool_call("f\x9b", '{"x": "\x9b2J\u202e\x7f"}')
    api.answer(calling(call, streamed=command == "stream"))
    result = qwen(command, "--show", "calls", "hi", terminal=TERMINAL, env={"TERM": "dumb"})
    shown = result.terminal.decode()
    assert not set(shown) & {"\x9b", "\x7f", "\u202e"}
    found = json.loads(shown)
    assert (result.status, found["name"], found["arguments"]) == (0, "f\x9b", {"x": "\x9b2J\u202e\x7f"})


def test_json_of_cost_and_of_the_request_on_a_terminal_is_valid_and_not_obeyed(qwen: Program, api: ApiServer) -> None:
    api.answer(reply({"spend": 1, "requests": 1, "models": [{"model": "m\x9b", "spend": 1, "requests": 1}]}))
    report = qwen("cost", "--period", "7d", "--json", terminal=TERMINAL, env={"TERM": "dumb"}).terminal.decode()
    request = qwen("ask", "--dry-run", "a\x9bb", terminal=TERMINAL, env={"TERM": "dumb"}).terminal.decode()
    assert "\x9b" not in report + request
    assert json.loads(report)["models"][0]["model"] == "m\x9b"
    assert json.loads(request)["messages"][0]["content"] == "a\x9bb"


@pytest.mark.parametrize("command", ["ask", "stream"])
def test_reasoning_in_a_field_of_another_name_is_reasoning(qwen: Program, api: ApiServer, command: str) -> None:
    body = completion("91.")
    body["choices"][0]["message"] = {"content": "91.", "reasoning": "7 times 13"}
    pieces = [chunk(choices=[{"delta": {"reasoning": piece}}]) for piece in ("7 times", " 13")]
    answer = events([*pieces, *chunks("91.")]) if command == "stream" else reply(body)
    api.answer(answer, answer)
    assert qwen(command, "-r", "hi").text == "7 times 13\n"
    result = qwen(command, "--show", "both", "hi")
    assert (result.status, result.text, result.stderr) == (0, "91.\n", "7 times 13\n")


def test_reasoning_that_comes_under_both_names_comes_once(qwen: Program, api: ApiServer) -> None:
    api.answer(events([chunk(delta={"reasoning_content": "Hm", "reasoning": "Hm"}), *chunks("Yes.")]))
    assert qwen("stream", "-r", "hi").text == "Hm\n"


def test_a_member_reasoning_that_is_no_text_is_something_else(qwen: Program, api: ApiServer) -> None:
    body = completion("Hello.")
    body["choices"][0]["message"]["reasoning"] = {"effort": "low"}
    api.answer(reply(body))
    assert qwen("ask", "hi").status == 0


# Whatever a server sends, there is a documented status for it.

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(st.characters(), max_size=6),
    st.sampled_from(["\ud800", "stop", "", "error", "chat.completion", 10_000, 401, "503"]),
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["index", "message", "delta", "content", "error", "code", "function", "name", "arguments", "usage"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Each container within the value, with each of its keys or indexes."""
    found: list[tuple[Any, Any]] = []
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in members:
        found += [(value, key), *places(inner)]
    return found


@st.composite
def distorted(draw: st.DrawFn, build: Callable[[], Any]) -> Any:
    """The value with something else in some of its places."""
    value = json.loads(json.dumps(build()))
    for _ in range(draw(st.integers(1, 3))):
        if found := places(value):
            container, key = draw(st.sampled_from(found))
            container[key] = draw(ANYTHING)
    return value


def whole() -> Json:
    """A completion with something in every place."""
    return completion("Hello.", reasoning="Hm.", refusal="", tool_calls=[WEATHER], error=None)


def pieces() -> list[Json]:
    """A stream with something in every place."""
    return [
        *chunks("Hello.", reasoning=["Hm."]),
        chunk(delta={"tool_calls": [WEATHER | {"index": 0}]}),
        chunk(error={}),
    ]


def judged(read: Callable[[], Answer]) -> int:
    """The status of what is read, of its figures and of its calls; anything but a `QwenError` is a defect."""
    try:
        answer = read()
        for call in answer.tool_calls:
            json.loads(call.as_json())
        usage_line(Total([answer]).sums)
        figures(answer)
        for wanted in ("content", "reasoning", "calls"):
            request = {"tool_choice": "required", "response_format": {"type": "json_object"}}
            failure = judge(answer, Expectation.of(request, wanted=wanted)).failure
            assert failure is None or failure.status in (8, 9)
    except QwenError as error:
        return error.status
    return 0


@given(distorted(whole))
@settings(max_examples=400, deadline=None)
def test_no_body_at_all_is_an_internal_error(body: Any) -> None:
    assert judged(lambda: read_completion(json.dumps(body).encode())) in (0, 3, 4, 5, 9)


@given(distorted(pieces))
@settings(max_examples=400, deadline=None)
def test_no_stream_at_all_is_an_internal_error(payloads: Any) -> None:
    def read() -> Answer:
        reader = ChunkReader(keep_content=True)
        for payload in payloads if isinstance(payloads, list) else [payloads]:
            reader.read(json.dumps(payload))
        return reader.finish()[1]

    assert judged(read) in (0, 3, 4, 5, 9)


DEPTHS = [450, 499, 501, 900, 950, 983, 1000, 3000]


@pytest.mark.parametrize("depth", DEPTHS)
def test_nesting_near_the_limit_of_recursion_is_never_an_internal_error(
    qwen: Program, api: ApiServer, depth: int
) -> None:
    deep = "[" * depth + "]" * depth
    body = json.dumps(completion("Hello.", x=7)).replace('"x": 7', f'"x": {deep}').encode()
    error = f'{{"message": {deep}, "statusCode": 400}}'.encode()
    nested = tool_call("f", deep)
    api.answer(reply(body=body), reply(body=body), reply(body=error), reply(body=error, status=400))
    assert qwen.call("ask", "hi").status in (0, 9)
    assert qwen.call("cost", "hi").status in (0, 9)
    assert qwen.call("ask", "hi").status in (4, 9)
    assert qwen.call("ask", "hi").status == 4
    api.answer(calling(nested, streamed=False), events([event(chunk("x")).decode()[6:-2].replace("null", deep, 1)]))
    assert qwen.call("ask", "hi").status == 0
    assert qwen.call("stream", "hi").status in (8, 9)
    qwen.file("saved", body)
    assert qwen.call("cost", "--saved", "saved").status in (0, 7)
    assert qwen.call("ask", "--dry-run", "-F", f"x={deep}", "hi").status == 0


def test_a_lone_surrogate_is_never_an_internal_error(qwen: Program, api: ApiServer) -> None:
    odd = completion("a\ud800b", reasoning="\udc00", model="\ud800", tool_calls=[tool_call("\ud800", "\ud800")])
    report = {"spend": 1, "requests": 1, "models": [{"model": "m\ud800", "spend": 1, "requests": 1}]}
    api.answer(*[reply(odd)] * 3, *[reply(report)] * 2, reply({"message": "no\ud800", "statusCode": 400}, status=400))
    assert qwen.call("ask", "hi").text == 'a\ufffdb\n{"id":"call_1","name":"\ufffd","arguments":"\ufffd"}\n'
    assert qwen.call("ask", "-r", "hi").text == "\ufffd\n"
    assert '"model": "\ufffd"' in qwen.call("json", "--pretty", "hi").text
    assert "usd_spent:m\ufffd\t1\n" in qwen.call("cost", "--period", "7d").text
    assert json.loads(qwen.call("cost", "--period", "7d", "--json").text)["models"][0]["model"] == "m\ufffd"
    assert qwen.call("ask", "hi").status == 4


@pytest.mark.parametrize("flags", [(), ("--json",)], ids=["lines", "json"])
def test_cost_never_prints_infinity(qwen: Program, api: ApiServer, flags: tuple[str, ...]) -> None:
    meta = json.dumps(completion(meta={"usage": {"usd_spent": 7}})).replace('"usd_spent": 7', '"usd_spent": 1e400')
    api.answer(reply(body=meta.encode()))
    result = qwen.call("cost", *flags, "hi")
    assert (result.status, result.stderr) == (0, "")
    assert "nfinity" not in result.text
