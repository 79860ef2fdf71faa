"""JSON is read strictly, to a bounded depth, and laid out anew without a change to what it says."""

import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from qwen_cli import json_text

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES, st.booleans(), st.sampled_from([None, 1, "\t"]), st.sampled_from([None, 2]))
def test_another_layout_is_the_same_value_as_python_itself_lays_it_out(
    value: Any, escaped: bool, given_indent: str | int | None, indent: int | None
) -> None:
    text = json.dumps(value, ensure_ascii=escaped, indent=given_indent)
    separators = (",", ":") if indent is None else None
    assert json_text.reformatted(text, indent=indent) == json.dumps(
        value, ensure_ascii=False, indent=indent, separators=separators
    )


@given(VALUES)
def test_what_python_writes_is_read(value: Any) -> None:
    assert json_text.loads(f"\r\n\t {json.dumps(value)} \n") == value
    assert json_text.loads(b"\xef\xbb\xbf" + json.dumps(value).encode()) == value


@given(st.text() | st.binary())
def test_what_is_no_json_is_a_value_error_of_one_line(text: str | bytes) -> None:
    reason = ""
    try:
        json_text.loads(text)
    except ValueError as error:
        reason = str(error)
    assert "\n" not in reason
    assert json_text.is_valid(text) == (not reason)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_the_depth_that_is_read_is_bounded(opening: str) -> None:
    closing = "]" if opening == "[" else "}"

    def nested(depth: int) -> str:
        return opening * depth + ("0" if opening != "[" else "") + closing * depth

    assert json_text.is_valid(nested(json_text.MAX_DEPTH))
    assert not json_text.is_valid(nested(json_text.MAX_DEPTH + 1))
    assert not json_text.is_valid(nested(100_000))
    assert json_text.is_valid("[" + ",".join([nested(10)] * 1000) + "]")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("NaN", "NaN is not JSON"),
        ("[1" + "0" * 5000 + "]", "too many digits"),
        (b"[\xff]", "not UTF-8 at byte 1"),
        ("[" * 2000 + "]" * 2000, "nested too deeply"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_the_reason_is_in_words_of_its_own(text: str | bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        json_text.loads(text)
