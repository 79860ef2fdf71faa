"""Reasoning in the content, between <think> and </think>: it is reasoning for every command."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_cli.answer.thinking import ThoughtSplitter, split_thoughts
from tests.api_server import ApiServer, events, reply
from tests.bodies import chunks, completion
from tests.program import Program

THOUGHTFUL = "<think>\nLet me see.\nYes.\n</think>\n\nIt is 42.\n"


@pytest.mark.parametrize("command", ["ask", "stream"])
@pytest.mark.parametrize(
    ("options", "shown", "beside"),
    [
        ([], "It is 42.\n", ""),
        (["-r"], "Let me see.\nYes.\n", ""),
        (["--show", "both"], "It is 42.\n", "Let me see.\nYes.\n"),
    ],
)
def test_ask_and_stream_tell_thoughts_and_answer_apart(
    qwen: Program, api: ApiServer, command: str, options: list[str], shown: str, beside: str
) -> None:
    api.answer(events(chunks(*THOUGHTFUL)) if command == "stream" else reply(completion(THOUGHTFUL)))
    result = qwen.call(command, *options, "hi")
    assert (result.status, result.text, result.stderr) == (0, shown, beside)


def test_map_and_a_conversation_keep_the_answer_alone(qwen: Program, api: ApiServer) -> None:
    api.always(reply(completion(THOUGHTFUL)))
    record = json.loads(qwen("map", "--json", input="a\n").text)
    assert (record["content"], record["reasoning"]) == ("It is 42.\n", "Let me see.\nYes.")
    qwen("ask", "--chat", "talk.json", "hi")
    assert json.loads(qwen.files()["talk.json"])[-1] == {"role": "assistant", "content": "It is 42.\n"}


def test_it_is_added_to_the_reasoning_that_stands_elsewhere(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("<think>second</think>x", reasoning="first, ")))
    assert qwen.call("ask", "-r", "hi").text == "first, second\n"


@pytest.mark.parametrize("command", ["ask", "stream"])
@pytest.mark.parametrize("finish_reason", ["stop", "length"])
def test_thoughts_that_never_end_are_no_answer(qwen: Program, api: ApiServer, command: str, finish_reason: str) -> None:
    content = "<think>\nHm, hm"
    whole = reply(completion(content, finish_reason=finish_reason))
    api.answer(events(chunks(*content, finish_reason=finish_reason)) if command == "stream" else whole)
    result = qwen.call(command, "hi")
    assert (result.status, result.stdout) == (8, b"")
    assert ("token limit before any content" if finish_reason == "length" else "never ended") in result.message


@pytest.mark.parametrize("command", ["ask", "stream"])
@pytest.mark.parametrize(
    "content", ["Use </think> to end it.", "A <think>tag</think> within.", "<thinking>no</thinking>", "< think >"]
)
def test_anything_else_is_text(qwen: Program, api: ApiServer, command: str, content: str) -> None:
    api.answer(events(chunks(*content)) if command == "stream" else reply(completion(content)))
    assert qwen.call(command, "hi").text == content + "\n"


@pytest.mark.parametrize("command", ["ask", "stream"])
def test_where_a_format_is_asked_for_the_opening_tag_may_be_missing(
    qwen: Program, api: ApiServer, command: str
) -> None:
    """Some templates put it into the prompt, so that the model's text begins with thoughts."""
    content = 'Well, {"choice":"a"}?\nNo.\n</think>\n\n{"choice":"b"}'
    api.answer(events(chunks(*content)) if command == "stream" else reply(completion(content)))
    result = qwen.call(command, "--choice", "a", "--choice", "b", "hi")
    assert (result.status, result.text) == (0, "b\n")


def test_json_that_mentions_the_tag_is_json(qwen: Program, api: ApiServer) -> None:
    content = '{"tag": "</think>"}'
    api.answer(reply(completion(content)))
    assert qwen.call("ask", "--schema", '{"type":"object"}', "hi").text == content + "\n"


TEXTS = st.lists(
    st.sampled_from(["<think>", "</think>", "<", "</thi", "think>", "\n", " ", "a", "é"]), max_size=12
).map("".join)


@given(TEXTS, st.data())
def test_a_stream_is_split_like_a_whole_wherever_it_is_cut(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    splitter = ThoughtSplitter()
    ends = zip([0, *cuts], [*cuts, len(text)], strict=True)
    pieces = [*(splitter.split(text[start:end]) for start, end in ends), splitter.end()]
    content, reasoning = ("".join(parts) for parts in zip(*pieces, strict=True))
    assert (content, reasoning.rstrip("\n"), splitter.is_thinking) == split_thoughts(text)
    assert text.lstrip().startswith("<think>") or content == text
