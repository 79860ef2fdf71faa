"""The progress of `map`: one line on the terminal, below the answers, and gone at the end."""

from decimal import Decimal
from pathlib import Path

import pytest

from qwen_cli.map.items import blocks_ahead, count, read_blocks, split
from qwen_cli.map.progress import duration, line
from qwen_cli.map.tally import Tally
from qwen_cli.output.stderr import Notes
from tests.api_server import ApiServer
from tests.echo import echoing
from tests.program import Program


def test_progress_stays_while_answers_go_to_a_file(qwen: Program, api: ApiServer) -> None:
    api.always(echoing(lambda _: 0.03))
    with open(qwen.file("lines", "a\n" * 20), "rb") as lines, open(qwen.file("answers"), "wb") as answers:
        result = qwen("map", "-P", "1", input=lines, stdout=answers, terminal=["stderr"])
    erased, *drawn, end = result.terminal.decode().split("\r\x1b[2K")
    assert (erased, end) == ("", "")
    assert len(drawn) > 2
    assert all("of 20 done" in figures for figures in drawn)


def test_progress_is_below_the_answers_on_a_terminal(qwen: Program, api: ApiServer) -> None:
    api.always(echoing(lambda _: 0.03))
    with open(qwen.file("lines", "a\n" * 20), "rb") as lines:
        result = qwen("map", "-P", "1", input=lines, terminal=["stdout", "stderr"])
    *shown, end = result.terminal.decode().split("\n")
    assert [each.rpartition("\x1b[2K")[2].strip("\r") for each in shown] == ["a"] * 20
    assert sum("of 20 done" in each for each in shown) > 2
    assert end.endswith("\r\x1b[2K") or not end


def test_progress_is_shown_on_a_terminal_and_gone_at_the_end(qwen: Program, api: ApiServer) -> None:
    api.always(echoing(lambda _: 0.3))
    with open(qwen.file("lines", "a\nb\n"), "rb") as lines:
        result = qwen("map", "-P", "1", input=lines, terminal=["stdout", "stderr"])
    shown = result.terminal.decode()
    assert "1 of 2 done" in shown
    assert "USD" in shown
    assert "left" in shown
    assert [line.rpartition("\x1b[2K")[2].strip("\r") for line in shown.split("\n")] == ["a", "b", ""]


@pytest.mark.parametrize("options", [("-q",), ()], ids=["quiet", "dumb"])
def test_no_progress_where_it_is_not_wanted(qwen: Program, api: ApiServer, options: tuple[str, ...]) -> None:
    api.always(echoing(lambda _: 0.2))
    term = {} if options else {"TERM": "dumb"}
    assert qwen("map", *options, input="a\n", terminal=["stderr"], env=term).terminal == b""


def tally(*, done: int, failed: int = 0) -> Tally:
    counted = Tally(Notes(quiet=True))
    counted.done, counted.failed[4] = done, failed
    return counted


@pytest.mark.parametrize(
    ("drawn", "shown"),
    [
        pytest.param(line(tally(done=0), None, Decimal(0), 0, waiting=False), "0 done, 0.0/s", id="at the start"),
        pytest.param(line(tally(done=3), None, Decimal(0), 2, waiting=False), "3 done, 1.5/s", id="of a pipe"),
        pytest.param(
            line(tally(done=30, failed=2), 90, Decimal("0.03121"), 2, waiting=True),
            "30 of 90 done, 2 failed, 15.0/s, 0.0312 USD, 4 s left, waiting for the service's limit",
            id="with everything",
        ),
    ],
)
def test_the_line_says_how_far_it_is(drawn: str, shown: str) -> None:
    assert drawn == shown


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (3600, "1 h 0 min"), (7530, "2 h 5 min")],
)
def test_a_time_is_told_in_two_units_at_most(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize("content", [b"", b"a", b"a\n", b"a\nb", b"\n\n", b"a\n" * 600_000 + b"b"], ids=len)
def test_the_items_of_a_file_are_counted_as_they_are_read(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "items"
    path.write_bytes(b"before\n" + content)
    with path.open("rb", buffering=0) as file:
        file.seek(len(b"before\n"))
        ahead = blocks_ahead(file.fileno())
        assert ahead is not None
        assert count(ahead, b"\n") == len(list(split(read_blocks(file.fileno()), b"\n")))
