"""What a wait looks like: a spinner on a terminal, elsewhere one note if it takes long."""

import re
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from qwen_cli.output.spinner import Wait
from qwen_cli.output.stderr import Notes
from tests.api_server import SILENCE, ApiServer, reply, stream
from tests.bodies import chunk, completion, event
from tests.program import ERASED, TERMINAL, Program, lines_of, wait_until


class TestSpinner:
    """It shows on a terminal while nothing else does, and leaves no trace."""

    @pytest.fixture
    def slow(self, api: ApiServer) -> Iterator[ApiServer]:
        """A server that takes longer to answer than a spinner takes to appear."""
        api.always((0.8, *reply(completion("Hello."))))
        yield api
        assert len(api.requests) == 1

    def test_is_gone_before_the_first_output(self, qwen: Program, api: ApiServer) -> None:
        seen = threading.Event()
        api.answer((seen, *reply(completion("Hello."))))
        with qwen.start("ask", "hi", terminal=TERMINAL) as running:
            running.wait_for(b"waiting for the answer", "terminal")
            seen.set()
            shown = running.finish().terminal
        spinner, _, answer = shown.rpartition(b"\x1b[2K")
        assert re.search(r"waiting for the answer \(\d s\)", spinner.decode())
        assert answer == b"Hello.\r\n"
        assert b"\x1b[?25l" not in shown, (
            "the cursor was hidden: whatever stops the program would have to show it again"
        )

    def test_is_gone_before_the_first_chunk(self, qwen: Program, api: ApiServer) -> None:
        seen = threading.Event()
        api.answer(stream(seen, event(chunk("Hel")), 0.2, event(chunk("lo.", finish_reason="stop"))))
        with qwen.start("stream", "hi", terminal=TERMINAL) as running:
            running.wait_for(b"waiting for the answer", "terminal")
            seen.set()
            shown = running.finish().terminal
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


def test_the_spinner_is_gone_before_standard_output_is_written_elsewhere(qwen: Program, api: ApiServer) -> None:
    seen, checked = threading.Event(), threading.Event()
    api.answer(stream(seen, event(chunk("Hello.", finish_reason="stop")), checked))
    with qwen.start("stream", "hi", terminal=["stderr"]) as running:
        running.wait_for(b"waiting", "terminal")
        seen.set()
        running.wait_for(b"Hello.")
        wait_until(lambda: running.output("terminal").endswith(ERASED.encode()), "the spinner is gone")
        checked.set()
        running.finish()


def test_the_spinner_shows_the_seconds(qwen: Program, api: ApiServer) -> None:
    seen = threading.Event()
    api.answer((seen, *reply(completion("Hello."))))
    with qwen.start("ask", "hi", terminal=TERMINAL) as running:
        running.wait_for(b"waiting for the answer (1 s)", "terminal")
        seen.set()
        assert running.finish().status == 0


def test_a_job_in_the_background_shows_no_spinner(qwen: Program, api: ApiServer) -> None:
    api.answer((0.8, *reply(completion("Hello."))))
    result = qwen("ask", "hi", terminal=TERMINAL, script='set -m; "$@" & wait $!')
    assert lines_of(result.terminal)[0] == "Hello."
    assert ERASED not in result.terminal.decode()


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_erases_the_spinner(qwen: Program, api: ApiServer, number: signal.Signals) -> None:
    api.answer((SILENCE,))
    with qwen.start("ask", "hi", terminal=TERMINAL, script='ulimit -c 0; exec "$@"') as running:
        running.wait_for(b"waiting", "terminal")
        running.send(number)
        result = running.finish()
    assert result.status == 128 + number
    assert result.terminal.endswith(ERASED.encode())


def test_a_long_wait_without_a_terminal_gets_one_note(capfd: pytest.CaptureFixture[str]) -> None:
    wait = Wait("waiting for the answer", Notes(), patience=0.05)
    wait.begin(spinning=False)
    said = ""

    def is_said() -> bool:
        nonlocal said
        said += capfd.readouterr().err
        return bool(said)

    wait_until(is_said, "a note")
    time.sleep(0.2)  # a second one would come meanwhile
    wait.over()
    assert said + capfd.readouterr().err == "qwen-cli: still waiting for the answer, after 0 s\n"


def test_a_short_wait_without_a_terminal_gets_none(capfd: pytest.CaptureFixture[str]) -> None:
    wait = Wait("waiting for the answer", Notes())
    wait.begin(spinning=False)
    wait.over()
    assert capfd.readouterr().err == ""
