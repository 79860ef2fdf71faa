"""The messages: files, standard input and words in that order, after a system message and what was said before."""

import json
from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given

from qwen_cli.prompt.messages import Prompt, join_pieces, split_words
from tests.api_server import ApiServer, reply
from tests.bodies import completion
from tests.dry_run import messages_of, refused, user_message
from tests.program import TERMINAL, Options, Program


class TestOrder:
    def test_words_are_joined_by_single_spaces(self, qwen: Program) -> None:
        assert user_message(qwen, "Why", "is  the", "sky", "blue?") == "Why is  the sky blue?"

    def test_files_come_first_then_standard_input_then_words(self, qwen: Program) -> None:
        qwen.file("a.txt", "A\n")
        qwen.file("b.txt", "B\n")
        arguments = ("-f", "a.txt", "Compare", "--file", "b.txt", "them")
        assert user_message(qwen, *arguments, input="piped\n") == "A\n\nB\n\npiped\n\nCompare them"

    def test_a_dash_stands_for_standard_input_at_that_very_place(self, qwen: Program) -> None:
        assert (
            user_message(qwen, "Translate:", "-", "into", "French", input="hello\n")
            == "Translate:\n\nhello\n\ninto French"
        )

    def test_a_dash_may_stand_among_the_files_too(self, qwen: Program) -> None:
        qwen.file("a.txt", "A")
        qwen.file("b.txt", "B")
        assert user_message(qwen, "-f", "a.txt", "-f", "-", "-f", "b.txt", "?", input="in") == "A\n\nin\n\nB\n\n?"

    def test_standard_input_can_be_asked_for_only_once(self, qwen: Program) -> None:
        assert "only once" in refused(qwen, 2, "-", "and", "-", input="x")

    def test_empty_pieces_leave_no_blank_lines(self, qwen: Program) -> None:
        qwen.file("empty")
        assert user_message(qwen, "-q", "-f", "empty", "hi", input="") == "hi"

    def test_words_that_look_like_flags_follow_two_dashes(self, qwen: Program) -> None:
        assert user_message(qwen, "--", "--max-tokens", "-n", "--") == "--max-tokens -n --"

    def test_words_are_never_interpreted(self, qwen: Program) -> None:
        qwen.file("a.txt", "A")
        assert user_message(qwen, "@a.txt", "$HOME", "\\n", "%s", "{}") == "@a.txt $HOME \\n %s {}"


class TestFinalNewline:
    @pytest.mark.parametrize(
        ("content", "kept"),
        [
            ("a\n", "a"),
            ("a\n\n", "a\n"),
            ("a", "a"),
            ("\n a \t\n", "\n a \t"),
            ("a\r\n", "a\r"),
            ("\ufeffa", "\ufeffa"),
        ],
    )
    def test_one_is_dropped_and_nothing_else_is_touched(self, qwen: Program, content: str, kept: str) -> None:
        qwen.file("a.txt", content)
        assert user_message(qwen, "-f", "a.txt") == kept

    def test_the_same_of_standard_input(self, qwen: Program) -> None:
        assert user_message(qwen, input="a\n\n") == "a\n"
        with qwen.file("a.txt", "\ufeffa\r\n").open("rb") as file:
            assert user_message(qwen, input=file) == "\ufeffa\r"


class TestNothingToAsk:
    @pytest.mark.parametrize(
        ("arguments", "input"),
        [
            pytest.param((), None, id="no words at all"),
            pytest.param((), "", id="an empty pipe"),
            pytest.param(("",), None, id="an empty word"),
            pytest.param((" ", "\t"), " \n\n", id="white space everywhere"),
            pytest.param(("-f", "empty"), None, id="an empty file"),
            pytest.param(("-s", "Be brief."), None, id="a system message only"),
            pytest.param(("--messages", "[]"), None, id="an empty conversation"),
        ],
    )
    def test_is_a_usage_error(self, qwen: Program, arguments: tuple[str, ...], input: str | None) -> None:  # noqa: A002
        qwen.file("empty")
        options: Options = {} if input is None else {"input": input}
        assert "nothing to ask" in refused(qwen, 2, *arguments, **options)

    def test_on_a_terminal_neither_waits_nor_reads(self, qwen: Program) -> None:
        result = qwen("ask", terminal=TERMINAL)
        assert result.status == 2
        assert b"nothing to ask" in result.terminal


class TestSystem:
    def test_comes_first(self, qwen: Program) -> None:
        assert messages_of(qwen, "-s", "Be brief.", "hi") == [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "hi"},
        ]

    def test_comes_from_a_file_without_its_final_newline(self, qwen: Program) -> None:
        qwen.file("system.txt", "Be brief.\n\n")
        assert messages_of(qwen, "--system-file", "system.txt", "hi")[0] == {"role": "system", "content": "Be brief.\n"}

    def test_comes_once(self, qwen: Program) -> None:
        qwen.file("system.txt", "Be brief.")
        message = refused(qwen, 2, "-s", "x", "--system-file", "system.txt", "hi")
        assert "--system and --system-file" in message


class TestMessages:
    EARLIER = [  # noqa: RUF012 -- a constant
        {"role": "user", "content": "What is the capital of France?"},
        {"role": "assistant", "content": "Paris."},
    ]

    def test_come_before_the_new_message_and_after_the_system_message(self, qwen: Program) -> None:
        found = messages_of(qwen, "--messages", json.dumps(self.EARLIER), "-s", "Be brief.", "And of Spain?")
        assert found == [
            {"role": "system", "content": "Be brief."},
            *self.EARLIER,
            {"role": "user", "content": "And of Spain?"},
        ]

    def test_may_come_from_a_file_and_without_a_new_message(self, qwen: Program) -> None:
        qwen.file("talk.json", json.dumps(self.EARLIER, indent=2))
        assert messages_of(qwen, "--messages", "@talk.json") == self.EARLIER

    @pytest.mark.parametrize(
        ("value", "status"),
        [("{}", 2), ('"hi"', 2), ("[", 2), ("hi", 2), ("@gone", 7), ("@odd", 7)],
    )
    def test_that_are_none_are_refused(self, qwen: Program, value: str, status: int) -> None:
        qwen.file("odd", "[1,")
        message = refused(qwen, status, "--messages", value, "hi")
        assert ("--messages" if status == 2 else value[1:]) in message


def test_a_megabyte_of_text_arrives_whole(qwen: Program) -> None:
    text = "żółw\u2028" * 150_000
    qwen.file("big.txt", text)
    assert user_message(qwen, "-f", "big.txt", "?", input=text) == f"{text}\n\n{text}\n\n?"


WORDS = st.lists(st.sampled_from(["-", "a", "b c", "--", ""]), max_size=8)


@given(WORDS)
def test_splitting_words_loses_none_and_leaves_every_dash_alone(words: list[str]) -> None:
    runs = split_words(words)
    assert runs.count("-") == words.count("-")
    assert " ".join(runs) == " ".join(words)
    assert all(first == "-" or second == "-" for first, second in pairwise(runs))


@given(st.lists(st.text()))
def test_pieces_are_kept_as_they_are_with_a_blank_line_between(pieces: list[str]) -> None:
    text = join_pieces(pieces)
    kept = [piece for piece in pieces if piece]
    if any(piece.strip() for piece in kept):
        assert len(text) == sum(map(len, kept)) + 2 * (len(kept) - 1)
        position = 0
        for piece in kept:
            assert text.startswith(piece, position)
            position += len(piece)
            assert text[position : position + 2] in ("\n\n", "")
            position += 2
    else:
        assert text == ""


def test_no_text_and_no_image_is_no_message() -> None:
    assert Prompt(system=None, earlier=[], pieces=["", " "]).new_messages() == []


def test_a_prompt_reaches_the_server_as_utf8_whatever_the_locale(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion()))
    qwen("ask", "Žluťoučký 🐎", env={"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})
    assert api.request.json["messages"][0]["content"] == "Žluťoučký 🐎"
