"""Reasoning, wherever it stands in a response, is printed where it is asked for and nowhere else."""

import threading

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tests.api_server import ApiServer, events, reply, stream
from tests.bodies import chunk, chunks, completion, event
from tests.program import READERS, TERMINAL, Program, is_streamed
from tests.reading import read, read_stream


@pytest.mark.parametrize("flags", [("-r",), ("--show", "reasoning")], ids=" ".join)
def test_prints_the_reasoning_instead_when_asked(qwen: Program, api: ApiServer, flags: tuple[str, ...]) -> None:
    api.answer(reply(completion("Hello.", reasoning="They greet me.\n")))
    result = qwen.call("ask", *flags, "hi")
    assert (result.status, result.text, result.stderr) == (0, "They greet me.\n", "")


def test_shows_both_each_on_its_own_stream(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello.", reasoning="They\ngreet me.")))
    result = qwen("ask", "--show", "both", "hi")
    assert (result.status, result.text, result.stderr) == (0, "Hello.\n", "They\ngreet me.\n")


def test_an_answer_without_reasoning_is_not_whole_when_reasoning_is_wanted(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello.")))
    result = qwen.call("ask", "-r", "hi")
    assert (result.status, result.text) == (8, "")
    assert result.message == "the answer has no reasoning"


def test_reasoning_beside_the_content_is_shown_as_it_arrives(qwen: Program, api: ApiServer) -> None:
    seen = threading.Event()
    thought = event(chunk(delta={"reasoning_content": "Thinking"}))
    api.answer(stream(thought, seen, *map(event, chunks("Hello."))))
    with qwen.start("stream", "--show", "both", "hi") as running:
        running.wait_for(b"Thinking", "stderr")
        seen.set()
        result = running.finish()
    assert (result.status, result.text, result.stderr) == (0, "Hello.\n", "Thinking\n")


@pytest.mark.parametrize("command", ["ask", "stream"])
def test_reasoning_in_a_field_of_another_name_is_reasoning(qwen: Program, api: ApiServer, command: str) -> None:
    body = completion("91.")
    body["choices"][0]["message"] = {"content": "91.", "reasoning": "7 times 13"}
    pieces = [chunk(choices=[{"delta": {"reasoning": piece}}]) for piece in ("7 times", " 13")]
    answer = events([*pieces, *chunks("91.")]) if command == "stream" else reply(body)
    api.answer(answer, answer)
    assert qwen.call(command, "-r", "hi").text == "7 times 13\n"
    result = qwen.call(command, "--show", "both", "hi")
    assert (result.status, result.text, result.stderr) == (0, "91.\n", "7 times 13\n")


def test_reasoning_that_comes_under_both_names_comes_once(qwen: Program, api: ApiServer) -> None:
    api.answer(events([chunk(delta={"reasoning_content": "Hm", "reasoning": "Hm"}), *chunks("Yes.")]))
    assert qwen.call("stream", "-r", "hi").text == "Hm\n"


def test_a_member_reasoning_that_is_no_text_is_something_else(qwen: Program, api: ApiServer) -> None:
    body = completion("Hello.")
    body["choices"][0]["message"]["reasoning"] = {"effort": "low"}
    api.answer(reply(body))
    assert qwen.call("ask", "hi").status == 0


class TestReasoningOnTheTerminal:
    """With `--show both` it is dim, unless colours are not wanted."""

    @pytest.mark.parametrize(
        ("env", "dim"),
        [({}, True), ({"NO_COLOR": ""}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
        ids=["colours", "an empty NO_COLOR", "NO_COLOR", "a dumb terminal"],
    )
    def test_is_dim_where_colours_are_wanted(
        self, qwen: Program, api: ApiServer, env: dict[str, str | None], dim: bool
    ) -> None:
        api.answer(reply(completion("Hello.", reasoning="Hm.")))
        shown = qwen.call("ask", "--show", "both", "-q", "hi", terminal=TERMINAL, env=env).terminal
        assert shown == (b"\x1b[2mHm.\x1b[0m\r\nHello.\r\n" if dim else b"Hm.\r\nHello.\r\n")


THOUGHT = "<think>\nThey greet me.\n</think>\n\nHello."


@pytest.mark.parametrize("command", ["ask", "stream"])
@pytest.mark.parametrize("before", ["", "\n", " \t"], ids=repr)
def test_reasoning_between_tags_at_the_beginning_of_the_content_is_reasoning(
    qwen: Program, api: ApiServer, command: str, before: str
) -> None:
    answer = events(chunks(*(before + THOUGHT))) if command == "stream" else reply(completion(before + THOUGHT))
    api.answer(answer, answer, answer)
    assert qwen.call(command, "hi").text == "Hello.\n"
    assert qwen.call(command, "-r", "hi").text == "They greet me.\n"
    both = qwen.call(command, "--show", "both", "hi")
    assert (both.text, both.stderr) == ("Hello.\n", "They greet me.\n")


@pytest.mark.parametrize("command", ["ask", "stream"])
@pytest.mark.parametrize(
    "content", ["Write <think>.</think>", "</think> ends it.", "<thinking>Hm.", "<thin", "Hm.</think>Hello.", "<"]
)
def test_tags_elsewhere_are_text(qwen: Program, api: ApiServer, command: str, content: str) -> None:
    api.answer(events(chunks(*content)) if command == "stream" else reply(completion(content)))
    result = qwen.call(command, "hi")
    assert (result.status, result.text) == (0, f"{content}\n")


@pytest.mark.parametrize("command", ["ask", "stream"])
@pytest.mark.parametrize(
    ("finish_reason", "words"), [("stop", "its reasoning never ended"), ("length", "before any content")]
)
def test_reasoning_that_never_ended_is_no_answer(
    qwen: Program, api: ApiServer, command: str, finish_reason: str, words: str
) -> None:
    content = "<think>Let me see, </thin"
    pieces, whole = chunks(*content, finish_reason=finish_reason), completion(content, finish_reason=finish_reason)
    answer = events(pieces) if command == "stream" else reply(whole)
    api.answer(answer, answer)
    result = qwen.call(command, "hi")
    assert (result.status, result.stdout) == (8, b"")
    assert words in result.message
    assert qwen.call(command, "-r", "hi").text == "Let me see, </thin\n"


@pytest.mark.parametrize("arguments", READERS, ids=" ".join)
@pytest.mark.parametrize(
    "content", ['<think>Hm.</think>{"a": 1}', 'Hm, {}.\n</think>\n\n{"a": 1}', '{"a": "x</think>{}"}'], ids=repr
)
def test_the_json_that_was_requested_stands_behind_reasoning_of_any_kind(
    qwen: Program, api: ApiServer, content: str, arguments: tuple[str, ...]
) -> None:
    """Also where the template has swallowed the opening tag, and not where the tag is a part of the JSON."""
    api.answer(events(chunks(*content)) if is_streamed(arguments) else reply(completion(content)))
    result = qwen.call(*arguments, "--response-format", "json_object", "hi")
    assert result.status == 0
    if arguments == ("ask",):
        assert result.text.startswith('{"a": ')


@given(st.lists(st.sampled_from(["<think>", "</think>", "<", ">", "\n", " ", "think", "a"])), st.data())
def test_reasoning_is_found_in_any_pieces_of_a_stream(parts: list[str], data: st.DataObject) -> None:
    content = "".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=8)))
    pieces = [content[start:end] for start, end in zip([0, *cuts], [*cuts, len(content)], strict=True)]
    answer, text, thought = read_stream([chunk(piece) for piece in pieces])
    whole = read(completion(content))
    assert (text, thought.rstrip("\n")) == (whole.content, whole.reasoning)
    assert answer.is_still_thinking == whole.is_still_thinking
