"""Tool calls: a line of JSON each, whatever form a server sends them in."""

import json

import hypothesis.strategies as st
import pytest
from hypothesis import given

from qwen_cli.answer.tool_calls import ToolCall
from qwen_cli.answer.verdict import Expectation, judge
from tests.api_server import ApiServer, Reply, events, reply
from tests.bodies import Json, chunk, chunks, completion, error, tool_call
from tests.program import READERS, TERMINAL, Program, is_streamed
from tests.reading import read_stream


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        pytest.param('{"city": "Genève", "n": 1.50}', {"city": "Genève", "n": 1.5}, id="an object is parsed"),
        pytest.param("", {}, id="nothing is an empty object"),
        pytest.param({"city": "Oslo"}, {"city": "Oslo"}, id="an object is that object"),
        pytest.param('{"city": ', '{"city": ', id="broken JSON stays text"),
        pytest.param("NaN", "NaN", id="what JSON does not know stays text"),
        pytest.param("line\nbreak", "line\nbreak", id="a line break is escaped"),
    ],
)
def test_a_tool_call_is_one_json_object_on_one_line(
    qwen: Program, api: ApiServer, arguments: str, printed: object
) -> None:
    call = tool_call("weather", arguments)
    api.answer(reply(completion(None, tool_calls=[call], finish_reason="tool_calls")))
    result = qwen.call("ask", "hi")
    assert (result.status, result.stderr, result.text.count("\n")) == (0, "", 1)
    assert json.loads(result.text) == {"id": "call_1", "name": "weather", "arguments": printed}


def test_tool_calls_follow_the_content_a_line_each(qwen: Program, api: ApiServer) -> None:
    calls = [tool_call("a", "{}"), tool_call("b", "[1]", id="call_2")]
    api.answer(reply(completion("Let me look.", tool_calls=calls, finish_reason="tool_calls")))
    result = qwen.call("ask", "--no-newline", "hi")
    assert result.status == 0
    assert result.text == (
        'Let me look.\n{"id":"call_1","name":"a","arguments":{}}\n{"id":"call_2","name":"b","arguments":[1]}\n'
    )


def test_fragments_of_tool_calls_are_put_together_by_index(qwen: Program, api: ApiServer) -> None:
    fragments = [
        [tool_call("weather", '{"city"', index=0), tool_call("time", "", id="call_2", index=1)],
        [{"index": 1, "function": {"arguments": "{}"}}],
        [{"index": 0, "function": {"arguments": ': "Paris"}'}}],
    ]
    pieces = [chunk(delta={"tool_calls": calls}) for calls in fragments]
    api.answer(events([chunk("Let me look.\n"), *pieces, chunk(finish_reason="tool_calls")]))
    result = qwen("stream", "hi")
    assert (result.status, result.stderr) == (0, "")
    assert result.text == (
        "Let me look.\n"
        '{"id":"call_1","name":"weather","arguments":{"city":"Paris"}}\n'
        '{"id":"call_2","name":"time","arguments":{}}\n'
    )


@pytest.mark.parametrize("streaming", [False, True], ids=["as a body", "as a stream"])
def test_a_tool_call_is_a_whole_answer(qwen: Program, api: ApiServer, streaming: bool) -> None:
    call = tool_call("weather", '{"city": "Paris"}')
    body = completion(None, tool_calls=[call], finish_reason="tool_calls")
    first = tool_call("weather", '{"ci', index=0)
    second: Json = {"index": 0, "function": {"arguments": 'ty": "Paris"}'}}
    pieces = [chunk(delta={"tool_calls": [first]}), chunk(delta={"tool_calls": [second]})]
    api.answer(events([*pieces, *chunks(finish_reason="tool_calls")]) if streaming else reply(body))
    result = qwen.call("stream" if streaming else "ask", "hi")
    assert (result.status, result.stderr) == (0, "")
    assert result.text == '{"id":"call_1","name":"weather","arguments":{"city":"Paris"}}\n'


def call(function: object, **fields: object) -> Json:
    """A response with one tool call of that function."""
    return completion(None, tool_calls=[{"id": "call_1", "type": "function", "function": function, **fields}])


CALLS: list[tuple[str, object, object]] = [
    ("arguments that are an object", call({"name": "f", "arguments": {"a": [1]}}), ("f", {"a": [1]})),
    ("arguments that are an array", call({"name": "f", "arguments": []}), ("f", {})),
    ("no arguments", call({"name": "f"}), ("f", {})),
    ("empty arguments", call({"name": "f", "arguments": " "}), ("f", {})),
    ("an id that is an object", call({"name": "f", "arguments": "{}"}, id={}), ("f", {})),
]


@pytest.mark.parametrize(("body", "found"), [pytest.param(*rest, id=name) for name, *rest in CALLS])
def test_a_tool_call_is_read_in_any_form(qwen: Program, api: ApiServer, body: object, found: object) -> None:
    api.answer(reply(body))
    result = qwen.call("ask", "hi")
    line = json.loads(result.text)
    assert (result.status, (line["name"], line["arguments"])) == (0, found)


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


@pytest.mark.parametrize("arguments", READERS, ids=" ".join)
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


@pytest.mark.parametrize(("choice", "is_asked_again"), [("required", True), ("weather", True), ("none", False)])
def test_a_tool_choice_that_the_server_refuses_becomes_auto(
    qwen: Program, api: ApiServer, choice: str, is_asked_again: bool
) -> None:
    """What it was is checked all the same."""
    refused = reply(error(400, "tool_choice is not supported"), status=400)
    api.answer(refused, *[calling(WEATHER, streamed=False)] * is_asked_again)
    result = qwen.call("ask", "--tools", TOOLS, "--tool-choice", choice, "hi")
    assert result.status == (0 if is_asked_again else 4)
    assert api.requests[-1].json["tool_choice"] == ("auto" if is_asked_again else choice)


@pytest.mark.parametrize("arguments", READERS, ids=" ".join)
@pytest.mark.parametrize(("content", "status"), [(None, 0), ("", 0), ("{}", 0), ("Let me look.", 9)], ids=repr)
def test_a_call_takes_the_place_of_the_json_that_was_requested_but_not_of_prose(
    qwen: Program, api: ApiServer, content: str | None, status: int, arguments: tuple[str, ...]
) -> None:
    api.answer(calling(WEATHER, content=content, streamed=is_streamed(arguments)))
    result = qwen.call(*arguments, "--response-format", "json_object", "hi")
    assert result.status == status
    if status:
        assert result.message.startswith("the answer is not JSON, although json_object was requested")


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
    result = qwen.call(command, "--show", "calls", "hi", terminal=TERMINAL, env={"TERM": "dumb"})
    shown = result.terminal.decode()
    assert not set(shown) & {"\x9b", "\x7f", "\u202e"}
    found = json.loads(shown)
    assert (result.status, found["name"], found["arguments"]) == (0, "f\x9b", {"x": "\x9b2J\u202e\x7f"})


@st.composite
def fragmented_calls(draw: st.DrawFn) -> tuple[list[Json], list[str]]:
    """The chunks of some tool calls, mixed as a server may send them, and what the calls are when put together."""
    arguments = draw(st.lists(st.text(max_size=12), min_size=1, max_size=3))
    fragments: list[list[Json]] = []
    for index, text in enumerate(arguments):
        cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=3)))
        pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        first = tool_call(f"f{index}", pieces[0], id=f"call_{index}", index=index)
        rest = [{"index": index, "function": {"arguments": piece}} for piece in pieces[1:]]
        fragments.append([first, *rest])
    mixed: list[Json] = []
    while any(fragments):
        mixed.append(draw(st.sampled_from([queue for queue in fragments if queue])).pop(0))
    calls = [ToolCall(f"call_{index}", f"f{index}", text).completed() for index, text in enumerate(arguments)]
    return [chunk(delta={"tool_calls": [fragment]}) for fragment in mixed], [call.as_json() for call in calls]


@given(fragmented_calls())
def test_fragments_of_tool_calls_in_any_order_of_calls_are_put_together(case: tuple[list[Json], list[str]]) -> None:
    payloads, calls = case
    answer, _, _ = read_stream([*payloads, chunk(finish_reason="tool_calls")])
    assert [call.as_json() for call in answer.tool_calls] == calls
    assert judge(answer, Expectation()).failure is None


@pytest.mark.parametrize("index", [-1, 10**9, True, "0", [], None])
def test_the_index_of_a_fragment_may_be_anything(index: object) -> None:
    calls = [tool_call("a", '{"x":', index=index), {"index": index, "function": {"arguments": "1}"}}]
    answer, _, _ = read_stream([chunk(delta={"tool_calls": [call]}) for call in calls])
    assert [call.as_json() for call in answer.tool_calls] == ['{"id":"call_1","name":"a","arguments":{"x":1}}']


@given(st.text())
def test_a_tool_call_is_one_line_of_json_whatever_its_arguments(arguments: str) -> None:
    line = ToolCall("id", "name", arguments).as_json()
    assert "\n" not in line
    found = json.loads(line)["arguments"]
    assert found == arguments or found == json.loads(arguments)
