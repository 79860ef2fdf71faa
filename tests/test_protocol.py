"""A response that isn't what the protocol says ends with status 9; whatever it allows reads the same in any form."""

import gzip
import json
import threading
import zlib
from collections.abc import Iterator

import pytest
from httpx._decoders import SUPPORTED_DECODERS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qwen_cli.answer.chunks import ChunkReader
from qwen_cli.answer.completion import read_completion
from qwen_cli.answer.verdict import Expectation, judge
from qwen_cli.connection.server_sent_events import read_events
from qwen_cli.cost.usage import FIGURES, Total
from tests.api_server import EVENT_STREAM, LAST_CHUNK, ApiServer, Request, Step, events, head, http_chunk, reply, stream
from tests.bodies import Json, chunk, chunks, completion, event, event_stream
from tests.program import Program

HTML = b"<!DOCTYPE html>\n<html><body>It works!</body></html>\n"


def choice(message: object, **fields: object) -> Json:
    """A response whose only choice carries that message."""
    return completion(choices=[{"index": 0, "message": message, "finish_reason": "stop", **fields}])


def call(function: object, **fields: object) -> Json:
    """A response with one tool call of that function."""
    return completion(None, tool_calls=[{"id": "call_1", "type": "function", "function": function, **fields}])


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
]
CALLS: list[tuple[str, object, object]] = [
    ("arguments that are an object", call({"name": "f", "arguments": {"a": [1]}}), ("f", {"a": [1]})),
    ("arguments that are an array", call({"name": "f", "arguments": []}), ("f", {})),
    ("no arguments", call({"name": "f"}), ("f", {})),
    ("empty arguments", call({"name": "f", "arguments": " "}), ("f", {})),
    ("a name that is a number", call({"name": 1, "arguments": "{}"}), ("", {})),
    ("an id that is an object", call({"name": "f", "arguments": "{}"}, id={}), ("f", {})),
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


@pytest.mark.parametrize(("body", "found"), [pytest.param(*rest, id=name) for name, *rest in CALLS])
def test_a_tool_call_is_read_in_any_form(qwen: Program, api: ApiServer, body: object, found: object) -> None:
    api.answer(reply(body))
    result = qwen.call("ask", "hi")
    line = json.loads(result.text)
    assert (result.status, (line["name"], line["arguments"])) == (0, found)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
AT_THE_TOP = ("id", "object", "created", "model", "usage", "meta", "system_fingerprint", "service_tier", "provider")
IN_THE_CHOICE = ("index", "logprobs", "stop_reason", "matched_stop", "native_finish_reason", "seed")
IN_THE_MESSAGE = ("role", "reasoning_content", "reasoning", "annotations", "audio", "name", "reasoning_details")


@settings(max_examples=200, deadline=None)
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


@pytest.mark.parametrize("arguments", [("cost", "--balance"), ("cost", "--period", "7d")], ids=" ".join)
@pytest.mark.parametrize("body", [b"", HTML, b"[]", b"null", b'{"current_balance": [], "spend": {}}'], ids=repr)
def test_an_account_report_of_another_kind_ends_with_9(
    qwen: Program, api: ApiServer, arguments: tuple[str, ...], body: bytes
) -> None:
    api.answer(reply(body=body))
    result = qwen.call(*arguments)
    assert (result.status, result.stdout) == (9, b"")
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


ERROR_EVENTS: list[tuple[str, object, int, str]] = [
    ("of the service's shape", {"message": "Overloaded", "requestId": "req-9", "statusCode": 503}, 5, "req-9"),
    ("with its status as a string", {"message": "Slow down", "statusCode": "429"}, 5, "Slow down"),
    ("about the key", {"message": "Key disabled", "statusCode": 401}, 3, "Key disabled"),
    ("about the request", {"message": "Too long", "statusCode": 400}, 4, "Too long"),
    ("as an error object with a status", {"error": {"message": "Broken", "code": 500}}, 5, "Broken"),
    ("as an error object with a kind", {"error": {"message": "Broken", "type": "server_error"}}, 5, "Broken"),
    ("as an error object without one", {"error": {"message": "Broken", "type": "x"}}, 9, "Broken"),
    ("in a choice", chunk(choices=[{"delta": {}, "error": {"message": "Broken", "code": 502}}]), 5, "Broken"),
    ("as a message and a code", {"object": "error", "message": "Too long", "code": 400}, 4, "Too long"),
    ("as a detail", {"detail": "Broken"}, 9, "Broken"),
    ("about the content", {"error": {"message": "Blocked", "code": "data_inspection_failed"}}, 8, "Blocked"),
    ("about an account", {"error": {"message": "Pay", "code": "Arrearage"}}, 3, "top up"),
    ("as an error that is a string", {"error": "Broken"}, 9, "Broken"),
]


@pytest.mark.parametrize(("payload", "status", "part"), [pytest.param(*rest, id=name) for name, *rest in ERROR_EVENTS])
def test_an_error_event_after_a_200_ends_with_the_status_of_the_error(
    qwen: Program, api: ApiServer, payload: object, status: int, part: str
) -> None:
    api.answer(events([chunk("One "), chunk("two"), payload]))
    result = qwen.call("stream", "hi")
    assert (result.status, result.text) == (status, "One two\n")
    assert part in result.message


def test_an_error_in_a_body_after_a_200_is_reported(qwen: Program, api: ApiServer) -> None:
    api.answer(reply({"error": {"message": "Broken inside", "code": 500}}))
    result = qwen("ask", "hi")
    assert result.status in (5, 9)
    assert result.stdout == b""
    assert "Broken inside" in result.message


@pytest.mark.parametrize("command", ["ask", "stream"])
def test_a_page_in_the_place_of_an_answer_ends_with_9_and_its_title(
    qwen: Program, api: ApiServer, command: str
) -> None:
    page = b"<!DOCTYPE html><html><head><title>Log in &amp; pay</title></head><body>Hello</body></html>"
    api.answer(reply(body=page, headers={"content-type": "text/html"}))
    result = qwen.call(command, "hi")
    assert (result.status, result.stdout) == (9, b"")
    assert "Log in & pay" in result.message


@pytest.mark.parametrize("command", ["ask", "stream", "json"])
def test_what_is_not_http_ends_with_a_clear_line(qwen: Program, api: ApiServer, command: str) -> None:
    api.answer((b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n\r\n",))
    result = qwen(command, "hi")
    assert (result.status, result.stdout) == (9, b"")
    assert "HTTP" in result.message


# Server-sent events: every legal form reads the same.

TRICKY = "two\u2028words\u0085here \U0001f600 \ufeff \x1e \x0b end"
MANY = json.dumps(chunk("in several lines"), indent=1)
FORMS: list[tuple[str, bytes]] = [
    ("CRLF", event_stream(chunks("Hello.")).replace(b"\n", b"\r\n")),
    ("CR", event_stream(chunks("Hello.")).replace(b"\n", b"\r")),
    ("comments", b": keep-alive\n\n:\n" + event_stream(chunks("Hello.")).replace(b"\n\n", b"\n:\n\n: ping\n\n")),
    (
        "event and id lines",
        event_stream(chunks("Hello.")).replace(b"data:", b"event: message\nid: 7\nretry: 10\ndata:"),
    ),
    ("lines of fields nobody knows", event_stream(chunks("Hello.")).replace(b"data:", b"x-extra: 1\nnonsense\ndata:")),
    ("no space after the colon", event_stream(chunks("Hello.")).replace(b"data: ", b"data:")),
    ("a byte order mark", "\ufeff".encode() + event_stream(chunks("Hello."))),
    ("many blank lines", b"\n\n\n" + event_stream(chunks("Hello.")).replace(b"\n\n", b"\n\n\n\n")),
    (
        "several data lines for one chunk",
        b"".join(
            b"".join(b"data: " + line + b"\n" for line in json.dumps(each, indent=1).encode().split(b"\n")) + b"\n"
            for each in chunks("Hello.")
        ),
    ),
    ("events without data", event_stream(chunks("Hello.")).replace(b"data:", b"event: ping\n\ndata\n\ndata:\n\ndata:")),
]


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in FORMS])
def test_every_legal_form_of_an_event_stream_reads_the_same(qwen: Program, api: ApiServer, body: bytes) -> None:
    api.answer(stream(body), stream(*(bytes([byte]) for byte in body)))
    for _ in range(2):
        result = qwen.call("stream", "hi")
        assert (result.status, result.text, result.stderr) == (0, "Hello.\n", "")


def test_json_stream_prints_one_line_for_a_chunk_of_several_data_lines(qwen: Program, api: ApiServer) -> None:
    several = b"".join(b"data: " + line + b"\n" for line in MANY.encode().split(b"\n")) + b"\n"
    api.answer(stream(several, event_stream(chunks())))
    result = qwen("json", "--stream", "--allow-incomplete", "hi")
    lines = result.text.splitlines()
    assert result.status == 0
    assert [json.loads(line) for line in lines] == [json.loads(MANY), *chunks()]


def test_separators_that_are_no_line_ends_pass_through(qwen: Program, api: ApiServer) -> None:
    raw = b"data: " + json.dumps(chunk(TRICKY), ensure_ascii=False).encode() + b"\n\n"
    api.answer(stream(raw, event_stream(chunks())), stream(raw, event_stream(chunks())))
    assert qwen("stream", "hi").text == TRICKY + "\n"
    first, *_ = qwen("json", "--stream", "hi").stdout.split(b"\n")
    assert first == raw.removeprefix(b"data: ").strip(b"\n")


def test_a_lone_surrogate_becomes_a_replacement_character(qwen: Program, api: ApiServer) -> None:
    api.answer(
        reply(body=b'{"choices":[{"message":{"content":"a\\ud83db\\ude00c"},"finish_reason":"stop"}]}'),
        events([chunk("a\ud83d"), chunk("b"), chunk("\ude00c"), *chunks()]),
        events([chunk("a\ud83d"), chunk("\ude00c"), *chunks()]),
    )
    for command, text in (("ask", "a\ufffdb\ufffdc\n"), ("stream", "a\ufffdb\ufffdc\n"), ("stream", "a\U0001f600c\n")):
        result = qwen(command, "hi")
        assert (result.status, result.text) == (0, text)


lines_of_data = st.text(
    st.one_of(
        st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]),
        st.sampled_from("\u2028\u0085\ufeff\x1e\x0b\x0c:"),
    ),
    min_size=1,
    max_size=20,
)
payloads = st.lists(st.lists(lines_of_data, min_size=1, max_size=3), max_size=5)


@st.composite
def event_streams(draw: st.DrawFn) -> tuple[list[str], list[bytes]]:
    """The data of some events, and pieces of a body that carries them."""
    data = draw(payloads)
    newline = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    extra = st.sampled_from(["", ": keep-alive", ":", "event: x", "id: 1", "retry: 5", "unknown"])
    text = draw(st.sampled_from(["", "\ufeff"]))
    for lines in data:
        for line in lines:
            if noise := draw(extra):
                text += noise + newline
            text += f"data: {line}{newline}"
        text += newline * draw(st.integers(1, 3))
    body = text.encode()
    cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=12)))
    pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    return ["\n".join(lines) for lines in data], pieces


@given(event_streams())
@settings(max_examples=300, deadline=None)
def test_events_read_the_same_in_any_pieces(case: tuple[list[str], list[bytes]]) -> None:
    data, pieces = case
    assert [event.data for event in read_events(pieces)] == data


@given(event_streams(), st.binary(max_size=60))
@settings(max_examples=200, deadline=None)
def test_no_bytes_at_all_upset_the_reader_of_events(case: tuple[list[str], list[bytes]], noise: bytes) -> None:
    data, pieces = case
    assert len(list(read_events([*pieces, b"\n\n", noise]))) >= len(data)


@st.composite
def chopped_streams(draw: st.DrawFn) -> tuple[str, list[bytes]]:
    """The content of a stream, and its body in pieces cut at any byte."""
    contents = draw(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), min_size=1, max_size=4))
    escaped = draw(st.booleans())
    newline = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    payloads = [json.dumps(each, ensure_ascii=escaped) for each in chunks(*contents, "end")]
    body = event_stream(payloads, newline=newline)
    cuts = sorted(draw(st.lists(st.integers(1, len(body) - 1), unique=True, max_size=30)))
    return "".join(contents) + "end", [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]


@given(chopped_streams())
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_stream_in_any_pieces_is_printed_the_same(
    qwen: Program, api: ApiServer, case: tuple[str, list[bytes]]
) -> None:
    content, pieces = case
    api.answer(stream(*pieces))
    result = qwen("stream", "hi")
    assert (result.status, result.text, result.stderr) == (0, content + "\n", "")


# Content codings.


def compressed(coding: str, data: bytes) -> bytes:
    """The data in that coding of HTTP."""
    return gzip.compress(data) if coding == "gzip" else zlib.compress(data)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_compressed_body_reads_like_a_plain_one(qwen: Program, api: ApiServer, coding: str) -> None:
    body = json.dumps(completion("Hello.")).encode()
    answer = reply(body=compressed(coding, body), headers={"content-encoding": coding})
    api.answer(answer, answer)
    assert qwen("ask", "hi").text == "Hello.\n"
    result = qwen("json", "hi")
    assert (result.status, result.stdout) == (0, body + b"\n")


def test_a_compressed_stream_is_printed_as_it_arrives(qwen: Program, api: ApiServer) -> None:
    seen = threading.Event()
    packer = zlib.compressobj(wbits=31)

    def packed(data: bytes) -> bytes:
        return http_chunk(packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))

    rest = packed(event(chunk("One "))), packed(event_stream(chunks("two"))), http_chunk(packer.flush())
    api.answer((head(200, {**EVENT_STREAM, "content-encoding": "gzip"}), rest[0], seen, *rest[1:], LAST_CHUNK))
    with qwen.start("stream", "hi") as running:
        running.wait_for(b"One")
        seen.set()
        result = running.finish()
    assert (result.status, result.text) == (0, "One two\n")


def test_padding_after_a_gzip_body_is_ignored(qwen: Program, api: ApiServer) -> None:
    body = gzip.compress(json.dumps(completion("Hello.")).encode()) + bytes(100_000)
    api.answer(reply(body=body, headers={"content-encoding": "gzip"}))
    assert qwen("ask", "hi").text == "Hello.\n"


def test_a_body_of_several_gzip_members_reads_like_one(qwen: Program, api: ApiServer) -> None:
    """Their concatenation is gzip as well (RFC 1952, 2.2)."""
    body = json.dumps(completion("Hello.")).encode()
    members = b"".join(gzip.compress(part) for part in (body[:20], b"", body[20:]))
    api.answer(reply(body=members, headers={"content-encoding": "gzip"}))
    result = qwen("ask", "hi")
    assert (result.status, result.text) == (0, "Hello.\n")


@pytest.mark.parametrize("content_type", ["Text/Event-Stream", "text/event-stream; charset=UTF-8"])
def test_the_type_of_an_event_stream_is_known_in_any_case(qwen: Program, api: ApiServer, content_type: str) -> None:
    api.answer(stream(event_stream(chunks("Hello.")), headers={"content-type": content_type}))
    result = qwen("stream", "hi")
    assert (result.status, result.text) == (0, "Hello.\n")


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_body_that_is_not_in_the_coding_it_claims_ends_with_9(qwen: Program, api: ApiServer, coding: str) -> None:
    api.answer(reply(body=b"this is not compressed at all", headers={"content-encoding": coding}))
    result = qwen.call("ask", "hi")
    assert (result.status, result.stdout) == (9, b"")
    assert result.message


def test_only_codings_that_can_be_undone_are_asked_for(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion()))
    qwen("ask", "hi")
    asked = {coding.strip() for coding in api.request.headers.get("accept-encoding", "identity").split(",")}
    assert asked <= {*SUPPORTED_DECODERS}


def test_a_compressed_flood_stops_at_the_stated_limit(qwen: Program, api: ApiServer) -> None:
    def flood(_: Request) -> Iterator[Step]:
        packer = zlib.compressobj(wbits=31)
        yield head(200, {"content-encoding": "gzip", "transfer-encoding": "chunked"})
        for _megabyte in range(300):
            yield http_chunk(packer.compress(b" " * (1 << 20)) + packer.flush(zlib.Z_SYNC_FLUSH))
        yield LAST_CHUNK

    api.answer(flood)
    result = qwen("ask", "hi")
    assert (result.status, result.stdout) == (9, b"")
    assert "MiB" in result.message
    assert result.peak_memory < 400 << 20
