"""The chunks of a stream add up to an answer."""

import json

import hypothesis.strategies as st
import pytest
from hypothesis import given

from qwen_cli.answer import chunks as chunks_module
from qwen_cli.answer.chunks import ChunkReader, TooMuchToKeep
from qwen_cli.answer.message import Delta
from qwen_cli.answer.verdict import Expectation, judge
from tests.bodies import META, USAGE, Json, chunk, chunks, completion, tool_call
from tests.reading import as_dict, read, read_stream


@given(
    st.lists(st.text(max_size=5), max_size=5),
    st.lists(st.text(max_size=5), max_size=3),
    st.none() | st.sampled_from(["stop", "length", "content_filter", "tool_calls"]),
    st.booleans(),
)
def test_a_stream_of_chunks_is_the_same_answer_as_a_body(
    pieces: list[str], reasoning: list[str], finish_reason: str | None, usage: bool
) -> None:
    answer, content, thought = read_stream(
        chunks(*pieces, reasoning=reasoning, finish_reason=finish_reason, usage=usage)
    )
    sent = {} if usage else {"usage": None, "meta": None}
    whole = read(completion(content, reasoning=thought, finish_reason=finish_reason, **sent))
    assert (content, thought) == ("".join(pieces), "".join(reasoning))
    assert as_dict(answer) | {"reasoning": thought} == as_dict(whole)
    for wanted in ("content", "reasoning"):
        assert str(judge(answer, Expectation(wanted)).failure) == str(judge(whole, Expectation(wanted)).failure)


def test_no_later_chunk_takes_back_what_an_earlier_one_said() -> None:
    without = [chunk(usage=None, meta=None), chunk(finish_reason=None, usage={}, meta={}), chunk(choices=[])]
    answer, _, _ = read_stream([*chunks("Hello."), *without])
    assert (answer.finish_reason, answer.usage, answer.meta_usage) == ("stop", USAGE, META["usage"])
    assert judge(answer, Expectation()).failure is None


@pytest.mark.parametrize("sent", [{"usage": USAGE}, {"meta": META}], ids=["usage", "meta"])
def test_a_chunk_may_bring_nothing_but(sent: Json) -> None:
    """Usage and cost may come in chunks of their own, which need not even have choices."""
    reader = ChunkReader(keep_content=True)
    assert reader.read(json.dumps(sent)) == Delta()
    answer = reader.finish()[1]
    assert (answer.usage, answer.meta_usage) == (sent.get("usage"), sent.get("meta", {}).get("usage"))


def test_content_is_kept_only_where_it_is_judged() -> None:
    answer, content, _ = read_stream(chunks("Hel", "lo."), keep_content=False)
    assert (answer.content, content, answer.has) == ("", "Hello.", {"content"})


def test_other_choices_of_a_stream_are_not_the_answer() -> None:
    other = {"index": 1, "delta": {"content": "Other."}, "finish_reason": "length"}
    answer, content, _ = read_stream([chunk("One "), chunk(choices=[other]), chunk("two", finish_reason="stop")])
    assert (content, answer.finish_reason) == ("One two", "stop")


def test_fragments_without_arguments_need_memory_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that sends nothing but the beginnings of calls is stopped as well."""
    monkeypatch.setattr(chunks_module, "MAX_KEPT", 1000)
    with pytest.raises(TooMuchToKeep):
        read_stream([chunk(delta={"tool_calls": [tool_call("f", "", index=number)]}) for number in range(1000)])
