"""One terminal, several writers: each on a line of its own, the spinner out of the way, the echo as it was."""

import threading

import pytest

from tests.api_server import ApiServer, events, reply
from tests.bodies import chunk, chunks, completion
from tests.program import TERMINAL, Program, lines_of

PLAIN = {"NO_COLOR": "1"}


def test_a_note_erases_the_spinner_and_has_its_own_line(qwen: Program, api: ApiServer) -> None:
    refused = reply({"message": "busy"}, status=503, headers={"retry-after": "1"})
    seen = threading.Event()
    api.answer((seen, *refused), reply(completion("Hello.")))
    with qwen.start("ask", "-v", "hi", terminal=TERMINAL, env=PLAIN) as running:
        running.wait_for(b"waiting", "terminal")
        seen.set()
        shown = lines_of(running.finish().terminal)
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
