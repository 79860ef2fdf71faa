"""Server-sent events: every legal form reads the same, in any pieces."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qwen_cli.connection.server_sent_events import read_events
from tests.api_server import ApiServer, stream
from tests.bodies import chunk, chunks, event_stream
from tests.program import Program

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
    result = qwen.call("json", "--stream", "--allow-incomplete", "hi")
    lines = result.text.splitlines()
    assert result.status == 0
    assert [json.loads(line) for line in lines] == [json.loads(MANY), *chunks()]


def test_separators_that_are_no_line_ends_pass_through(qwen: Program, api: ApiServer) -> None:
    raw = b"data: " + json.dumps(chunk(TRICKY), ensure_ascii=False).encode() + b"\n\n"
    api.answer(stream(raw, event_stream(chunks())), stream(raw, event_stream(chunks())))
    assert qwen("stream", "hi").text == TRICKY + "\n"
    first, *_ = qwen("json", "--stream", "hi").stdout.split(b"\n")
    assert first == raw.removeprefix(b"data: ").strip(b"\n")


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
@settings(max_examples=150, deadline=None)
def test_events_read_the_same_in_any_pieces(case: tuple[list[str], list[bytes]]) -> None:
    data, pieces = case
    assert [event.data for event in read_events(pieces)] == data


@given(event_streams(), st.binary(max_size=60))
@settings(max_examples=100, deadline=None)
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
    result = qwen.call("stream", "hi")
    assert (result.status, result.text, result.stderr) == (0, content + "\n", "")


@pytest.mark.parametrize("content_type", ["Text/Event-Stream", "text/event-stream; charset=UTF-8"])
def test_the_type_of_an_event_stream_is_known_in_any_case(qwen: Program, api: ApiServer, content_type: str) -> None:
    api.answer(stream(event_stream(chunks("Hello.")), headers={"content-type": content_type}))
    result = qwen.call("stream", "hi")
    assert (result.status, result.text) == (0, "Hello.\n")


@given(st.lists(st.integers(0, 60), max_size=8))
def test_a_line_that_says_error_is_an_event_of_that_type_in_any_pieces(places: list[int]) -> None:
    """Some servers write such lines, which are no field of the format, among the events; within data, it is text."""
    body = b"error: one\n\ndata: error: two\n\n: error: three\r\nerror: four\r\rdata: five\ndata: error:"
    cuts = sorted({min(place, len(body)) for place in places})
    pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert list(read_events(pieces)) == [
        ("error", "one"),
        ("message", "error: two"),
        ("error", "four"),
        ("message", "five\nerror:"),
    ]
