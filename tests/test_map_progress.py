"""The progress of `map`: one line on the terminal, below the answers, and gone at the end."""

import pytest

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
