"""Standard input is read when something may come from it, waited for as long as it takes, and never dropped."""

import json
import os
import signal
import socket
import tempfile
import time
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from tests.api_server import ApiServer, reply
from tests.bodies import completion
from tests.dry_run import user_message
from tests.program import Program, Stream, require_tool, wait_until

MIB = 1 << 20


def asked_for(api: ApiServer, number: int = 0) -> Any:
    """The content of the only message of that request."""
    (message,) = api.requests[number].json["messages"]
    return message["content"]


def test_an_open_pipe_that_delivers_nothing_is_noted_after_three_seconds_and_waited_for(
    qwen: Program, api: ApiServer
) -> None:
    """With words and without; `-q` leaves out the note. An interrupt ends the wait."""
    api.answer(reply(completion("Hello.")))
    with (
        qwen.start("ask", "hi", input=PIPE) as with_words,
        qwen.start("ask", input=PIPE) as alone,
        qwen.start("ask", "-q", "Say:", input=PIPE) as quiet,
    ):
        for running in (with_words, alone):
            running.wait_for(b"\n", "stderr")
            assert running.output("stdout") == b""
            running.send(signal.SIGINT)
            result = running.finish()
            assert result.status == 130
            assert "-n" in result.message
            assert "standard input" in result.message
            assert result.seconds > 3
        wait_until(lambda: time.monotonic() - quiet.started > 3.4, "longer than the note takes")
        quiet.write(b"slow\n")
        quiet.write(b"words\n")
        quiet.close_input()
        assert quiet.finish().text == "Hello.\n"
        assert quiet.finish().stderr == ""
    assert asked_for(api) == "slow\nwords\n\nSay:"


def test_nothing_is_sent_before_standard_input_has_ended(qwen: Program, api: ApiServer) -> None:
    with qwen.start("ask", "Say:", input=PIPE) as running:
        running.write(b"first ")
        with pytest.raises(AssertionError, match="no such request"):
            api.wait_for_requests(timeout=0.7)
        api.answer(reply(completion("Hello.")))
        running.write(b"second\n")
        running.close_input()
        assert running.finish().status == 0
    assert asked_for(api) == "first second\n\nSay:"


def test_no_stdin_leaves_an_open_pipe_alone(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello.")))
    with qwen.start("ask", "-n", "hi", input=PIPE) as running:
        result = running.finish()
    assert (result.status, result.text, result.stderr) == (0, "Hello.\n", "")
    assert asked_for(api) == "hi"


def test_no_stdin_alone_is_nothing_to_ask(qwen: Program) -> None:
    result = qwen.call("ask", "-n", input="hi")
    assert (result.status, result.stdout) == (2, b"")
    assert "nothing to ask" in result.message


LOOP = 'printf \'a\\nb\\nc\\n\' | while read -r line; do "$@" "$line"; done'


def test_a_read_loop_with_n_asks_once_for_each_line(qwen: Program, api: ApiServer) -> None:
    api.answer(*[reply(completion("Hello."))] * 3)
    result = qwen("ask", "-n", "--", script=LOOP)
    assert (result.status, result.text, result.stderr) == (0, "Hello.\n" * 3, "")
    assert [asked_for(api, number) for number in range(3)] == ["a", "b", "c"]


def test_a_read_loop_without_n_sends_the_other_lines_with_the_first(qwen: Program, api: ApiServer) -> None:
    """As any filter in such a loop does; nothing is lost."""
    api.answer(reply(completion("Hello.")))
    result = qwen("ask", "--", script=LOOP)
    assert (result.status, result.text) == (0, "Hello.\n")
    assert asked_for(api) == "b\nc\n\na"


def test_dev_null_is_no_input(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello.")))
    assert qwen.call("ask", "hi").status == 0
    assert asked_for(api) == "hi"
    result = qwen.call("ask")
    assert result.status == 2
    assert "nothing to ask" in result.message


def test_a_device_is_read_where_it_is_asked_for(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello.")))
    assert qwen.call("ask", "hi", "-").status == 0
    assert asked_for(api) == "hi"


@pytest.mark.parametrize("kind", ["a file", "a socket", "a pipe"])
def test_input_comes_from(qwen: Program, api: ApiServer, kind: str) -> None:
    """A regular file, a socket and a pipe are read alike."""
    api.answer(reply(completion("Hello.")))
    if kind == "a socket":
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.sendall(b"from outside\n")
            ours.shutdown(socket.SHUT_WR)
            result = qwen("ask", "hi", input=theirs.fileno())
    elif kind == "a file":
        with qwen.file("input", "from outside\n").open("rb") as file:
            result = qwen("ask", "hi", input=file)
    else:
        result = qwen("ask", "hi", input="from outside\n")
    assert result.status == 0
    assert asked_for(api) == "from outside\n\nhi"


def test_a_pipe_that_does_not_block_is_waited_for(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello.")))
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with (
        open(reading, "rb") as theirs,
        open(writing, "wb", buffering=0) as ours,
        qwen.start("ask", "hi", input=theirs) as running,
    ):
        ours.write(b"one ")
        with pytest.raises(AssertionError, match="no such request"):
            api.wait_for_requests(timeout=0.6)
        ours.write(b"two\n")
        ours.close()
        assert running.finish().status == 0
    assert asked_for(api) == "one two\n\nhi"


def test_a_terminal_is_not_read_unless_asked_for(qwen: Program, api: ApiServer) -> None:
    api.answer(*[reply(completion("Hello."))] * 2)
    assert qwen("ask", "hi", terminal=["stdin"]).status == 0
    assert asked_for(api) == "hi"
    with qwen.start("ask", "Translate:", "-", "into French", terminal=["stdin"]) as running:
        running.type(b"hello there\n\x04")
        assert running.finish().status == 0
    assert asked_for(api, 1) == "Translate:\n\nhello there\n\ninto French"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"fine until \xff here", "not UTF-8: byte 0xff at offset 11", id="invalid UTF-8"),
        pytest.param(b"cut \xe2\x82", "not UTF-8: byte 0xe2 at offset 4", id="UTF-8 that is cut"),
        pytest.param("é\0".encode(), "NUL byte at offset 2", id="NUL"),
        pytest.param(b"\xed\xa0\x80", "not UTF-8: byte 0xed at offset 0", id="a surrogate"),
    ],
)
def test_input_that_is_not_text_ends_with_7_and_the_byte_offset(
    qwen: Program, api: ApiServer, data: bytes, reason: str
) -> None:
    result = qwen.call("ask", "hi", input=data)
    assert (result.status, result.stdout, api.requests) == (7, b"", [])
    assert result.message.startswith("standard input ")
    assert reason in result.message


@pytest.mark.parametrize("through", ["a pipe", "a file", "-f"])
def test_200_mb_are_refused_within_memory(qwen: Program, api: ApiServer, through: str) -> None:
    if through == "a pipe":
        # A pipeline would hide whose memory it is, so the producer writes into the program's own pipe.
        result = qwen("ask", "hi", input=b"0123456789abcde\n" * (200 * MIB // 16), timeout=60)
    else:
        with tempfile.TemporaryFile(dir=qwen.cwd) as file:
            for _ in range(200):
                file.write(b"0123456789abcde\n" * (MIB // 16))
            file.seek(0)
            if through == "-f":
                named = Path(f"/proc/{os.getpid()}/fd/{file.fileno()}")
                result = qwen("ask", "-f", named, "hi", timeout=60)
            else:
                result = qwen("ask", "hi", input=file, timeout=60)
    assert (result.status, result.stdout, api.requests) == (7, b"", [])
    assert "MiB" in result.message
    assert result.peak_memory < 250 * MIB


def test_30_mb_are_handled_within_memory(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello.")))
    result = qwen("ask", input="0123456789abcde\n" * (30 * MIB // 16), timeout=60)
    assert (result.status, result.text) == (0, "Hello.\n")
    assert len(asked_for(api)) == 30 * MIB - 1
    assert result.peak_memory < 400 * MIB


def test_standard_input_that_cannot_be_read_ends_with_7(qwen: Program, api: ApiServer) -> None:
    qwen.file("input", "only to be written")
    result = qwen("ask", "hi", script='exec "$@" 0>>input')
    assert (result.status, api.requests) == (7, [])
    assert "standard input" in result.message


class TestStandardInput:
    def test_no_stdin_leaves_it_alone(self, qwen: Program) -> None:
        assert user_message(qwen, "--no-stdin", "hi", input="piped") == "hi"

    def test_a_device_is_not_read(self, qwen: Program) -> None:
        with Path("/dev/zero").open("rb") as zero:
            assert user_message(qwen, "hi", input=zero) == "hi"


def test_closed_standard_input_is_no_input(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello.")))
    result = qwen("ask", "hi", script='exec "$@" <&-')
    assert (result.status, result.text, result.stderr) == (0, "Hello.\n", "")
    assert api.request.json["messages"] == [{"role": "user", "content": "hi"}]


TYPED: tuple[Stream, ...] = ("stdin",)


def test_empty_input_beside_other_parts_gets_a_note(qwen: Program) -> None:
    """Where a person sees it, or asks for it: cron hands every job an empty pipe."""
    note = "standard input is empty (use -n to ignore it)"
    result = qwen("ask", "--dry-run", "-v", "hi", input="")
    assert (result.status, result.message) == (0, note)
    assert note.encode() in qwen("ask", "--dry-run", "hi", input="", terminal=["stderr"]).terminal
    assert qwen("ask", "--dry-run", "hi", input="").stderr == ""
    assert qwen("ask", "--dry-run", "-q", "hi", input="", terminal=["stderr"]).terminal == b""
    assert qwen("ask", "--dry-run", "-n", "-v", "hi", input="").stderr == ""
    assert qwen.call("ask", "--dry-run", "-v", "hi").stderr == ""


def test_a_dash_that_reads_the_terminal_says_so(qwen: Program) -> None:
    with qwen.start("ask", "--dry-run", "-", terminal=TYPED) as running:
        running.wait_for(b"reading standard input from the terminal", "stderr")
        running.type(b"typed\n\x04")
        assert running.finish().status == 0


# JSON for an option (`@-`).


TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
CONVERSATION = [{"role": "user", "content": "My name is Ann."}, {"role": "assistant", "content": None}]


@pytest.mark.parametrize(
    ("flag", "delivered", "sent"),
    [
        ("--tools", TOOLS, {"tools": TOOLS}),
        ("--logit-bias", {"42": 3}, {"logit_bias": {"42": 3}}),
        ("--response-format", {"type": "json_object"}, {"response_format": {"type": "json_object"}}),
        ("--tool-choice", "none", {"tool_choice": "none"}),
        ("--messages", CONVERSATION, {"messages": [*CONVERSATION, {"role": "user", "content": "hi"}]}),
    ],
)
def test_json_comes_from_standard_input_and_is_no_part_of_the_prompt(
    qwen: Program, flag: str, delivered: object, sent: dict[str, Any]
) -> None:
    result = qwen.call("ask", "--dry-run", flag, "@-", "hi", input=f"\ufeff{json.dumps(delivered)}\n")
    assert (result.status, result.stderr) == (0, "")
    body = json.loads(result.text)
    messages = sent.get("messages", [{"role": "user", "content": "hi"}])
    assert body["messages"][-len(messages) :] == messages
    assert {name: body[name] for name in body.keys() - {"model", "messages", "stream"}} == {
        name: value for name, value in sent.items() if name != "messages"
    }


def test_a_conversation_from_standard_input_needs_no_other_prompt(qwen: Program) -> None:
    result = qwen.call("ask", "--dry-run", "--messages", "@-", input=json.dumps(CONVERSATION))
    assert json.loads(result.text)["messages"] == CONVERSATION


def test_json_from_standard_input_joins_what_else_was_given(qwen: Program) -> None:
    result = qwen.call("ask", "--dry-run", "--logit-bias", "7=1", "--logit-bias", "@-", "hi", input='{"8": 2}')
    assert json.loads(result.text)["logit_bias"] == {"7": 1, "8": 2}


def test_a_file_is_read_only_once_even_when_json_comes_from_standard_input(qwen: Program) -> None:
    """A process substitution holds its text for one reader."""
    script = f"""exec {require_tool("bash")} -c '"$@" --prediction-file <(printf expected)' sh "$@\""""
    result = qwen("ask", "--dry-run", "--tools", "@-", "hi", input=json.dumps(TOOLS), script=script)
    assert (result.status, result.stderr) == (0, "")
    assert json.loads(result.text)["prediction"]["content"] == "expected"


@pytest.mark.parametrize(
    ("arguments", "readers"),
    [
        (("--tools", "@-", "--messages", "@-", "hi"), ("--tools", "--messages")),
        (("--tools", "@-", "Translate:", "-"), ("--tools", "-")),
        (("--tools", "@-", "-f", "-", "hi"), ("--tools", "-")),
    ],
)
def test_two_readers_of_standard_input_are_named_before_it_is_awaited(
    qwen: Program, arguments: tuple[str, ...], readers: tuple[str, str]
) -> None:
    with qwen.start("ask", *arguments, input=PIPE) as running:
        result = running.finish()
    assert result.status == 2
    assert result.message == f"{readers[0]} and {readers[1]} cannot both read standard input"


@pytest.mark.parametrize(
    ("delivered", "status", "start"),
    [
        ("", 7, "standard input is not JSON"),
        (b"\xff", 7, "standard input is not UTF-8"),
        ("[1]", 2, '--tools: tools.0: 1 is not of type "object"'),
        ("null", 2, "--tools: null is not a value"),
    ],
)
def test_json_from_standard_input_is_held_to_the_limits(
    qwen: Program, api: ApiServer, delivered: str | bytes, status: int, start: str
) -> None:
    result = qwen.call("ask", "--tools", "@-", "hi", input=delivered)
    assert (result.status, result.stdout, api.requests) == (status, b"", [])
    assert result.message.startswith(start)


@pytest.mark.parametrize(
    "mistake", [("--temperature=9",), ("--seed=x",), ("--system=a", "--system-file=b")], ids=" ".join
)
def test_a_value_that_is_none_is_reported_before_json_is_awaited(qwen: Program, mistake: tuple[str, ...]) -> None:
    with qwen.start("ask", "--tools", "@-", *mistake, "hi", input=PIPE) as running:
        assert running.finish().status == 2


def test_a_terminal_that_is_read_gets_a_note(qwen: Program) -> None:
    with qwen.start("ask", "--dry-run", "--messages", "@-", terminal=["stdin"]) as running:
        running.wait_for(b"Control-D", "stderr")
        running.type(json.dumps(CONVERSATION).encode() + b"\n\x04")
        result = running.finish()
    assert json.loads(result.text)["messages"] == CONVERSATION
