"""Connecting early: which command lines show where the request will go, and what a wrong guess costs."""

import threading
import time
from collections.abc import Iterator
from subprocess import PIPE

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_cli.cli.early_connection import base_url_ahead
from qwen_cli.connection import dialling
from qwen_cli.connection.dialling import MAX_IDLE, Dial, claim, dial_ahead
from qwen_cli.endpoint import DEFAULT_BASE_URL, parse_endpoint
from tests.api_server import ApiServer, reply
from tests.bodies import completion
from tests.program import SECONDS, Program, wait_until


@pytest.mark.parametrize("command", ["ask", "stream", "json", "cost", "map"])
def test_a_command_that_sends_is_dialled_for(command: str) -> None:
    assert base_url_ahead([command, "-m", "x", "hi"], {}) == DEFAULT_BASE_URL
    assert base_url_ahead([command], {"AIMLAPI_BASE_URL": "http://localhost:1/v1"}) == "http://localhost:1/v1"


@pytest.mark.parametrize(
    "arguments",
    [
        *([], ["--version"], ["key", "status"], ["sandbox", "--", "ask"], ["help", "ask"], ["what", "is", "this"]),
        *(["ask", "--help"], ["ask", "-h"], ["ask", "hi", "--dry-run"], ["ask", "--curl", "hi"]),
        *(["ask", "--base-url", "http://x", "hi"], ["ask", "--base-url=http://x", "hi"], ["cost", "--saved", "x"]),
        ["ask", "--cache-only", "hi"],
    ],
    ids=" ".join,
)
def test_nothing_is_dialled_for(arguments: list[str]) -> None:
    assert base_url_ahead(arguments, {}) is None


@pytest.mark.parametrize("name", ["BASE_URL", "DRY_RUN", "CURL", "CACHE_ONLY"])
def test_a_variable_counts_like_its_flag(name: str) -> None:
    assert base_url_ahead(["ask", "hi"], {f"QWEN_CLI_{name}": "1"}) is None
    assert base_url_ahead(["ask", "hi"], {f"QWEN_CLI_{name}": ""}) == DEFAULT_BASE_URL


@given(st.lists(st.text()), st.dictionaries(st.text(), st.text()))
def test_no_command_line_is_a_defect(arguments: list[str], environment: dict[str, str]) -> None:
    assert base_url_ahead(arguments, environment) in (None, DEFAULT_BASE_URL, environment.get("AIMLAPI_BASE_URL"))


def test_a_connection_is_made_before_the_input_is_there(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello.")))
    with qwen.start("ask", input=PIPE) as running:
        wait_until(lambda: api.connections == 1, "connected")
        assert api.requests == []
        running.write(b"hi")
        running.close_input()
        assert running.finish().text == "Hello.\n"
    assert api.connections == 1


def test_a_wrong_guess_costs_one_connection_and_nothing_else(qwen: Program, api: ApiServer) -> None:
    """What looks like a flag stands behind `--`, and so on: the request goes where the command line says."""
    api.answer(reply(completion("Hello.")))
    with ApiServer() as guessed:
        changes = {"AIMLAPI_BASE_URL": guessed.base_url, "QWEN_CLI_MODEL": "x"}
        result = qwen("ask", "-n", f"--base-url={api.base_url}", "hi", env=changes)
        assert (result.status, result.text, result.stderr) == (0, "Hello.\n", "")
        assert guessed.connections == 0
    api.answer(reply(completion("Hello.")))
    result = qwen("ask", "--", "hi", "--base-url")
    assert (result.status, result.text, result.stderr) == (0, "Hello.\n", "")


def test_a_failure_while_input_is_awaited_is_no_verdict(qwen: Program) -> None:
    """A server that comes up meanwhile is asked, and nobody hears of the attempt that came too early."""
    with ApiServer(listening=False) as late:
        late.answer(reply(completion("Hello.")))
        with qwen.start("ask", "--retries", "0", input=PIPE, server=late) as running:
            threading.Event().wait(0.5)
            late.listen()
            running.write(b"hi")
            running.close_input()
            result = running.finish()
    late.verify()
    assert (result.status, result.text, result.stderr) == (0, "Hello.\n", "")


@pytest.fixture
def dialled(api: ApiServer) -> Iterator[Dial]:
    """A connection that was made early, and that nobody has claimed yet."""
    dial_ahead(parse_endpoint(api.base_url))
    (dial,) = dialling._ahead
    connection = dial.connection(timeout=SECONDS)
    yield dial
    dialling._ahead.clear()
    connection.close()


def test_a_connection_that_was_made_early_is_claimed_once(dialled: Dial) -> None:
    assert claim(dialled.server._replace(host="localhost")) is None
    assert claim(dialled.server) is dialled
    assert claim(dialled.server) is None


def test_a_connection_that_has_waited_for_too_long_is_not_claimed(
    dialled: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server may be about to close it."""
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + MAX_IDLE)
    assert claim(dialled.server) is None


def test_a_connection_that_the_server_gave_up_during_a_slow_input_is_made_again(qwen: Program, api: ApiServer) -> None:
    """Whether or not the program connects while it still reads its input."""
    api.patience = 0.3
    api.answer(reply(completion("Hello.")))
    with qwen.start("ask", "Say:", input=PIPE) as running:
        running.write(b"slow ")
        wait_until(lambda: api.connections == 1, "connected")
        wait_until(lambda: api.open_connections == 0, "given up by the server")
        running.write(b"words\n")
        running.close_input()
        result = running.finish()
    assert (result.status, result.text, result.stderr) == (0, "Hello.\n", "")
    assert api.request.json["messages"][0]["content"] == "slow words\n\nSay:"
