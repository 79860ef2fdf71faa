"""What is read from completions and chunks, and the verdict on it."""

import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from qwen_cli.answer.chunks import ChunkReader
from qwen_cli.answer.completion import Answer, read_completion
from qwen_cli.answer.message import Delta
from qwen_cli.answer.tool_calls import ToolCall
from qwen_cli.answer.verdict import Expectation, judge
from qwen_cli.errors import IncompleteAnswer, ProtocolError, QwenError
from tests.bodies import META, USAGE, Json, chunk, chunks, completion, tool_call


def read(body: object) -> Answer:
    """The answer in that body."""
    return read_completion(json.dumps(body).encode())


def read_stream(payloads: list[Json], *, keep_content: bool = True) -> tuple[Answer, str, str]:
    """The answer in those chunks, and the content and the reasoning that their deltas brought."""
    reader = ChunkReader(keep_content=keep_content)
    deltas = [reader.read(json.dumps(payload)) for payload in payloads]
    last, answer = reader.finish()
    deltas.append(last)
    return answer, "".join(each.content for each in deltas), "".join(each.reasoning for each in deltas)


def as_dict(answer: Answer) -> dict[str, Any]:
    """What is known of an answer, to be compared."""
    return vars(answer) | {"tool_calls": [call.as_json() for call in answer.tool_calls]}


def test_a_completion_is_read_whole() -> None:
    calls = [tool_call("a", "{}"), tool_call("b", "[]", id="call_2")]
    answer = read(completion("Hello.", reasoning="Hm.", refusal="No.", tool_calls=calls, finish_reason="tool_calls"))
    assert as_dict(answer) == {
        "content": "Hello.",
        "reasoning": "Hm.",
        "has": {"content", "reasoning"},
        "is_still_thinking": False,
        "failure": None,
        "odd": [],
        "refusal": "No.",
        "tool_calls": ['{"id":"call_1","name":"a","arguments":{}}', '{"id":"call_2","name":"b","arguments":[]}'],
        "finish_reason": "tool_calls",
        "usage": USAGE,
        "meta_usage": META["usage"],
    }


def test_the_first_choice_is_the_one_with_index_0() -> None:
    def choice(index: int, content: str) -> Json:
        return {"index": index, "message": {"content": content}, "finish_reason": "stop"}

    assert read(completion(choices=[choice(1, "second"), choice(0, "first")])).content == "first"
    assert read(completion(choices=[choice(1, "only")])).content == "only"


@pytest.mark.parametrize("missing", ["content", "reasoning_content", "refusal"])
def test_a_member_that_is_missing_is_like_null(missing: str) -> None:
    body = completion("Hello.", reasoning="Hm.", refusal="No.")
    without = completion("Hello.", reasoning="Hm.", refusal="No.")
    body["choices"][0]["message"][missing] = None
    del without["choices"][0]["message"][missing]
    assert as_dict(read(without)) == as_dict(read(body))


@pytest.mark.parametrize(
    ("broken", "where"),
    [
        ([], "the response is not a JSON object but an array"),
        ({"choices": {}}, "the response has no choices"),
        ({"choices": ["x"]}, "the response has no choices"),
        ({"choices": [{"message": []}]}, "the response has no message"),
        ({"detail": "Not here"}, "Not here"),
        ({}, "the response has no choices"),
    ],
)
def test_a_body_without_an_answer_says_why(broken: object, where: str) -> None:
    with pytest.raises(ProtocolError) as raised:
        read(broken)
    assert where in str(raised.value)


@pytest.mark.parametrize(
    ("body", "remark"),
    [
        (completion(7), "content is not a string but a number"),
        (completion(True), "content is not a string but a boolean"),
        (completion(finish_reason=["stop"]), "finish_reason is not a string but an array"),
        (completion(tool_calls=[None]), "a tool call is not an object"),
        (completion(usage="much"), "usage is not an object but a string"),
        (completion(meta={"usage": 1}), "usage is not an object but a number"),
    ],
)
def test_a_member_of_an_odd_type_counts_as_absent_and_is_remembered(body: Json, remark: str) -> None:
    assert read(body).odd == [remark]


@pytest.mark.parametrize("body", [b"", b"  \n", b"Hello", b"{", b"[" * 100_000, b"\xff", b"{} {}"])
def test_what_is_no_json_is_a_protocol_error(body: bytes) -> None:
    with pytest.raises(ProtocolError, match="the response is not JSON: "):
        read_completion(body)


@given(
    st.lists(st.text(max_size=5), max_size=5),
    st.lists(st.text(max_size=5), max_size=3),
    st.none() | st.sampled_from(["stop", "length", "content_filter", "tool_calls"]),
    st.booleans(),
)
def test_a_stream_of_chunks_is_the_same_answer_as_a_body(
    pieces: list[str], reasoning: list[str], finish_reason: str | None, usage: bool
) -> None:
    answer, content, thought = read_stream(
        chunks(*pieces, reasoning=reasoning, finish_reason=finish_reason, usage=usage)
    )
    sent = {} if usage else {"usage": None, "meta": None}
    whole = read(completion(content, reasoning=thought, finish_reason=finish_reason, **sent))
    assert (content, thought) == ("".join(pieces), "".join(reasoning))
    assert as_dict(answer) | {"reasoning": thought} == as_dict(whole)
    for wanted in ("content", "reasoning"):
        assert str(judge(answer, Expectation(wanted)).failure) == str(judge(whole, Expectation(wanted)).failure)


def test_no_later_chunk_takes_back_what_an_earlier_one_said() -> None:
    without = [chunk(usage=None, meta=None), chunk(finish_reason=None, usage={}, meta={}), chunk(choices=[])]
    answer, _, _ = read_stream([*chunks("Hello."), *without])
    assert (answer.finish_reason, answer.usage, answer.meta_usage) == ("stop", USAGE, META["usage"])
    assert judge(answer, Expectation()).failure is None


@pytest.mark.parametrize("sent", [{"usage": USAGE}, {"meta": META}], ids=["usage", "meta"])
def test_a_chunk_may_bring_nothing_but(sent: Json) -> None:
    """Usage and cost may come in chunks of their own, which need not even have choices."""
    reader = ChunkReader(keep_content=True)
    assert reader.read(json.dumps(sent)) == Delta()
    answer = reader.finish()[1]
    assert (answer.usage, answer.meta_usage) == (sent.get("usage"), sent.get("meta", {}).get("usage"))


def test_content_is_kept_only_where_it_is_judged() -> None:
    answer, content, _ = read_stream(chunks("Hel", "lo."), keep_content=False)
    assert (answer.content, content, answer.has) == ("", "Hello.", {"content"})


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


CALL = ToolCall("call_1", "weather", "{}")
WHOLE = Answer(content="Hello.", has={"content"}, finish_reason="stop")


@pytest.mark.parametrize(
    ("changes", "wanted", "reason"),
    [
        ({}, "content", None),
        ({"finish_reason": "tool_calls"}, "content", None),
        ({"finish_reason": "function_call"}, "content", None),
        ({"finish_reason": "anything else"}, "content", "'anything else'"),
        ({"finish_reason": ""}, "content", "without a finish reason"),
        ({"finish_reason": None}, "content", "without a finish reason"),
        ({"finish_reason": "length"}, "content", "raise --max-tokens"),
        ({"finish_reason": "length", "has": {"reasoning"}}, "content", "before any content"),
        ({"finish_reason": "content_filter"}, "content", "content filter"),
        ({"refusal": "I can't."}, "content", "the model refused: I can't."),
        ({"has": set()}, "content", "has no content"),
        ({}, "reasoning", "has no reasoning"),
        ({"has": {"content", "reasoning"}}, "reasoning", None),
        ({"has": set(), "tool_calls": [CALL]}, "content", None),
        ({"has": set(), "tool_calls": [CALL]}, "reasoning", "has no reasoning"),
        ({"has": set(), "tool_calls": [CALL], "finish_reason": "length"}, "content", "token limit"),
    ],
)
def test_the_verdict_says_what_an_answer_lacks(changes: Json, wanted: str, reason: str | None) -> None:
    found = judge(Answer(**(vars(WHOLE) | changes)), Expectation(wanted)).failure
    if reason is None:
        assert found is None
    else:
        assert isinstance(found, IncompleteAnswer)
        assert reason in str(found)


OBJECT, SCHEMA = {"type": "json_object"}, {"type": "json_schema", "json_schema": {"name": "x"}}


@pytest.mark.parametrize(
    ("content", "response_format", "fits"),
    [
        ("{}", OBJECT, True),
        (' {"a": [1]}\n', OBJECT, True),
        ("[]", OBJECT, False),
        ("7", OBJECT, False),
        ("```json\n{}\n```", OBJECT, True),
        ("```\n{}\n```\n```\n{}\n```", OBJECT, False),
        ("Here it is:\n~~~\n{}\n~~~\nDone.", OBJECT, True),
        ("Here it is: {}", OBJECT, False),
        ("{", OBJECT, False),
        ("", OBJECT, False),
        ('{"a": Infinity}', OBJECT, False),
        ("[" * 100_000, OBJECT, False),
        ("[]", SCHEMA, True),
        ("Sure!", SCHEMA, False),
        ("Sure!", {"type": "text"}, True),
        ("Sure!", None, True),
        ("Sure!", "json_object", True),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_content_is_held_against_the_format_that_was_asked_for(
    content: str, response_format: object, fits: bool
) -> None:
    answer = Answer(content=content, has={"content"}, finish_reason="stop")
    found: QwenError | None = judge(answer, Expectation.of({"response_format": response_format})).failure
    assert (found is None) == fits
    if not fits:
        assert isinstance(found, ProtocolError)
