"""Standard output: one newline at its end, UTF-8, one write where it is short, and no lie where it fails."""

import os
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

from qwen_cli.output.result import Output, RawOutput, TextOutput
from tests.api_server import ApiServer, events, reply
from tests.bodies import chunks, completion, tool_call
from tests.program import Program


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


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8"])
def test_output_is_utf8_whatever_the_locale(qwen: Program, api: ApiServer, locale: str) -> None:
    api.answer(reply(completion("Žluťoučký 🐎", reasoning="Überlegung")))
    result = qwen(
        "ask", "--show", "both", "hi", env={"LC_ALL": locale, "PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}
    )
    assert (result.status, result.stdout, result.stderr) == (0, "Žluťoučký 🐎\n".encode(), "Überlegung\n")


PACKETS: list[tuple[str, ...]] = [
    ("ask", "hi"),
    ("ask", "--show", "reasoning", "hi"),
    ("json", "hi"),
    ("cost", "hi"),
    ("ask", "--dry-run", "hi"),
    ("ask", "--curl", "hi"),
]


@pytest.mark.parametrize("arguments", PACKETS, ids=" ".join)
def test_a_short_result_is_one_write_with_its_newline(
    qwen: Program, api: ApiServer, packets: tuple[int, int], arguments: tuple[str, ...]
) -> None:
    api.always(reply(completion("x" * 1000, reasoning="y" * 1000)))
    reader, writer = packets
    result = qwen(*arguments, stdout=writer)
    first = os.read(reader, 1 << 16)
    os.set_blocking(reader, False)
    with pytest.raises(BlockingIOError):
        os.read(reader, 1 << 16)
    assert (result.status, first[-1:]) == (0, b"\n")


def test_an_answer_and_its_tool_calls_are_one_write(qwen: Program, api: ApiServer, packets: tuple[int, int]) -> None:
    api.answer(reply(completion("Let me look.", tool_calls=[tool_call("time", "{}"), tool_call("date", "{}")])))
    reader, writer = packets
    qwen("ask", "hi", stdout=writer)
    assert os.read(reader, 1 << 16).count(b"\n") == 3


def test_lines_of_parallel_runs_stay_whole(qwen: Program, api: ApiServer) -> None:
    api.always(reply(completion("x" * 4000)))
    result = qwen(script='seq 8 | xargs -P 8 -I{} "$@" ask -n {}', timeout=60)
    assert (result.status, result.text.splitlines()) == (0, ["x" * 4000] * 8)


@pytest.mark.parametrize("command", ["ask", "stream", "json", "cost"])
def test_standard_output_that_is_full_ends_with_7(qwen: Program, api: ApiServer, command: str) -> None:
    api.answer(events(chunks("new")) if command == "stream" else reply(completion("new")))
    with Path("/dev/full").open("wb") as full:
        result = qwen(command, "hi", stdout=full)
    assert result.status == 7
    assert result.message == "cannot write to standard output: No space left on device"


@pytest.mark.parametrize(
    "arguments", [("--version",), ("--help",), ("ask", "--help"), ("ask", "--dry-run", "hi")], ids=" ".join
)
def test_even_what_needs_no_server_says_when_standard_output_is_full(qwen: Program, arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        result = qwen(*arguments, stdout=full)
    assert result.status == 7
    assert "No space left" in result.message


@pytest.mark.parametrize("command", ["ask", "stream", "json", "cost"])
def test_closed_standard_output_ends_with_7(qwen: Program, api: ApiServer, command: str) -> None:
    api.always(events(chunks("Hello.")) if command == "stream" else reply(completion("Hello.")))
    result = qwen(command, "hi", script='exec "$@" >&-')
    assert result.status == 7
    assert "standard output" in result.message


def test_closed_standard_output_does_not_matter_to_o(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello.")))
    result = qwen("ask", "-o", "answer", "hi", script='exec "$@" >&-')
    assert (result.status, result.stderr, qwen.files()) == (0, "", {"answer": b"Hello.\n"})


def test_everything_closed_still_writes_the_file(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello.")))
    result = qwen("ask", "-v", "-o", "answer", "hi", script='exec "$@" <&- >&- 2>&-')
    assert (result.status, qwen.files()) == (0, {"answer": b"Hello.\n"})


def test_an_error_is_reported_on_standard_error_even_when_standard_output_is_closed(qwen: Program) -> None:
    result = qwen("ask", "--dry-run", "hi", script='exec "$@" >&-')
    assert (result.status, result.message) == (7, "standard output is closed")
