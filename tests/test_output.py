"""What is written, and where: exactly one newline, UTF-8, files replaced whole, a terminal that obeys nobody."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

from qwen_cli.output.result import Output, RawOutput, TextOutput
from qwen_cli.text import encode, one_line, visible
from tests.api_server import ApiServer, reply, stream
from tests.bodies import chunk, completion, event
from tests.program import TERMINAL, Program


class Collected(Output):
    """An output that keeps what it is given; a terminal on request."""

    def __init__(self, *, terminal: bool = False) -> None:
        super().__init__("collected", 2)
        self.terminal = terminal
        self.data = b""

    def write(self, data: bytes, *, is_last: bool = False) -> None:  # noqa: ARG002 -- nobody reads it
        self.data += data


def printed(pieces: list[str], *, end_line: bool, terminal: bool = False) -> bytes:
    """What becomes of a text that comes in those pieces."""
    output = Collected(terminal=terminal)
    text = TextOutput(output, end_line=end_line)
    for piece in pieces:
        text.write(piece)
    text.end()
    text.flush()
    return output.data


TEXT = st.text(st.characters() | st.sampled_from("\n\t\x1b\ud83d\ude00"), max_size=30)


@st.composite
def split_texts(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A text, lone surrogates and newlines in it, and the same text in pieces."""
    text = draw(TEXT)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6)))
    return text, [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def as_utf8(text: str) -> bytes:
    """The text as a JSON parser would have it: pairs of surrogates joined, lone ones replaced."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


@given(split_texts())
def test_a_text_in_any_pieces_ends_with_exactly_one_newline(case: tuple[str, list[str]]) -> None:
    text, pieces = case
    kept = text.rstrip("\n")
    assert printed(pieces, end_line=True) == (as_utf8(kept) + b"\n" if kept else b"")


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [
        (["\n\nHi."], ["\n\nHi."]),
        (["\n", "\n", "Hi."], ["", "", "\n\nHi."]),
        (["Hi.\n"], ["Hi.\n"]),
        (["Hi.\n", "\n\n", "Ho."], ["Hi.\n", "", "\n\nHo."]),
        (["Hi.", "\n", "\n", "Ho."], ["Hi.", "\n", "", "\nHo."]),
    ],
    ids=repr,
)
def test_newlines_that_may_be_the_last_are_held_back_and_not_lost(pieces: list[str], shown: list[str]) -> None:
    """A line is ended as soon as it ends; only empty lines wait for what follows."""
    output = Collected()
    text = TextOutput(output, end_line=True)
    for piece, expected in zip(pieces, shown, strict=True):
        before = len(output.data)
        text.write(piece)
        text.flush()
        assert output.data[before:] == expected.encode()
    text.end()
    text.flush()
    assert output.data == "".join(pieces).rstrip("\n").encode() + b"\n"


@given(split_texts())
def test_a_text_in_any_pieces_is_left_as_the_model_sent_it(case: tuple[str, list[str]]) -> None:
    text, pieces = case
    assert printed(pieces, end_line=False) == as_utf8(text)


@given(split_texts())
def test_no_control_character_reaches_a_terminal_in_any_pieces(case: tuple[str, list[str]]) -> None:
    _, pieces = case
    shown = printed(pieces, end_line=True, terminal=True).decode()
    assert all(character in "\n\t" or ord(character) >= 0x20 for character in shown)
    assert not any(0x7F <= ord(character) <= 0x9F for character in shown)
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@given(st.binary(), st.lists(st.integers(0, 50), max_size=5))
def test_raw_bytes_in_any_pieces_pass_unless_it_is_a_terminal(data: bytes, cuts: list[int]) -> None:
    places = sorted({min(cut, len(data)) for cut in cuts})
    for terminal in (False, True):
        output = Collected(terminal=terminal)
        raw = RawOutput(output)
        for start, end in zip([0, *places], [*places, len(data)], strict=True):
            raw.write(data[start:end])
        raw.end_line()
        if terminal:
            assert not set(output.data.decode()) & set(map(chr, [*range(9), *range(11, 32), *range(127, 160)]))
        else:
            assert output.data == (data.rstrip(b" \t\r\n") + b"\n" if data else b"")


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


class TestFile:
    """`-o` replaces a file only once the whole result is there."""

    @pytest.fixture
    def answered(self, api: ApiServer) -> ApiServer:
        """A server that always has an answer."""
        api.always(reply(completion("new")))
        return api

    @pytest.mark.parametrize("name", ["/dev/stdout", "-", "/dev/fd/1"])
    def test_standard_output_has_names(self, qwen: Program, answered: ApiServer, name: str) -> None:
        result = qwen("ask", "-o", name, "hi")
        assert (result.status, result.text, qwen.files()) == (0, "new\n", {})
        assert len(answered.requests) == 1

    @pytest.mark.parametrize("folder", ["/dev/fd", "/proc/self/fd"])
    def test_a_descriptor_of_the_caller_is_written_where_it_stands(
        self, qwen: Program, answered: ApiServer, folder: str
    ) -> None:
        script = 'exec 3>all; echo before >&3; "$@" || exit; echo after >&3'
        result = qwen("ask", "-o", f"{folder}/3", "hi", script=script)
        assert (result.status, result.text, qwen.files()) == (0, "", {"all": b"before\nnew\nafter\n"})
        assert len(answered.requests) == 1

    def test_a_descriptor_that_is_closed_is_reported_before_anything_is_sent(self, qwen: Program) -> None:
        result = qwen("ask", "-o", "/dev/fd/9", "hi")
        assert (result.status, result.stdout) == (7, b"")
        assert result.message == "cannot write /dev/fd/9: Bad file descriptor"

    @pytest.mark.parametrize(
        ("target", "reason"),
        [("gone/answer", "No such file or directory"), ("folder", "Is a directory"), ("x" * 300, "File name too long")],
    )
    def test_a_place_that_cannot_be_written_is_reported_before_anything_is_sent(
        self, qwen: Program, api: ApiServer, target: str, reason: str
    ) -> None:
        (qwen.cwd / "folder").mkdir()
        result = qwen("ask", "-o", target, "hi")
        assert (result.status, result.stdout) == (7, b"")
        assert result.message == f"cannot write {target}: {reason}"
        assert not api.requests

    def test_a_refused_request_leaves_no_file_at_all(self, qwen: Program, api: ApiServer) -> None:
        api.answer(reply({"message": "no"}, status=400))
        assert qwen("ask", "-o", "answer", "hi").status == 4
        assert qwen.files() == {}


class TestSpinner:
    """It shows on a terminal while nothing else does, and leaves no trace."""

    @pytest.fixture
    def slow(self, api: ApiServer) -> Iterator[ApiServer]:
        """A server that takes longer to answer than a spinner takes to appear."""
        api.always((0.8, *reply(completion("Hello."))))
        yield api
        assert len(api.requests) == 1

    def test_is_gone_before_the_first_output(self, qwen: Program, slow: ApiServer) -> None:
        shown = qwen("ask", "hi", terminal=TERMINAL).terminal
        spinner, _, answer = shown.rpartition(b"\x1b[2K")
        assert "waiting for the answer (0 s)" in spinner.decode()
        assert answer == b"Hello.\r\n"
        assert b"\x1b[?25l" not in shown, (
            "the cursor was hidden: whatever stops the program would have to show it again"
        )
        assert slow.requests

    def test_is_gone_before_the_first_chunk(self, qwen: Program, api: ApiServer) -> None:
        api.answer(stream(0.8, event(chunk("Hel")), 0.2, event(chunk("lo.", finish_reason="stop"))))
        shown = qwen("stream", "hi", terminal=TERMINAL).terminal
        spinner, _, answer = shown.rpartition(b"\x1b[2K")
        assert b"waiting for the answer" in spinner
        assert answer.endswith(b"Hello.\r\n")

    @pytest.mark.parametrize(
        ("arguments", "env"),
        [(("-q",), {}), ((), {"TERM": "dumb"}), ((), {"TERM": None})],
        ids=["quiet", "a dumb terminal", "an unknown terminal"],
    )
    def test_is_not_shown(
        self, qwen: Program, slow: ApiServer, arguments: tuple[str, ...], env: dict[str, str | None]
    ) -> None:
        assert qwen("ask", *arguments, "hi", terminal=TERMINAL, env=env).terminal == b"Hello.\r\n"
        assert slow.requests

    def test_is_not_shown_in_a_pipe(self, qwen: Program, slow: ApiServer) -> None:
        assert qwen("ask", "hi").stderr == ""
        assert slow.requests


def test_quiet_leaves_out_notes_but_not_what_was_asked_for(qwen: Program, api: ApiServer) -> None:
    body = completion("Half", finish_reason="length")
    api.answer(*[reply(body)] * 3)
    assert "token limit" in qwen("ask", "--allow-incomplete", "hi").message
    assert qwen("ask", "--allow-incomplete", "-q", "hi").stderr == ""
    assert "tokens" in qwen("ask", "--allow-incomplete", "-q", "-u", "hi").message


@pytest.mark.parametrize("command", ["ask", "json", "cost"])
def test_a_full_disk_is_reported(qwen: Program, api: ApiServer, command: str) -> None:
    api.answer(reply(completion("Hello.")))
    with Path("/dev/full").open("wb") as full:
        result = qwen(command, "hi", stdout=full)
    assert result.status == 7
    assert result.message == "cannot write to standard output: No space left on device"


def test_a_reader_that_goes_away_ends_it_as_a_shell_expects(qwen: Program, api: ApiServer) -> None:
    api.always(reply(completion("x" * 1_000_000)))
    reader, writer = os.pipe()
    os.close(reader)
    try:
        result = qwen("ask", "hi", stdout=writer)
    finally:
        os.close(writer)
    assert (result.status, result.stderr) == (141, "")


def test_notes_never_mix_with_the_result(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello.")))
    assert json.loads(qwen("cost", "--json", "-v", "hi").stdout)["total_tokens"] == 53
