"""Nothing of the model's or the server's is obeyed by a terminal."""

import json
import re

import pytest

from tests.api_server import ApiServer, Reply, events, head, reply, stream
from tests.bodies import Json, chunk, chunks, completion, error, tool_call
from tests.control_characters import EVERYTHING, obeyed
from tests.program import TERMINAL, Program


def test_on_a_terminal_nothing_of_an_answer_is_obeyed(qwen: Program, api: ApiServer) -> None:
    api.answer(events([*(chunk(character) for character in "top\n\t" + EVERYTHING), *chunks("end")]))
    result = qwen("stream", "hi", terminal=["stdout"])
    assert result.status == 0
    assert obeyed(result.terminal) == []
    # A pseudo-terminal may draw the tab as spaces.
    assert re.match(rb"top\r\n(\t|  +)", result.terminal)
    assert result.terminal.endswith(b"end\r\n")


SHOWN: list[tuple[str, str, Json | list[Json]]] = [
    ("a whole answer", "ask", completion(EVERYTHING)),
    ("reasoning", "ask -r", completion("x", reasoning=EVERYTHING)),
    ("reasoning that is streamed", "stream -r", [chunk(delta={"reasoning_content": EVERYTHING}), *chunks("x")]),
    ("a tool call", "ask", completion(None, tool_calls=[tool_call(EVERYTHING, EVERYTHING, id=EVERYTHING)])),
    ("a response", "json", completion(EVERYTHING, model=EVERYTHING)),
    ("a response as it is", "json --no-pretty", completion(EVERYTHING, model=EVERYTHING)),
    ("chunks", "json --stream", [chunk(EVERYTHING), *chunks("x")]),
    ("indented chunks", "json --stream --pretty", [chunk(EVERYTHING), *chunks("x")]),
    ("a currency", "cost --balance", {"current_balance": 1.5, "currency": EVERYTHING}),
    ("an answer that is cut", "ask --allow-incomplete", completion(EVERYTHING, finish_reason="length")),
]


@pytest.mark.parametrize(
    ("command", "payload", "escaped"),
    [
        *(pytest.param(*rest, True, id=name) for name, *rest in SHOWN),
        *(pytest.param(*rest, False, id=f"{name}, not escaped in JSON") for name, *rest in SHOWN if "json" in rest[0]),
    ],
)
def test_on_a_terminal_nothing_is_obeyed_of(
    qwen: Program, api: ApiServer, command: str, payload: Json | list[Json], escaped: bool
) -> None:
    """Whatever is printed of a response; what is passed on may hold such a character as itself."""
    if isinstance(payload, list):
        api.answer(events([json.dumps(each, ensure_ascii=escaped) for each in payload]))
    else:
        api.answer(reply(body=json.dumps(payload, ensure_ascii=escaped).encode()))
    result = qwen.call(*command.split(), *([] if "--balance" in command else ["hi"]), terminal=["stdout"])
    assert obeyed(result.terminal) == []
    assert result.terminal
    assert result.status == 0


@pytest.mark.parametrize("command", ["ask", "stream"])
def test_on_a_terminal_reasoning_beside_the_answer_is_not_obeyed(qwen: Program, api: ApiServer, command: str) -> None:
    streamed = events([chunk(delta={"reasoning_content": EVERYTHING}), *chunks("x")])
    api.answer(streamed if command == "stream" else reply(completion("x", reasoning=EVERYTHING)))
    result = qwen.call(command, "--show", "both", "hi", terminal=["stderr"])
    assert (result.status, result.text) == (0, "x\n")
    assert obeyed(result.terminal.replace(b"\x1b[2m", b"").replace(b"\x1b[0m", b"")) == []
    assert b"evil.invalid" in result.terminal


def test_into_a_pipe_the_answer_goes_as_it_is(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion(EVERYTHING)), events(chunks(EVERYTHING)))
    for command in ("ask", "stream"):
        assert qwen.call(command, "hi").text == EVERYTHING + "\n"


FOREIGN: list[tuple[str, str, Reply]] = [
    ("an error's message", "ask", reply(error(400, EVERYTHING), status=400)),
    ("an error's request id", "ask", reply(error(400, requestId=EVERYTHING), status=400)),
    ("an error that is plain text", "ask", reply(body=EVERYTHING.encode(), status=400)),
    ("an error in a stream", "stream", events([error(400, EVERYTHING, requestId=EVERYTHING)])),
    ("a refusal", "ask", reply(completion(None, refusal=EVERYTHING))),
    ("a finish reason", "ask", reply(completion(None, finish_reason=EVERYTHING))),
    ("a redirect", "ask", (head(302, {"location": "/\x1b[2J\x9b2J\x07", "content-length": 0}),)),
    ("a content type", "stream", (head(200, {"content-type": "text/\x9b2J", "content-length": 0}),)),
    ("a request id in a header", "ask -v", reply(completion(), headers={"x-inference-id": "a\x9b2Jb\x85c"})),
    ("an echo of the client's id", "ask -v", reply(completion(), headers={"x-client-request-id": "a\x9b2Jb"})),
    ("usage", "ask -u", reply(completion(usage={"prompt_tokens": EVERYTHING}))),
    ("the price", "ask -u", reply(completion(meta={"usage": {"usd_spent": EVERYTHING}}))),
    ("a note of a retry", "ask --retries 1", reply(error(503, EVERYTHING), status=503, headers={"retry-after": "0"})),
]


@pytest.mark.parametrize("terminal", [True, False], ids=["on a terminal", "in a pipe"])
@pytest.mark.parametrize(("command", "answer"), [pytest.param(*rest, id=name) for name, *rest in FOREIGN])
def test_on_standard_error_nothing_is_obeyed_of(
    qwen: Program, api: ApiServer, command: str, answer: Reply, *, terminal: bool
) -> None:
    """What a message quotes is on one line and can't be obeyed, even where a log shows it later."""
    api.always(answer)
    arguments = (*command.split(), "hi")
    calm = {"TERM": "dumb"}  # without a spinner
    result = qwen.call(*arguments, terminal=["stderr"] if terminal else [], env=calm)
    shown = result.terminal if terminal else result.stderr.encode()
    assert obeyed(shown) == []
    assert all(line.startswith(b"qwen-cli: ") for line in shown.splitlines())
    assert shown.count(b"\n") <= 6


@pytest.mark.parametrize(
    "arguments",
    [
        ("ask", "-f", "name" + EVERYTHING.replace("\0", "")),
        ("ask", "-o", "no/name" + EVERYTHING.replace("\0", ""), "hi"),
        ("ask", "--temperature", "hot" + EVERYTHING.replace("\0", ""), "hi"),
        ("ask", "--flag" + EVERYTHING.replace("\0", "")),
        ("command" + EVERYTHING.replace("\0", ""),),
    ],
    ids=["a file", "a target", "a value", "a flag", "a command"],
)
def test_what_a_message_quotes_of_the_command_line_is_not_obeyed_either(
    qwen: Program, arguments: tuple[str, ...]
) -> None:
    result = qwen.call(*arguments)
    assert result.status in (2, 7)
    assert obeyed(result.stderr.encode()) == []
    assert result.message


@pytest.mark.parametrize("flag", ["--curl", "--dry-run"])
def test_on_a_terminal_a_request_that_is_shown_is_not_obeyed(qwen: Program, flag: str) -> None:
    qwen.file("evil", EVERYTHING.replace("\0", ""))
    result = qwen.call("ask", flag, "-f", "evil", terminal=["stdout"])
    assert result.status == 0
    assert obeyed(result.terminal) == []
    assert b"evil.invalid" in result.terminal


@pytest.mark.parametrize(
    "arguments",
    [("map", "--csv"), ("map", "--dry-run"), ("map", "--curl"), ("filter", "yes?"), ("filter", "--csv", "yes?")],
    ids=" ".join,
)
def test_on_a_terminal_no_item_is_obeyed(qwen: Program, api: ApiServer, arguments: tuple[str, ...]) -> None:
    api.always(reply(completion("yes")))
    items = "line\r\n" + EVERYTHING.replace("\0", "").replace("\r", "") + "\r\n"
    result = qwen.call(*arguments, input=items, terminal=["stdout"])
    assert result.status == 0
    assert obeyed(result.terminal) == []
    assert b"evil.invalid" in result.terminal
    assert qwen.call("filter", "yes?", input=items).stdout == items.encode()


def test_on_a_terminal_the_model_cannot_send_an_escape_sequence(qwen: Program, api: ApiServer) -> None:
    api.answer(*[reply(completion("a\x1b[2J\x07\tb\rc\x9b\nd\u202ee", reasoning="r\x1b]0;title\x07"))] * 2)
    shown = qwen("ask", "--show", "both", "hi", terminal=TERMINAL, env={"NO_COLOR": "1"}).terminal.decode()
    assert "\\x1b[2J\\x07    b\\x0dc\\x9b\r\nd\\u202ee" in shown
    assert "r\\x1b]0;title\\x07" in shown
    assert "\x1b" not in shown
    piped = qwen("ask", "hi")
    assert piped.text == "a\x1b[2J\x07\tb\rc\x9b\nd\u202ee\n"


def test_on_a_terminal_the_model_cannot_send_an_escape_sequence_split_over_chunks(
    qwen: Program, api: ApiServer
) -> None:
    api.answer(events(chunks("a\x1b", "[2J", "\x9b")))
    shown = qwen("stream", "hi", terminal=TERMINAL, env={"NO_COLOR": "1"}).terminal.decode()
    assert "a\\x1b[2J\\x9b" in shown
    assert "\x1b[2J" not in shown


@pytest.mark.parametrize("flags", [("--pretty",), ("--no-pretty",), ("--stream",)], ids=" ".join)
def test_json_on_a_terminal_is_valid_and_nothing_in_it_is_obeyed(
    qwen: Program, api: ApiServer, flags: tuple[str, ...]
) -> None:
    content = "\x9b2J\x1b[2J\x7f\u202e"
    body = json.dumps(chunk(content, finish_reason="stop") if flags == ("--stream",) else completion(content))
    raw = body.encode().decode("raw_unicode_escape").replace("\x1b", "\\u001b").replace("{", "{\r\n", 1).encode()
    api.answer(stream(b"data: " + raw.replace(b"\r\n", b"") + b"\n\n") if flags == ("--stream",) else reply(body=raw))
    result = qwen.call("json", *flags, "hi", terminal=TERMINAL, env={"TERM": "dumb"})
    shown = result.terminal.decode()
    assert result.status == 0
    assert not set(shown) & {"\x1b", "\x9b", "\x7f", "\u202e"}
    assert json.loads(shown) == json.loads(body)


def test_json_of_cost_and_of_the_request_on_a_terminal_is_valid_and_not_obeyed(qwen: Program, api: ApiServer) -> None:
    api.answer(reply({"spend": 1, "requests": 1, "models": [{"model": "m\x9b", "spend": 1, "requests": 1}]}))
    report = qwen("cost", "--period", "7d", "--json", terminal=TERMINAL, env={"TERM": "dumb"}).terminal.decode()
    request = qwen("ask", "--dry-run", "a\x9bb", terminal=TERMINAL, env={"TERM": "dumb"}).terminal.decode()
    assert "\x9b" not in report + request
    assert json.loads(report)["models"][0]["model"] == "m\x9b"
    assert json.loads(request)["messages"][0]["content"] == "a\x9bb"
