"""The user message is put together from files, standard input and words, in that order; what is no text is refused."""

import base64
import json
import os
from itertools import pairwise
from pathlib import Path
from typing import Any, Unpack

import hypothesis.strategies as st
import pytest
from hypothesis import given

from qwen_cli.prompt.images import image_type
from qwen_cli.prompt.messages import Prompt, join_pieces, split_words
from tests.program import TERMINAL, WITHOUT_PRIVILEGE, Options, Program, Result

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)
GIF = b"GIF89a" + bytes(4)
IMAGES = [
    ("png", PNG),
    ("jpeg", b"\xff\xd8\xff\xe0rest"),
    ("gif", GIF),
    ("gif", b"GIF87a" + bytes(4)),
    ("webp", b"RIFF\x04\0\0\0WEBPVP8 "),
]
GIF_URI = "data:image/gif;base64," + base64.b64encode(GIF).decode()


def ask(qwen: Program, *args: str | Path, **options: Unpack[Options]) -> Result:
    """As a process where more than the arguments matters."""
    return qwen("ask", *args, **options) if options else qwen.call("ask", *args)


def messages_of(qwen: Program, *args: str | Path, **options: Unpack[Options]) -> Any:
    """The messages of the request that those arguments make."""
    result = ask(qwen, "--dry-run", *args, **options)
    assert (result.status, result.stderr) == (0, "")
    return json.loads(result.text)["messages"]


def user_message(qwen: Program, *args: str | Path, **options: Unpack[Options]) -> Any:
    """The content of the only message, the user's."""
    (message,) = messages_of(qwen, *args, **options)
    assert message["role"] == "user"
    return message["content"]


def refused(qwen: Program, status: int, *args: str | Path, **options: Unpack[Options]) -> str:
    """Run to the refusal, before which nothing may reach the server; its one line."""
    result = ask(qwen, *args, **options)
    assert (result.status, result.stdout) == (status, b"")
    assert not qwen.server.requests
    return result.message


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


class TestStandardInput:
    def test_no_stdin_leaves_it_alone(self, qwen: Program) -> None:
        assert user_message(qwen, "--no-stdin", "hi", input="piped") == "hi"

    def test_a_device_is_not_read(self, qwen: Program) -> None:
        with Path("/dev/zero").open("rb") as zero:
            assert user_message(qwen, "hi", input=zero) == "hi"

    def test_a_closed_one_is_empty(self, qwen: Program) -> None:
        assert user_message(qwen, "hi", script='exec "$@" <&-') == "hi"


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


class TestNoText:
    """What is no text ends with 7, one line and nothing sent."""

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"abc\xff", "not UTF-8: byte 0xff at offset 3"),
            ("é".encode() + b"\xc3", "not UTF-8: byte 0xc3 at offset 2"),
            (b"\xed\xa0\x80", "not UTF-8: byte 0xed at offset 0"),
            ("é\0".encode(), "NUL byte at offset 2"),
        ],
    )
    def test_the_file_and_the_byte_offset_are_named(self, qwen: Program, content: bytes, reason: str) -> None:
        qwen.file("odd.txt", content)
        for flag in ("-f", "--system-file", "--prediction-file"):
            message = refused(qwen, 7, flag, "odd.txt", "hi")
            assert message.startswith("odd.txt ")
            assert reason in message

    def test_words_are_held_to_the_same(self, qwen: Program) -> None:
        message = refused(qwen, 7, os.fsdecode(b"caf\xe9"))
        assert message.startswith("the prompt is not UTF-8: byte 0xe9 at offset 3")
        message = refused(qwen, 7, "-s", os.fsdecode(b"caf\xe9"), "hi")
        assert "-s" in message
        assert "offset 3" in message

    @pytest.mark.parametrize("flag", ["-f", "--system-file", "--prediction-file", "-i", "--schema"])
    def test_a_missing_file_and_a_directory_are_named(self, qwen: Program, flag: str) -> None:
        (qwen.cwd / "folder").mkdir()
        assert refused(qwen, 7, flag, "gone", "hi") == "cannot read gone: No such file or directory"
        assert refused(qwen, 7, flag, "folder", "hi") == "cannot read folder: Is a directory"

    def test_a_forbidden_file_is_named(self, qwen: Program) -> None:
        qwen.file("secret", "x").chmod(0)
        result = qwen("ask", "-f", "secret", "hi", script=WITHOUT_PRIVILEGE)
        assert (result.status, result.message) == (7, "cannot read secret: Permission denied")

    def test_a_file_that_fails_to_read_is_named(self, qwen: Program) -> None:
        assert refused(qwen, 7, "-f", "/proc/self/mem", "hi") == "cannot read /proc/self/mem: Input/output error"

    def test_a_name_that_no_file_can_have_is_refused(self, qwen: Program) -> None:
        assert "too long" in refused(qwen, 7, "-f", "x" * 300, "hi")
        assert "--file" in refused(qwen, 2, "-f", "", "hi")

    def test_a_device_without_end_stops_at_the_limit(self, qwen: Program) -> None:
        result = qwen("ask", "-i", "/dev/zero", "hi")
        assert result.status == 7
        assert "larger than 64 MiB" in result.message


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


class TestImages:
    @pytest.mark.parametrize(("kind", "content"), IMAGES)
    def test_a_file_is_recognised_by_its_content(self, qwen: Program, kind: str, content: bytes) -> None:
        qwen.file("picture.txt", content)
        text, image = user_message(qwen, "-i", "picture.txt", "What is this?")
        assert text == {"type": "text", "text": "What is this?"}
        encoded = base64.b64encode(content).decode()
        assert image == {"type": "image_url", "image_url": {"url": f"data:image/{kind};base64,{encoded}"}}

    def test_urls_pass_as_they_are_in_the_order_given_with_their_detail(self, qwen: Program) -> None:
        url = "https://example.org/a%20b.png?size=1&x=é"
        parts = user_message(qwen, "-i", url, "--image", GIF_URI, "--image-detail", "low", "Compare")
        assert parts[1:] == [
            {"type": "image_url", "image_url": {"url": each, "detail": "low"}} for each in (url, GIF_URI)
        ]

    def test_an_image_alone_is_a_prompt(self, qwen: Program) -> None:
        assert user_message(qwen, "-i", GIF_URI) == [{"type": "image_url", "image_url": {"url": GIF_URI}}]

    @pytest.mark.parametrize("content", [b"", b"%PDF-1.7", b"<svg/>", b"RIFF\0\0\0\0WAVE", b"\x89PNG", b"BM\0\0"])
    def test_a_file_that_is_none_ends_with_7_whatever_its_name(self, qwen: Program, content: bytes) -> None:
        qwen.file("picture.png", content)
        message = refused(qwen, 7, "-i", "picture.png", "hi")
        assert message == "picture.png is not a JPEG, PNG, GIF or WEBP image"

    @pytest.mark.parametrize(
        "url", ["http://example.org/a.png", "data:text/plain,hi", "data:image/svg+xml;base64,AAAA", "data:image/png,x"]
    )
    def test_a_url_that_the_api_does_not_take_is_a_usage_error(self, qwen: Program, url: str) -> None:
        assert "--image" in refused(qwen, 2, "-i", url, "hi")

    def test_a_detail_without_an_image_is_a_usage_error(self, qwen: Program) -> None:
        assert "--image-detail" in refused(qwen, 2, "--image-detail", "low", "hi")


def test_a_megabyte_of_text_arrives_whole(qwen: Program) -> None:
    text = "żółw\u2028" * 150_000
    qwen.file("big.txt", text)
    assert user_message(qwen, "-f", "big.txt", "?", input=text) == f"{text}\n\n{text}\n\n?"


# The decisions, without a process


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


@given(st.binary(max_size=20))
def test_the_type_of_an_image_is_one_of_four_or_unknown(data: bytes) -> None:
    assert image_type(data) in {None, *dict(IMAGES)}
    for kind, start in IMAGES:
        assert image_type(start + data) == kind


def test_no_text_and_no_image_is_no_message() -> None:
    assert Prompt(system=None, earlier=[], pieces=["", " "]).new_messages() == []
