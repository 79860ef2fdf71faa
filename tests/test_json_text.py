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
    assert isinstance(text, bytes) or json_text.is_json(text) == (not reason)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_the_depth_that_is_read_is_bounded(opening: str) -> None:
    closing = "]" if opening == "[" else "}"

    def nested(depth: int) -> str:
        return opening * depth + ("0" if opening != "[" else "") + closing * depth

    assert json_text.is_json(nested(json_text.MAX_DEPTH))
    assert not json_text.is_json(nested(json_text.MAX_DEPTH + 1))
    assert not json_text.is_json(nested(100_000))
    assert json_text.is_json("[" + ",".join([nested(10)] * 1000) + "]")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("NaN", "NaN is not JSON"),
        ("", "it is empty"),
        ('{"a": ', "it ends early"),
        ('"a', "it ends early"),
        ("[1,\n  Sure!]", "unexpected 'S' at line 2, column 3"),
        ("{} {}", "unexpected '{' at line 1, column 4"),
        (b"[\xff]", "not UTF-8 at byte 1"),
        ("[" * 2000 + "]" * 2000, "nested too deeply"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_the_reason_is_in_words_of_its_own(text: str | bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        json_text.loads(text)


def test_a_number_of_many_digits_is_a_number_that_is_too_large() -> None:
    """Python would not read it, and a double cannot hold it."""
    assert not json_text.is_finite(json_text.loads("[1" + "0" * 5000 + "]"))
    assert json_text.loads("1" * 3000) == int("1" * 3000)


def test_what_servers_write_for_an_infinity_is_read_where_that_is_allowed() -> None:
    text = '{"logprob": -Infinity, "n": 1}'
    assert json_text.loads(text, strict=False)["n"] == 1
    assert not json_text.is_json(text)
