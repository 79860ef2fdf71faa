"""`json` passes the response through, byte for byte, and still judges it."""

import json
import threading

import pytest

from tests.api_server import FIN, ApiServer, events, head, reply, stream
from tests.bodies import Json, chunk, chunks, completion, event
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
def test_the_body_arrives_byte_for_byte(qwen: Program, api: ApiServer, body: bytes) -> None:
    api.answer(reply(body=body, headers={"content-type": "application/json"}))
    result = qwen("json", "hi")
    assert (result.status, result.stderr) == (0, "")
    assert result.stdout == body
    assert "stream" not in api.request.json


def test_the_first_bytes_are_out_before_the_last_are_sent(qwen: Program, api: ApiServer) -> None:
    body = body_of("Hello.")
    seen = threading.Event()
    api.answer((head(200, {"content-length": len(body)}) + body[:20], seen, body[20:]))
    with qwen.start("json", "hi") as running:
        running.wait_for(body[:20])
        assert running.output() == body[:20]
        seen.set()
        result = running.finish()
    assert (result.status, result.stdout) == (0, body)


def test_pretty_indents_and_leaves_text_readable(qwen: Program, api: ApiServer) -> None:
    body = completion("Žluťoučký")
    api.answer(reply(body))
    result = qwen("json", "--pretty", "hi")
    assert result.status == 0
    assert result.text == json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def test_a_terminal_gets_it_indented_unless_told_otherwise(qwen: Program, api: ApiServer) -> None:
    api.answer(*[reply(completion("Hello."))] * 2)
    indented = qwen("json", "hi", terminal=TERMINAL, env={"TERM": "dumb"})
    assert b'\r\n      "message": {\r\n' in indented.terminal
    passed = qwen("json", "--no-pretty", "hi", terminal=TERMINAL, env={"TERM": "dumb"})
    assert passed.terminal == json.dumps(completion("Hello.")).encode()


def test_a_terminal_never_obeys_a_raw_control_character_of_the_body(qwen: Program, api: ApiServer) -> None:
    api.answer(*[reply(completion("\x9b2J\x1b[2J"))] * 2)
    for flag in ("--pretty", "--no-pretty"):
        shown = qwen("json", flag, "hi", terminal=TERMINAL, env={"TERM": "dumb"}).terminal
        assert b"\x1b" not in shown
        assert "\x9b".encode() not in shown


def test_stream_prints_one_chunk_per_line_as_it_was_sent(qwen: Program, api: ApiServer) -> None:
    sent = chunks("Hel", "lo.", reasoning=["Hm"])
    api.answer(events(sent))
    result = qwen("json", "--stream", "hi")
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
    result = qwen("json", "--stream", "--pretty", "hi")
    assert result.status == 0
    decoder, text, found = json.JSONDecoder(), result.text, []
    while text:
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:].lstrip()
    assert found == sent
    assert '\n  "choices"' in result.text


@pytest.mark.parametrize("streaming", [False, True], ids=["as a body", "as a stream"])
@pytest.mark.parametrize(
    ("content", "status"),
    [("{}", 0), ("[]", 9), ("Sure!", 9), ('{"a": NaN}', 9)],
)
def test_a_json_format_is_held_against_the_content(
    qwen: Program, api: ApiServer, content: str, status: int, streaming: bool
) -> None:
    api.answer(events(chunks(content)) if streaming else reply(completion(content)))
    result = qwen("json", *(["--stream"] if streaming else []), "--response-format", "json_object", "hi")
    assert result.status == status
    assert content in "".join(found_content(json.loads(line)) for line in result.text.splitlines())
    if status:
        assert "json_object was asked for" in result.message


def found_content(document: Json) -> str:
    """The content of a body or a chunk."""
    return "".join(choice.get("message", choice.get("delta"))["content"] or "" for choice in document["choices"])


def test_a_file_is_replaced_by_the_whole_body_only(qwen: Program, api: ApiServer) -> None:
    qwen.file("body.json", "old")
    body = body_of("Hello.")
    api.answer(reply(body=body), (head(200, {"content-length": len(body)}) + body[:30], 0.05, FIN))
    result = qwen("json", "-o", "body.json", "hi")
    assert (result.status, result.stdout, qwen.files()) == (0, b"", {"body.json": body})
    result = qwen("json", "-o", "body.json", "hi")
    assert (result.status, qwen.files()) == (6, {"body.json": body})


def test_usage_is_told_beside_the_body(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello.")))
    result = qwen("json", "--usage", "hi")
    assert (result.status, json.loads(result.stdout)) == (0, completion("Hello."))
    assert result.message == "11 prompt + 42 completion (30 reasoning) = 53 tokens, 0.00013 USD"


def test_a_long_content_is_judged_without_being_kept(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("x" * 3_000_000, finish_reason="length")))
    result = qwen("json", "hi")
    assert (result.status, len(result.stdout) > 3_000_000) == (8, True)
    assert "--max-tokens" in result.message
