"""The outline of a response is enough to judge it by, whatever its size and the pieces in which it came."""

import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from qwen_cli import outline
from qwen_cli.answer import read_completion, verdict
from qwen_cli.errors import ProtocolError, QwenError
from qwen_cli.outline import DEEP, LONG, Outline
from tests.bodies import Json, completion, tool_call


def outlined(*pieces: bytes) -> Outline:
    """The outline of a document that came in those pieces."""
    found = Outline()
    assert list(found.watch(pieces)) == list(pieces)
    return found


def cut_at(data: bytes, cuts: list[int]) -> list[bytes]:
    """The data in pieces that end at those places."""
    places = sorted({min(cut, len(data)) for cut in cuts})
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


CUTS = st.lists(st.integers(0, 2000), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)
LAYOUTS = st.fixed_dictionaries({"indent": st.sampled_from([None, 1]), "ensure_ascii": st.booleans()})


def without_the_deep(value: Any, depth: int = 0) -> Any:
    """The value with every container below `DEEP` emptied."""
    if isinstance(value, dict):
        return {name: without_the_deep(item, depth + 1) for name, item in value.items()} if depth <= DEEP else {}
    if isinstance(value, list):
        return [without_the_deep(item, depth + 1) for item in value] if depth <= DEEP else []
    return value


def depth_of(value: Any) -> int:
    """How many containers are within each other."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if items is None else 1 + max(map(depth_of, items), default=0)


@given(VALUES, LAYOUTS, CUTS)
def test_a_shallow_document_is_kept_as_it_is_in_any_pieces(value: Any, layout: Any, cuts: list[int]) -> None:
    data = json.dumps(value, **layout).encode()
    found = outlined(*cut_at(data, cuts))
    if depth_of(value) <= DEEP:
        assert found.document == data
    json.loads(found.document)
    assert not found.has_cut


@given(st.binary(), CUTS)
def test_any_bytes_in_any_pieces_leave_the_same_outline(data: bytes, cuts: list[int]) -> None:
    assert outlined(*cut_at(data, cuts)).document == outlined(data).document


@pytest.mark.parametrize("depth", range(1, 12))
def test_what_is_nested_deeper_is_left_out_and_the_rest_parses(depth: int) -> None:
    value: Any = "deep"
    for _ in range(depth):
        value = [value, {"a": value}]
    found = outlined(json.dumps(value).encode())
    kept = json.loads(found.document)
    assert depth_of(kept) <= DEEP + 1
    assert len(found.document) <= len(json.dumps(value))


ANSWERS = st.fixed_dictionaries(
    {
        "content": st.none() | st.text(max_size=60),
        "reasoning": st.none() | st.text(max_size=60),
        "finish_reason": st.sampled_from(["stop", "length", "content_filter", "tool_calls", None]),
        "refusal": st.none() | st.text(max_size=20),
        "tool_calls": st.none() | st.just([tool_call("f", '{"a": [[[[1]]]]}')]),
    }
)
LOGPROBS: Json = {"content": [{"token": "a", "logprob": -0.1, "top_logprobs": [{"token": '"]}', "bytes": [1]}]}]}


@settings(max_examples=60)
@given(ANSWERS, LAYOUTS, CUTS, st.integers(1, 40))
def test_the_outline_of_a_response_keeps_the_verdict_and_the_usage(
    fields: Json, layout: Any, cuts: list[int], long: int
) -> None:
    body = completion(fields["content"], **{name: value for name, value in fields.items() if name != "content"})
    body["choices"][0]["logprobs"] = LOGPROBS
    data = json.dumps(body, **layout).encode()
    with pytest.MonkeyPatch.context() as patch:
        # Strings of a few bytes are long here: the names of the protocol's own members must then not be cut.
        patch.setattr(outline, "LONG", long + 30)
        found = outlined(*cut_at(data, cuts))
    whole, kept = read_completion(data), read_completion(found.document)
    for wanted in ("content", "reasoning"):
        ours, theirs = verdict(kept, wanted), verdict(whole, wanted)
        assert kind_and_start(ours) == kind_and_start(theirs)
    assert (kept.usage, kept.meta_usage, kept.has) == (whole.usage, whole.meta_usage, whole.has)
    if not found.has_cut:
        assert (kept.content, kept.reasoning) == (whole.content, whole.reasoning)


def kind_and_start(failure: QwenError | None) -> tuple[type, str]:
    """What a verdict says, but for the text that it quotes."""
    return type(failure), str(failure).partition(":")[0]


@pytest.mark.parametrize("size", [LONG, LONG + 1, 3 * LONG])
def test_a_long_string_is_cut_and_said_to_be(size: int) -> None:
    data = json.dumps(completion("x" * size)).encode()
    found = outlined(*cut_at(data, list(range(0, len(data), 1 << 16))))
    assert found.has_cut == (size > LONG)
    assert read_completion(found.document).content == ("(cut)" if size > LONG else "x" * size)


def test_the_outline_of_a_large_response_is_small() -> None:
    body = completion("x" * (20 << 20))
    body["choices"][0]["logprobs"] = {"content": [LOGPROBS["content"][0]] * 20_000}
    data = json.dumps(body).encode()
    found = outlined(*cut_at(data, list(range(0, len(data), 1 << 20))))
    assert len(found.document) < len(data) / 10
    assert verdict(read_completion(found.document), "content") is None


def test_a_response_without_end_of_short_members_is_refused() -> None:
    found = Outline()
    found.feed(b'{"choices": [')
    with pytest.raises(ProtocolError, match="too large to be judged"):
        list(found.watch([b"1," * (1 << 20)] * 64))
