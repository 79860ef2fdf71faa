"""A reader that goes away ends the program as the shell expects, and generation stops."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.api_server import EVENT_STREAM, SILENCE, ApiServer, Request, Step, head, http_chunk, reply
from tests.bodies import chunk, completion, event
from tests.program import SECONDS, Program, Result


def endless(_: Request) -> Iterator[Step]:
    """A stream that never ends by itself: a line every 20 ms."""
    yield head(200, EVENT_STREAM)
    while True:
        yield http_chunk(event(chunk("line\n")))
        yield 0.02


@pytest.mark.parametrize("command", ["stream", "json --stream"])
def test_a_reader_that_leaves_ends_it_silently_and_closes_the_connection(
    qwen: Program, api: ApiServer, command: str
) -> None:
    api.answer(endless)
    result = qwen(*command.split(), "hi", script='{ "$@"; echo $? >&2; } | head -n 1')
    assert result.stderr == "141\n"
    assert len(result.text.splitlines()) == 1
    assert api.request.closed.wait(SECONDS)


@pytest.mark.parametrize("command", ["stream", "json --stream"])
def test_a_reader_that_leaves_during_a_silence_ends_it_at_once(qwen: Program, api: ApiServer, command: str) -> None:
    api.answer((head(200, EVENT_STREAM), http_chunk(event(chunk("One.\n"))), SILENCE))
    result = qwen(*command.split(), "hi", script='{ "$@"; echo $? >&2; } | head -n 1')
    assert (len(result.text.splitlines()), result.stderr) == (1, "141\n")
    assert api.request.closed.wait(SECONDS)


MISSING_ONE = """
import os, time
from qwen_cli.signals import Reader
reading, writing = os.pipe()
calls = []
Reader(writing, lambda: calls.append(1))
os.close(reading)
while len(calls) < 2:
    time.sleep(0.01)
"""


def test_a_signal_that_comes_too_early_to_end_a_wait_is_not_the_last() -> None:
    """The first one may come between the last look at signals and the wait."""
    subprocess.run([sys.executable, "-c", MISSING_ONE], timeout=SECONDS, check=True)


@pytest.mark.parametrize("command", ["ask", "json", "cost"])
def test_a_reader_that_leaves_before_anything_comes_ends_it_at_once(
    qwen: Program, api: ApiServer, command: str
) -> None:
    api.answer((SILENCE,))
    leave = qwen.cwd / "leave"
    os.mkfifo(leave)
    with qwen.start(command, "hi", script='{ "$@"; echo $? >&2; } | read _ <leave') as running:
        api.wait_for_requests()
        leave.write_text("\n")
        result = running.finish()
    assert (result.stdout, result.stderr) == (b"", "141\n")
    assert api.request.closed.wait(SECONDS)


def test_a_reader_of_help_that_leaves_is_no_traceback(qwen: Program) -> None:
    result = unread(qwen, "ask", "--help")
    assert (result.status, result.stderr) == (141, "")


def test_a_reader_that_ignores_the_signal_of_pipes_makes_no_difference(qwen: Program, api: ApiServer) -> None:
    api.answer(endless)
    result = qwen("stream", "hi", script="trap '' PIPE; { \"$@\"; echo $? >&2; } | head -n 1")
    assert result.stderr == "141\n"
    assert api.request.closed.wait(SECONDS)


def test_a_slow_reader_with_a_pipe_that_does_not_block_gets_everything(qwen: Program, api: ApiServer) -> None:
    content = "0123456789abcdef" * 65536
    api.answer(reply(completion(content)))
    nonblocking = (
        "import fcntl, os, sys; "
        "fcntl.fcntl(1, fcntl.F_SETFL, os.O_NONBLOCK | fcntl.fcntl(1, fcntl.F_GETFL)); "
        "os.execvp(sys.argv[1], sys.argv[1:])"
    )
    result = qwen("ask", "hi", script=f'python3 -c "{nonblocking}" "$@" | {{ sleep 1; cat; }}')
    assert (result.text == content + "\n", result.stderr) == (True, "")


def test_a_reader_that_goes_away_ends_it_as_a_shell_expects(qwen: Program, api: ApiServer) -> None:
    api.always(reply(completion("x" * 1_000_000)))
    result = unread(qwen, "ask", "hi")
    assert (result.status, result.stderr) == (141, "")


def unread(qwen: Program, *args: str) -> Result:
    """A run whose standard output is a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        return qwen(*args, stdout=writer)
    finally:
        os.close(writer)
