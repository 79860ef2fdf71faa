"""Servers speak dialects: what is not needed decides nothing, and what is no answer at all ends with 9."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen_cli.answer.chunks import ChunkReader
from qwen_cli.answer.completion import Answer, read_completion
from qwen_cli.answer.verdict import Expectation, judge
from qwen_cli.cost.figures import usage_line
from qwen_cli.cost.usage import FIGURES, Total, figures
from qwen_cli.errors import QwenError
from tests.api_server import FIN, ApiServer, events, head, reply, stream
from tests.bodies import Json, chunk, chunks, completion, event, event_stream, tool_call
from tests.program import Program

HTML = b"<!DOCTYPE html>\n<html><body>It works!</body></html>\n"


def choice(message: object, **fields: object) -> Json:
    """A response whose only choice carries that message."""
    return completion(choices=[{"index": 0, "message": message, "finish_reason": "stop", **fields}])


NOT_JSON: list[tuple[str, bytes]] = [
    ("HTML", HTML),
    ("nothing", b""),
    ("white space", b" \n\n"),
    ("half an object", b'{"choices": ['),
    ("two objects", json.dumps(completion()).encode() * 2),
    ("bytes that are not UTF-8", b'{"choices": "\xff\xfe"}'),
    ("brackets a thousand deep", b"[" * 100_000),
    ("a number of 5,000 digits", b'{"choices": ' + b"1" * 5000 + b"}"),
    ("1 MB of garbage", bytes(range(256)) * 4096),
]

NOT_A_COMPLETION: list[tuple[str, object]] = [
    ("an array", []),
    ("a string", "choices"),
    ("null", None),
    ("a number", 7),
    ("an empty object", {}),
    ("no choices", completion(choices=[])),
    ("choices of null", completion(choices=None)),
    ("choices that are an object", completion(choices={"0": {}})),
    ("a choice that is a string", completion(choices=["hi"])),
    ("a choice that is null", completion(choices=[None])),
    ("a choice without a message", completion(choices=[{"index": 0, "finish_reason": "stop"}])),
    ("a message that is a string", choice("hi")),
    ("a message that is an array", choice(["hi"])),
    ("content that is a number", choice({"content": 7})),
    ("content that is an object", choice({"content": {"text": "hi"}})),
    ("content that is true", choice({"content": True})),
]

SIDE_FIELDS: list[tuple[str, object]] = [
    ("reasoning that is a number", choice({"content": "hi", "reasoning_content": 7})),
    ("reasoning that is an object", choice({"content": "hi", "reasoning_content": {"text": "hm"}})),
    ("a refusal that is true", choice({"content": "hi", "refusal": True})),
    ("tool calls that are an object", completion("hi", tool_calls={"id": "1"})),
    ("a tool call that is a string", completion("hi", tool_calls=["weather"])),
    ("usage that is a string", completion("hi", usage="lots")),
    ("usage that is an array", completion("hi", usage=[{"total_tokens": 8}])),
    ("NaN among the figures", completion("hi", usage={"prompt_tokens": float("nan")})),
    ("meta that is an array", completion("hi", meta=[1])),
    ("meta that is a string", completion("hi", meta="v1")),
    ("meta.usage that is a number", completion("hi", meta={"usage": 5})),
    ("an id that is an object", completion("hi", id={})),
    ("an index of null", choice({"content": "hi"}, index=None)),
    ("an index of 1", choice({"content": "hi"}, index=1)),
    ("an index that is a string", choice({"content": "hi"}, index="0")),
    ("log probabilities of an infinity", choice({"content": "hi"}, logprobs={"content": [{"logprob": float("-inf")}]})),
    ("content in parts", choice({"content": [{"type": "text", "text": "h"}, {"type": "text", "text": "i"}]})),
    (
        "reasoning among the parts",
        choice({"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "hi"}, 7]}),
    ),
    ("no role, no refusal, nothing else", choice({"content": "hi"}, logprobs=None)),
    ("a tool call without a name", completion("hi", tool_calls=[{"function": {"arguments": "{}"}}, {}])),
    ("a tool call whose name is a number", completion("hi", tool_calls=[{"function": {"name": 1}}])),
]


@pytest.mark.parametrize("command", ["ask", "json", "stream"])
@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in SIDE_FIELDS])
def test_a_side_field_decides_nothing(qwen: Program, api: ApiServer, body: Json, command: str) -> None:
    if command == "stream":
        (only,) = body["choices"]
        delta = {name: value for name, value in only.items() if name != "message"} | {"delta": only["message"]}
        api.answer(events([{**body, "choices": [delta]}]))
    else:
        api.answer(reply(body))
    result = qwen.call(command, "hi")
    assert (result.status, result.stderr) == (0, "")
    assert result.text == "hi\n" if command != "json" else json.loads(result.text)["choices"]


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)

AT_THE_TOP = ("id", "object", "created", "model", "usage", "meta", "system_fingerprint", "service_tier", "provider")
IN_THE_CHOICE = ("index", "logprobs", "stop_reason", "matched_stop", "native_finish_reason", "seed")
IN_THE_MESSAGE = ("role", "reasoning_content", "reasoning", "annotations", "audio", "name", "reasoning_details")
ODD = ANY_JSON.filter(lambda value: isinstance(value, bool) or not isinstance(value, int))
"""No number that could be the index of another choice."""


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(st.sampled_from(AT_THE_TOP), ANY_JSON),
    st.dictionaries(st.sampled_from(IN_THE_CHOICE), ANY_JSON),
    st.dictionaries(st.sampled_from(IN_THE_MESSAGE), ANY_JSON),
)
def test_any_value_of_a_field_that_is_not_needed_changes_nothing(top: Json, beside: Json, within: Json) -> None:
    said = {"content": "hi"} | within
    body = json.dumps({"choices": [{"message": said, "finish_reason": "stop"} | beside]} | top)
    chunk_of_it = json.dumps({"choices": [{"delta": said, "finish_reason": "stop"} | beside]} | top)
    reader = ChunkReader(keep_content=True)
    reader.read(chunk_of_it)
    for answer in (read_completion(body.encode()), reader.finish()[1]):
        verdict = judge(answer, Expectation())
        assert (verdict.text, verdict.failure) == ("hi", None)
        assert set(Total([answer]).sums) == set(FIGURES)


@given(st.lists(ODD, min_size=3, max_size=3))
def test_the_chunks_of_an_answer_are_one_whatever_they_have_for_an_index(indexes: list[Any]) -> None:
    reader = ChunkReader(keep_content=True)
    for (content, reason), index in zip((("h", None), ("i", None), ("", "stop")), indexes, strict=True):
        reader.read(json.dumps({"choices": [{"index": index, "delta": {"content": content}, "finish_reason": reason}]}))
    assert judge(reader.finish()[1], Expectation()) == ("hi", None, None, None)


def test_the_last_event_may_lack_its_blank_line_and_hold_an_infinity(qwen: Program, api: ApiServer) -> None:
    last = choice({"content": "hi"}, logprobs={"content": [{"logprob": float("-inf")}]})
    api.answer(reply(body=event(last).rstrip()), reply(body=json.dumps([last]).encode()))
    assert qwen.call("stream", "hi").text == "hi\n"
    assert qwen.call("ask", "hi").text == "hi\n"


def test_a_body_that_is_complete_is_read_even_if_its_transfer_is_cut(qwen: Program, api: ApiServer) -> None:
    body = json.dumps(completion("hi", x=float("-inf"))).encode()
    api.answer((head(200, {"content-length": len(body) + 1}) + body, FIN))
    assert qwen.call("ask", "hi").text == "hi\n"


@pytest.mark.parametrize(
    "body",
    [pytest.param(body, id=name) for name, body in NOT_JSON]
    + [pytest.param(json.dumps(body).encode(), id=name) for name, body in NOT_A_COMPLETION],
)
def test_a_body_that_is_no_completion_ends_ask_with_9(qwen: Program, api: ApiServer, body: bytes) -> None:
    api.answer(reply(body=body))
    result = qwen.call("ask", "hi")
    assert (result.status, result.stdout) == (9, b"")
    assert 10 < len(result.message) < 500


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in NOT_JSON])
def test_a_body_that_is_not_json_ends_json_with_9(qwen: Program, api: ApiServer, body: bytes) -> None:
    qwen.file("answer", "old")
    api.answer(reply(body=body))
    result = qwen.call("json", "-o", "answer", "hi")
    assert (result.status, qwen.files()) == (9, {"answer": b"old"})
    assert result.message


BAD_CHUNKS: list[tuple[str, object]] = [
    ("an unparsable line", "{not JSON"),
    ("an array that is cut", "[{"),
    ("1 MB of garbage", "{garbage " * 131_072),
]
TEXTS: list[tuple[str, str]] = [
    ("HTML", "<html><title>Bad gateway</title>"),
    ("a string", '"hi"'),
    ("plain text", "upstream is away"),
    ("1 MB of text", "garbage " * 131_072),
]

NO_CHUNKS: list[tuple[str, object]] = [
    ("an array", []),
    ("null", "null"),
    ("a number", "7"),
    ("an object without choices", {}),
    ("a ping", {"type": "ping"}),
    ("results of a filter", {"id": "", "object": "", "prompt_filter_results": [{"prompt_index": 0}]}),
    ("choices of null", {"choices": None, "usage": None}),
    ("choices that are a string", chunk(choices="hi")),
    ("a choice that is an array", chunk(choices=[[]])),
    ("a delta that is a string", chunk(choices=[{"index": 0, "delta": "hi"}])),
    ("reasoning that is an object", chunk(delta={"reasoning_content": {}})),
    ("a refusal that is a number", chunk(delta={"refusal": 1})),
    ("a finish reason that is true", chunk(finish_reason=True)),
    ("tool calls that are a string", chunk(delta={"tool_calls": "f"})),
    ("a tool call that is null", chunk(delta={"tool_calls": [None]})),
    ("usage that is a string", chunk(choices=[], usage="lots")),
    ("meta that is an array", chunk(choices=[], meta=[1])),
]


@pytest.mark.parametrize("payload", [pytest.param(payload, id=name) for name, payload in NO_CHUNKS])
def test_an_event_that_is_no_chunk_is_skipped(qwen: Program, api: ApiServer, payload: object) -> None:
    sent = [chunk("One "), payload, *chunks("two"), payload]
    api.answer(events(sent), events(sent))
    result = qwen.call("stream", "hi")
    assert (result.status, result.text, result.stderr) == (0, "One two\n", "")
    lines = qwen.call("json", "--stream", "hi").text.splitlines()
    assert lines == [each if isinstance(each, str) else json.dumps(each) for each in sent]


@pytest.mark.parametrize("content", [7, {}, True, {"text": "hi"}], ids=repr)
def test_content_that_is_no_text_ends_a_stream_with_9_after_all_that_is(
    qwen: Program, api: ApiServer, content: object
) -> None:
    api.answer(events([chunk("One "), chunk(content), *chunks("two")]))
    result = qwen.call("stream", "hi")
    assert (result.status, result.text) == (9, "One two\n")
    assert "content is not a string but" in result.message


@pytest.mark.parametrize("payload", [pytest.param(payload, id=name) for name, payload in BAD_CHUNKS])
def test_a_chunk_that_is_none_ends_a_stream_with_9_and_keeps_what_arrived(
    qwen: Program, api: ApiServer, payload: object
) -> None:
    api.answer(events([chunk("One "), chunk("two"), payload, *chunks(" three")]))
    result = qwen.call("stream", "hi")
    assert (result.status, result.text) == (9, "One two\n")
    assert 10 < len(result.message) < 500


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in TEXTS])
def test_a_text_in_a_stream_is_a_ping_or_its_last_words(qwen: Program, api: ApiServer, text: str) -> None:
    """Nobody asked for it where the stream goes on to its end; where that is missing, it says why."""
    api.answer(events([chunk("One "), text, *chunks("two")]), events([chunk("One "), chunk("two"), text]))
    result = qwen.call("stream", "hi")
    assert (result.status, result.text, result.stderr) == (0, "One two\n", "")
    result = qwen.call("stream", "hi")
    assert (result.status, result.text) == (9, "One two\n")
    words = {"<": "Bad gateway", '"': "hi"}.get(text[0], text[:7])
    assert f"the stream broke off with an error: {words}" in result.message
    assert len(result.message) < 500


def test_words_in_an_object_are_a_ping_or_the_last_ones_too(qwen: Program, api: ApiServer) -> None:
    queued = {"object": "status", "message": "queued"}
    ping = b'event: ping\ndata: {"message": "still there"}\n\n'
    api.answer(
        events([queued, *chunks("hi")]),
        stream(ping, event_stream(chunks("hi"))),
        events([chunk("h"), queued]),
        stream(event(chunk("h")), ping),
    )
    results = [qwen.call("stream", "hi") for _ in range(4)]
    assert [result.status for result in results] == [0, 0, 9, 8]
    assert "queued" in results[2].message


@pytest.mark.parametrize("words", ["database is away", "identity is unknown", "retry later", "event loop is closed"])
def test_a_text_is_no_event_stream_because_of_its_first_word(qwen: Program, api: ApiServer, words: str) -> None:
    api.answer(reply(body=words.encode(), headers={"content-type": "text/plain"}))
    result = qwen.call("ask", "hi")
    assert (result.status, words in result.message) == (9, True)


@pytest.mark.parametrize("command", ["ask", "stream"])
def test_a_page_in_the_place_of_an_answer_ends_with_9_and_its_title(
    qwen: Program, api: ApiServer, command: str
) -> None:
    page = b"<!DOCTYPE html><html><head><title>Log in &amp; pay</title></head><body>Hello</body></html>"
    api.answer(reply(body=page, headers={"content-type": "text/html"}))
    result = qwen.call(command, "hi")
    assert (result.status, result.stdout) == (9, b"")
    assert "Log in & pay" in result.message


def test_reads_a_body_with_unknown_fields_and_without_optional_ones(qwen: Program, api: ApiServer) -> None:
    choice = {"message": {"content": "Hello.", "audio": {"x": 1}, "new": None}, "finish_reason": "stop", "odd": []}
    api.answer(reply({"choices": [choice], "surprise": {"deep": [1]}}))
    result = qwen.call("ask", "hi")
    assert (result.status, result.text, result.stderr) == (0, "Hello.\n", "")


def test_a_whole_response_is_read_as_one(qwen: Program, api: ApiServer) -> None:
    body = json.dumps(completion("Hello.", reasoning="Hm."), indent=2).encode()
    api.answer(*[reply(body=body)] * 2)
    result = qwen.call("stream", "--show", "both", "hi")
    assert (result.status, result.text, result.stderr) == (0, "Hello.\n", "Hm.\n")
    result = qwen.call("json", "--stream", "hi")
    assert json.loads(result.text) == completion("Hello.", reasoning="Hm.")
    assert result.text.count("\n") == 1


def test_a_lone_surrogate_becomes_a_replacement_character(qwen: Program, api: ApiServer) -> None:
    api.answer(
        reply(body=b'{"choices":[{"message":{"content":"a\\ud83db\\ude00c"},"finish_reason":"stop"}]}'),
        events([chunk("a\ud83d"), chunk("b"), chunk("\ude00c"), *chunks()]),
        events([chunk("a\ud83d"), chunk("\ude00c"), *chunks()]),
    )
    for command, text in (("ask", "a\ufffdb\ufffdc\n"), ("stream", "a\ufffdb\ufffdc\n"), ("stream", "a\U0001f600c\n")):
        result = qwen.call(command, "hi")
        assert (result.status, result.text) == (0, text)


@pytest.mark.parametrize("command", ["ask", "stream"])
@pytest.mark.parametrize("content_type", ["text/event-stream", "application/json", "text/plain"])
@pytest.mark.parametrize("streamed", [False, True], ids=["a body", "a stream"])
def test_what_comes_is_read_as_what_it_is_whatever_it_is_called(
    qwen: Program, api: ApiServer, command: str, content_type: str, *, streamed: bool
) -> None:
    body = event_stream(chunks("Hello.")) if streamed else json.dumps(completion("Hello."), indent=1).encode()
    api.answer(reply(body=body, headers={"content-type": content_type}))
    result = qwen.call(command, "hi")
    assert (result.status, result.text, result.stderr) == (0, "Hello.\n", "")


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
    return completion("Hello.", reasoning="Hm.", refusal="", tool_calls=[tool_call()], error=None)


def pieces() -> list[Json]:
    """A stream with something in every place."""
    return [
        *chunks("Hello.", reasoning=["Hm."]),
        chunk(delta={"tool_calls": [tool_call(index=0)]}),
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
@settings(max_examples=200, deadline=None)
def test_no_body_at_all_is_an_internal_error(body: Any) -> None:
    assert judged(lambda: read_completion(json.dumps(body).encode())) in (0, 3, 4, 5, 9)


@given(distorted(pieces))
@settings(max_examples=200, deadline=None)
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
    api.answer(
        reply(completion(None, tool_calls=[nested], finish_reason="tool_calls")),
        events([event(chunk("x")).decode()[6:-2].replace("null", deep, 1)]),
    )
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
