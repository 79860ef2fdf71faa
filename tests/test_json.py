"""`json` passes the response through, byte for byte, and still judges it."""

import json
import socket
import threading

import pytest

from tests.api_server import FIN, ApiServer, events, head, reply, stream
from tests.bodies import chunk, chunks, completion, event
from tests.program import TERMINAL, Program


def body_of(content: str) -> bytes:
    """A response of that content, as compact JSON."""
    return json.dumps(completion(content), separators=(",", ":")).encode()


ODD_BODY = (
    b'\r\n{ "choices" :[{"message":{"content":"\\u00e9\\ud83d\\ude00 \xc3\xa9\xe2\x80\xa8", "n": 1.50e+2,'
    b'"n":12345678901234567890},'
    b'"finish_reason":"stop" , "finish_reason":"stop"}],\t"z":0,"a":[ ]}\n\n'
)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(body_of("Hello."), id="compact, without a final newline"),
        pytest.param(json.dumps(completion("Hello."), indent=3).encode() + b"\n", id="indented"),
        pytest.param(ODD_BODY, id="odd spacing, escapes, numbers and doubled names"),
        pytest.param(body_of("long " * 500_000), id="2.5 MB in one string"),
    ],
)
def test_the_body_arrives_byte_for_byte_with_one_newline_at_its_end(qwen: Program, api: ApiServer, body: bytes) -> None:
    api.answer(reply(body=body, headers={"content-type": "application/json"}))
    result = qwen.call("json", "hi")
    assert (result.status, result.stderr) == (0, "")
    assert result.stdout == body.rstrip() + b"\n"
    assert api.request.json["stream"] is False


def test_the_first_bytes_are_out_before_the_last_are_sent(qwen: Program, api: ApiServer) -> None:
    body = body_of("long " * 2000)
    seen = threading.Event()
    api.answer((head(200, {"content-length": len(body)}) + body[:5000], seen, body[5000:]))
    with qwen.start("json", "hi") as running:
        running.wait_for(body[:100])
        seen.set()
        result = running.finish()
    assert (result.status, result.stdout) == (0, body + b"\n")


@pytest.mark.parametrize("cut", [10, 5000], ids=["in its first bytes", "later"])
def test_what_arrived_of_a_body_that_is_cut_is_passed_on(qwen: Program, api: ApiServer, cut: int) -> None:
    body = body_of("long " * 2000)
    api.answer((head(200, {"content-length": len(body)}) + body[:cut], 0.05, FIN))
    result = qwen.call("json", "hi")
    assert (result.status, result.stdout) == (6, body[:cut] + b"\n")


def test_a_small_body_and_its_newline_are_one_write(qwen: Program, api: ApiServer) -> None:
    body = body_of("Hello.")
    api.answer((head(200, {"content-length": len(body)}) + body[:20], 0.05, body[20:60], 0.05, body[60:]))
    read, write = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with read, write:
        assert qwen("json", "hi", stdout=write.fileno()).status == 0
        assert read.recv(1 << 16) == body + b"\n"


def test_pretty_indents_and_leaves_text_readable(qwen: Program, api: ApiServer) -> None:
    body = completion("Žluťoučký")
    api.answer(reply(body))
    result = qwen.call("json", "--pretty", "hi")
    assert result.status == 0
    assert result.text == json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def test_a_terminal_gets_it_indented_by_default(qwen: Program, api: ApiServer) -> None:
    api.answer(*[reply(completion("Hello."))] * 3)
    indented = qwen.call("json", "-q", "hi", terminal=TERMINAL)
    assert b'\r\n      "message": {\r\n' in indented.terminal
    for options, term in ((["--no-pretty"], "xterm"), ([], "dumb")):
        passed = qwen.call("json", "-q", *options, "hi", terminal=TERMINAL, env={"TERM": term})
        assert passed.terminal == json.dumps(completion("Hello.")).encode() + b"\r\n"


def test_stream_prints_one_chunk_per_line_as_it_was_sent(qwen: Program, api: ApiServer) -> None:
    sent = chunks("Hel", "lo.", reasoning=["Hm"])
    api.answer(events(sent))
    result = qwen.call("json", "--stream", "hi")
    assert (result.status, result.stderr) == (0, "")
    assert result.text == "".join(f"{json.dumps(payload)}\n" for payload in sent)
    assert api.request.json["stream"] is True
    assert api.request.json["stream_options"] == {"include_usage": True}


def test_each_chunk_is_out_before_the_next_is_sent(qwen: Program, api: ApiServer) -> None:
    seen = threading.Event()
    first, last = chunk("one"), chunk("two", finish_reason="stop")
    api.answer(stream(event(first), seen, event(last)))
    with qwen.start("json", "--stream", "hi") as running:
        running.wait_for(b"\n")
        assert running.output() == json.dumps(first).encode() + b"\n"
        seen.set()
        result = running.finish()
    assert (result.status, result.text) == (0, f"{json.dumps(first)}\n{json.dumps(last)}\n")


def test_stream_and_pretty_indent_the_chunks(qwen: Program, api: ApiServer) -> None:
    sent = chunks("Hello.")
    api.answer(events(sent))
    result = qwen.call("json", "--stream", "--pretty", "hi")
    assert result.status == 0
    decoder, text, found = json.JSONDecoder(), result.text, []
    while text:
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:].lstrip()
    assert found == sent
    assert '\n  "choices"' in result.text


def test_a_file_is_replaced_by_the_whole_body_only(qwen: Program, api: ApiServer) -> None:
    qwen.file("body.json", "old")
    body = body_of("Hello.")
    api.answer(reply(body=body), (head(200, {"content-length": len(body)}) + body[:30], 0.05, FIN))
    result = qwen("json", "-o", "body.json", "hi")
    assert (result.status, result.stdout, qwen.files()) == (0, b"", {"body.json": body + b"\n"})
    result = qwen("json", "-o", "body.json", "hi")
    assert (result.status, qwen.files()) == (6, {"body.json": body + b"\n"})


def test_a_long_content_is_judged_without_being_kept(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("x" * 3_000_000, finish_reason="length")))
    result = qwen.call("json", "hi")
    assert (result.status, len(result.stdout) > 3_000_000) == (8, True)
    assert "--max-tokens" in result.message


@pytest.mark.parametrize("number", ["12345678901234567890123", "0.1", "-7"])
def test_pretty_keeps_numbers(qwen: Program, api: ApiServer, number: str) -> None:
    body = json.dumps(completion("Hello.", n=7)).replace('"n": 7', f'"n": {number}').encode()
    api.answer(reply(body=body))
    result = qwen.call("json", "--pretty", "hi")
    assert (result.status, result.stderr) == (0, "")
    assert f'"n": {number}\n' in result.text


@pytest.mark.parametrize("flags", [(), ("--pretty",), ("--stream",), ("--stream", "--pretty")], ids=" ".join)
@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e400"])
def test_what_servers_write_for_numbers_passes_as_it_is(
    qwen: Program, api: ApiServer, number: str, flags: tuple[str, ...]
) -> None:
    streamed = "--stream" in flags
    whole = chunk("Hello.", finish_reason="stop", x=7) if streamed else completion("Hello.", x=7)
    body = json.dumps(whole).replace('"x": 7', f'"x": {number}').encode()
    api.answer(stream(b"data: " + body + b"\n\n") if streamed else reply(body=body))
    result = qwen.call("json", *flags, "hi")
    assert (result.status, result.stdout, result.stderr) == (0, body + b"\n", "")


@pytest.mark.parametrize("depth", [1, 400, 480])
def test_a_body_that_is_nested_passes_in_every_form(qwen: Program, api: ApiServer, depth: int) -> None:
    body = completion("Hello.", x=json.loads("[" * depth + "]" * depth))
    api.answer(reply(body), reply(body), events([chunk("Hello.", finish_reason="stop", x=body["x"])]))
    assert qwen.call("json", "hi").status == 0
    pretty = qwen.call("json", "--pretty", "hi")
    assert (pretty.status, json.loads(pretty.text)) == (0, body)
    assert qwen.call("json", "--stream", "--pretty", "hi").status == 0


@pytest.mark.parametrize("flags", [(), ("--pretty",), ("--stream",), ("--stream", "--pretty")], ids=" ".join)
@pytest.mark.parametrize("inner", ["[" * depth + "]" * depth for depth in (600, 960, 983, 1000)], ids=len)
def test_what_is_too_deep_passes_as_it_is_and_ends_with_9(
    qwen: Program, api: ApiServer, inner: str, flags: tuple[str, ...]
) -> None:
    streamed = "--stream" in flags
    whole = chunk("Hello.", finish_reason="stop", x=7) if streamed else completion("Hello.", x=7)
    body = json.dumps(whole).replace('"x": 7', f'"x": {inner}').encode()
    api.answer(stream(b"data: " + body + b"\n\n") if streamed else reply(body=body))
    result = qwen.call("json", *flags, "hi")
    assert (result.status, result.stdout) == (9, body + b"\n")
    assert "nested too deeply" in result.message
