"""Text on its way out: UTF-8 whatever it holds, one line in a message, and nothing that a terminal obeys."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from qwen_cli.text import encode, one_line, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb\nc", "a\tb\nc"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\r\x08\x7f\x9b\0", "\\x0d\\x08\\x7f\\x9b\\x00"),
        ("\u202eabc\u2066", "\\u202eabc\\u2066"),
        ("Žluťoučký 🐎 עברית", "Žluťoučký 🐎 עברית"),
    ],
)
def test_control_characters_are_spelled_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text())
def test_foreign_text_in_a_message_is_one_line_of_bounded_length(text: str) -> None:
    line = one_line(text, max_length=50)
    assert len(line.splitlines()) <= 1
    assert len(line) <= 51


def test_a_lone_surrogate_becomes_a_replacement_character() -> None:
    assert encode("a\ud83db") == "a\ufffdb".encode()
    assert encode("\ud83d\ude00") == "😀".encode()
