"""One terminal, several writers: each on a line of its own, the spinner out of the way, the echo as it was."""

import os
import signal
import termios
import threading
import time
from pathlib import Path

import pytest

from qwen_cli.output.spinner import Wait
from qwen_cli.output.stderr import Notes
from tests.api_server import SILENCE, ApiServer, events, reply, stream
from tests.bodies import chunk, chunks, completion, event, tool_call
from tests.keyring_daemon import Keyring
from tests.program import TERMINAL, Program, Running, wait_until

PLAIN = {"NO_COLOR": "1"}
ERASED = "\r\x1b[2K"


def lines_of(terminal: bytes) -> list[str]:
    """What a person sees in the end: each line without what was erased from it."""
    return [line.rpartition(ERASED)[2] for line in terminal.decode().split("\r\n")]


# One write.


PACKETS: list[tuple[str, ...]] = [
    ("ask", "hi"),
    ("ask", "--show", "reasoning", "hi"),
    ("json", "hi"),
    ("cost", "hi"),
    ("ask", "--dry-run", "hi"),
    ("ask", "--curl", "hi"),
]


@pytest.mark.parametrize("arguments", PACKETS, ids=" ".join)
def test_a_short_result_is_one_write_with_its_newline(
    qwen: Program, api: ApiServer, arguments: tuple[str, ...]
) -> None:
    """In a pipe of packets each write is read by itself."""
    api.always(reply(completion("x" * 1000, reasoning="y" * 1000)))
    reader, writer = os.pipe2(os.O_DIRECT)
    try:
        result = qwen(*arguments, stdout=writer)
        first = os.read(reader, 1 << 16)
        os.set_blocking(reader, False)
        with pytest.raises(BlockingIOError):
            os.read(reader, 1 << 16)
    finally:
        os.close(reader)
        os.close(writer)
    assert (result.status, first[-1:]) == (0, b"\n")


def test_an_answer_and_its_tool_calls_are_one_write(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Let me look.", tool_calls=[tool_call("time", "{}"), tool_call("date", "{}")])))
    reader, writer = os.pipe2(os.O_DIRECT)
    try:
        qwen("ask", "hi", stdout=writer)
        assert os.read(reader, 1 << 16).count(b"\n") == 3
    finally:
        os.close(reader)
        os.close(writer)


def test_lines_of_parallel_runs_stay_whole(qwen: Program, api: ApiServer) -> None:
    api.always(reply(completion("x" * 4000)))
    result = qwen(script='seq 8 | xargs -P 8 -I{} "$@" ask -n {}', timeout=60)
    assert (result.status, result.text.splitlines()) == (0, ["x" * 4000] * 8)


# Lines of their own.


def test_a_note_erases_the_spinner_and_has_its_own_line(qwen: Program, api: ApiServer) -> None:
    refused = reply({"message": "busy"}, status=503, headers={"retry-after": "1"})
    api.answer((0.6, *refused), reply(completion("Hello.")))
    shown = lines_of(qwen("ask", "-v", "hi", terminal=TERMINAL, env=PLAIN).terminal)
    assert shown[-2:] == ["Hello.", ""]
    assert len(shown) > 4
    assert all(line.startswith("qwen-cli: ") for line in shown[:-2])


def test_a_note_in_the_middle_of_an_answer_ends_its_line(qwen: Program, api: ApiServer) -> None:
    api.answer(events(chunks("Hel", "lo.")))
    shown = lines_of(qwen("stream", "-v", "hi", terminal=TERMINAL, env=PLAIN).terminal)
    assert "Hello." in shown
    assert shown[-1] == ""
    assert all(line.startswith("qwen-cli: ") for line in shown if line not in ("Hello.", ""))
    assert shown.count("") == 1


@pytest.mark.parametrize("terminal", [TERMINAL, ()], ids=["on a terminal", "in a pipe"])
def test_reasoning_ends_its_line_before_an_error(qwen: Program, api: ApiServer, terminal: tuple[str, ...]) -> None:
    deltas = [chunk(delta={"reasoning_content": "Hm"}), chunk(finish_reason="length", delta={})]
    api.answer(events(deltas))
    result = qwen("stream", "--show", "both", "hi", terminal=TERMINAL if terminal else (), env=PLAIN)
    lines = lines_of(result.terminal) if terminal else result.stderr.split("\n")
    assert (lines[0], lines[1][:10], lines[2:]) == ("Hm", "qwen-cli: ", [""])


def test_a_tool_call_after_reasoning_has_its_own_line(qwen: Program, api: ApiServer) -> None:
    call = {"tool_calls": [{"index": 0, "id": "1", "function": {"name": "time", "arguments": "{}"}}]}
    deltas = [chunk(delta={"reasoning_content": "Hm"}), chunk(delta=call), chunk(finish_reason="tool_calls", delta={})]
    api.answer(events(deltas))
    shown = lines_of(qwen("stream", "--show", "both", "hi", terminal=TERMINAL, env=PLAIN).terminal)
    assert shown == ["Hm", '{"id":"1","name":"time","arguments":{}}', ""]


def test_content_and_reasoning_in_turns_have_lines_of_their_own(qwen: Program, api: ApiServer) -> None:
    deltas = [chunk("One"), chunk(delta={"reasoning_content": "Hm"}), chunk("two", finish_reason="stop")]
    api.answer(events(deltas))
    shown = lines_of(qwen("stream", "--show", "both", "hi", terminal=TERMINAL, env=PLAIN).terminal)
    assert shown == ["One", "Hm", "two", ""]


def test_the_spinner_is_gone_before_standard_output_is_written_elsewhere(qwen: Program, api: ApiServer) -> None:
    seen, checked = threading.Event(), threading.Event()
    api.answer(stream(seen, event(chunk("Hello.", finish_reason="stop")), checked))
    with qwen.start("stream", "hi", terminal=["stderr"]) as running:
        running.wait_for(b"waiting", "terminal")
        seen.set()
        running.wait_for(b"Hello.")
        wait_until(lambda: running.output("terminal").endswith(ERASED.encode()), "the spinner is gone")
        checked.set()
        running.finish()


def test_the_spinner_shows_the_seconds(qwen: Program, api: ApiServer) -> None:
    api.answer((1.3, *reply(completion("Hello."))))
    assert "waiting for the answer (1 s)" in qwen("ask", "hi", terminal=TERMINAL).terminal.decode()


def test_a_job_in_the_background_shows_no_spinner(qwen: Program, api: ApiServer) -> None:
    api.answer((0.8, *reply(completion("Hello."))))
    result = qwen("ask", "hi", terminal=TERMINAL, script='set -m; "$@" & wait $!')
    assert lines_of(result.terminal)[0] == "Hello."
    assert ERASED not in result.terminal.decode()


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_erases_the_spinner(qwen: Program, api: ApiServer, number: signal.Signals) -> None:
    api.answer((SILENCE,))
    with qwen.start("ask", "hi", terminal=TERMINAL, script='ulimit -c 0; exec "$@"') as running:
        running.wait_for(b"waiting", "terminal")
        running.send(number)
        result = running.finish(timeout=5)
    assert result.status == 128 + number
    assert result.terminal.endswith(ERASED.encode())


# A wait where nobody sees a spinner.


def test_a_long_wait_without_a_terminal_gets_one_note(capfd: pytest.CaptureFixture[str]) -> None:
    wait = Wait("waiting for the answer", Notes(), patience=0.05)
    wait.begin(spinning=False)
    time.sleep(0.3)
    wait.over()
    assert capfd.readouterr().err == "qwen-cli: still waiting for the answer, after 0 s\n"


def test_a_short_wait_without_a_terminal_gets_none(capfd: pytest.CaptureFixture[str]) -> None:
    wait = Wait("waiting for the answer", Notes())
    wait.begin(spinning=False)
    wait.over()
    assert capfd.readouterr().err == ""


# The hidden prompt.


def echoes(running: Running) -> bool:
    """Whether the terminal shows what is typed."""
    assert running.master is not None
    return bool(termios.tcgetattr(running.master)[3] & termios.ECHO)


def state_of(running: Running) -> str:
    return Path(f"/proc/{running.pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_at_the_hidden_prompt_leaves_the_echo_on(
    qwen: Program, keyring: Keyring, number: signal.Signals
) -> None:
    # The shell keeps the terminal, which is hung up when the leader of its session ends.
    script = 'ulimit -c 0; trap "" INT QUIT; (trap - INT QUIT; exec "$@"); echo "ended with $?"; sleep 60'
    with qwen.start("key", "set", terminal=TERMINAL, env=keyring.environment, script=script) as running:
        running.wait_for(b"API key for", "terminal")
        wait_until(lambda: not echoes(running), "the echo is off")
        if number == signal.SIGTERM:
            children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
            os.kill(int(children[0]), number)
        else:
            running.type(b"\x03" if number == signal.SIGINT else b"\x1c")
        running.wait_for(f"ended with {128 + number}".encode(), "terminal")
        assert echoes(running)
