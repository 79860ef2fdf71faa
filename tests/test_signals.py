"""A signal ends the program as the shell expects, at any moment, and generation stops."""

import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE

import pytest

from tests.api_server import (
    EVENT_STREAM,
    SILENCE,
    ApiServer,
    Reply,
    Request,
    Step,
    head,
    http_chunk,
    reply,
    stream,
    unanswering_port,
)
from tests.bodies import chunk, completion, event
from tests.keyring_daemon import Keyring
from tests.program import SECONDS, TERMINAL, Program, Running, wait_until

ENDINGS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def endless(_: Request) -> Iterator[Step]:
    """A stream that never ends by itself: a line every 20 ms."""
    yield head(200, EVENT_STREAM)
    while True:
        yield http_chunk(event(chunk("line\n")))
        yield 0.02


def by_name(number: signal.Signals) -> str:
    """The name of a signal, as the id of a test."""
    return number.name


WAITING: list[tuple[str, str, Reply]] = [
    ("for the header", "ask", (SILENCE,)),
    ("for the rest of a body", "ask", (head(200, {"content-length": 99}) + b"{", SILENCE)),
    ("in a stream", "stream", stream(event(chunk("One")), SILENCE, whole=False)),
    ("in a body that is passed through", "json", (head(200, {"content-length": 99}) + b"{", SILENCE)),
    ("for the account", "cost --balance", (SILENCE,)),
]


@pytest.mark.parametrize(
    ("number", "command", "answer"),
    [
        *[pytest.param(signal.SIGINT, *rest, id=f"SIGINT {name}") for name, *rest in WAITING],
        pytest.param(signal.SIGTERM, *WAITING[0][1:], id=f"SIGTERM {WAITING[0][0]}"),
    ],
)
def test_a_signal_while_it_waits(
    qwen: Program, api: ApiServer, number: signal.Signals, command: str, answer: Reply
) -> None:
    """The process dies of the signal, says nothing, and the server sees the connection close within a second."""
    api.answer(answer)
    with qwen.start(*command.split(), *(["hi"] if command != "cost --balance" else [])) as running:
        api.wait_for_requests()
        if command == "stream":
            running.wait_for(b"One")
        running.send(number)
        result = running.finish()
    assert (result.status, result.stderr) == (128 + number, "")
    assert api.request.closed.wait(SECONDS)


@pytest.mark.parametrize("number", ENDINGS, ids=by_name)
def test_a_signal_while_it_prints(qwen: Program, api: ApiServer, number: signal.Signals) -> None:
    api.answer(endless)
    with qwen.start("stream", "hi") as running:
        running.wait_for(b"line\nline\n")
        running.send(number)
        result = running.finish()
    assert (result.status, result.stderr) == (128 + number, "")
    assert api.request.closed.wait(SECONDS)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=by_name)
@pytest.mark.parametrize("arguments", [("ask", "hi"), ("ask", "-"), ("key", "set")], ids=" ".join)
def test_a_signal_while_it_waits_for_standard_input(
    qwen: Program, keyring: Keyring, arguments: tuple[str, ...], number: signal.Signals
) -> None:
    with qwen.start(*arguments, input=PIPE, env=keyring.environment) as running:
        wait_until(lambda: is_asleep(running), "the program waits for its input")
        running.send(number)
        result = running.finish()
    assert (result.status, result.stdout, result.stderr) == (128 + number, b"", "")


def is_asleep(running: Running) -> bool:
    """Whether the process sleeps, long enough after its start to be in its own code, where Python catches no SIGINT."""
    lines = Path(f"/proc/{running.pid}/status").read_text().splitlines()
    fields = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    is_caught = int(fields["SigCgt"], 16) & 1 << signal.SIGINT - 1
    return fields["State"].startswith("S") and not is_caught and time.monotonic() - running.started > 0.5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=by_name)
@pytest.mark.parametrize("arguments", [("ask", "hi"), ("key", "status")], ids=" ".join)
def test_a_signal_while_a_keyring_hangs(
    qwen: Program, keyring: Keyring, arguments: tuple[str, ...], number: signal.Signals
) -> None:
    keyring.hang()
    changes = {**keyring.environment, "AIMLAPI_API_KEY": None, "AIMLAPI_BASE_URL": "https://api.invalid/v1"}
    with qwen.start(*arguments, env=changes) as running:
        wait_until(lambda: is_asleep(running), "the program waits for the keyring")
        running.send(number)
        result = running.finish()
    assert (result.status, result.stdout, result.stderr) == (128 + number, b"", "")


@pytest.mark.parametrize("delay", [0, 0.005, 0.02, 0.05, 0.08, 0.11, 0.14])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=by_name)
def test_a_signal_during_the_start(qwen: Program, api: ApiServer, number: signal.Signals, delay: float) -> None:
    """At any moment; before Python has handed over, an interrupt is its own affair."""
    api.always((SILENCE,))
    with qwen.start("ask", "hi") as running:
        if number == signal.SIGINT:
            wait_until(lambda: api.connections == 1, "the program runs")
        time.sleep(delay)
        running.send(number)
        result = running.finish()
    assert (result.status, result.stdout, result.stderr) == (128 + number, b"", "")


INTERRUPTED_IMPORT = """
import os, signal, sys
from qwen_cli.__main__ import run

def interrupt(event, _arguments, left=[int(os.environ["IMPORTS"])]):
    if event == "import":
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGINT)

sys.addaudithook(interrupt)
run()
"""


@pytest.mark.parametrize("imports", [0, 1, 2, 3, 5, 8, 13, 40, 80])
def test_an_interrupt_at_any_import_of_the_start_ends_in_silence(qwen: Program, imports: int) -> None:
    script = f"shift 3; exec '{sys.executable}' -c '{INTERRUPTED_IMPORT}' \"$@\""
    result = qwen("ask", "--dry-run", "hi", script=script, env={"IMPORTS": str(imports)})
    assert (result.status, result.stdout, result.stderr) == (130, b"", "")


@pytest.mark.parametrize("command", ["ask", "stream"])
def test_control_c_on_a_terminal_leaves_it_clean(qwen: Program, api: ApiServer, command: str) -> None:
    api.answer((SILENCE,))
    with qwen.start(command, "hi", terminal=TERMINAL) as running:
        api.wait_for_requests()
        # Long enough for the spinner to be seen.
        running.wait_for(b"waiting", "terminal")
        running.type(b"\x03")
        result = running.finish()
    assert result.status == 130
    assert result.terminal.endswith(b"\x1b[2K")
    assert b"Aborted" not in result.terminal
    assert api.request.closed.wait(SECONDS)


@pytest.mark.parametrize("delay", [0, 0.0005, 0.002])
def test_further_signals_do_not_disturb_the_cleaning_up(qwen: Program, api: ApiServer, delay: float) -> None:
    qwen.file("answer", "old")
    for _ in range(4):
        api.answer(stream(event(chunk("new")), SILENCE, whole=False))
        with qwen.start("stream", "-o", "answer", "hi") as running:
            api.wait_for_requests(len(api.requests) + 1)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                running.send(number)
                time.sleep(delay)
            result = running.finish()
        assert result.status in [128 + number for number in ENDINGS]
        assert (result.stderr, qwen.files()) == ("", {"answer": b"old"})


@pytest.mark.parametrize("arguments", [("hi",), ("-o", "answer", "hi")], ids=" ".join)
def test_a_signal_while_it_connects(qwen: Program, arguments: tuple[str, ...]) -> None:
    with unanswering_port() as port:
        url = f"http://127.0.0.1:{port}/v1"
        with qwen.start("ask", "--connect-timeout", "600", *arguments, env={"AIMLAPI_BASE_URL": url}) as running:
            wait_until(lambda: is_asleep(running), "the program waits for its connection")
            running.send(signal.SIGINT)
            result = running.finish()
    assert (result.status, result.stdout, result.stderr, qwen.files()) == (130, b"", "", {})


@pytest.mark.parametrize("command", ["ask hi", "ask --save receipt hi", "ask --chat talk hi", "map"])
def test_signals_that_the_caller_ignores_stay_ignored(qwen: Program, api: ApiServer, command: str) -> None:
    """As those of a job that `nohup` or a shell has started, also where the program cleans up before it dies."""
    answered = threading.Event()
    api.answer((answered, *reply(completion("Hello."))))
    script = "trap '' INT HUP TERM; exec \"$@\""
    with qwen.start(*command.split(), input="hi\n" if command == "map" else None, script=script) as running:
        api.wait_for_requests()
        for number in ENDINGS:
            running.send(number)
        answered.set()
        result = running.finish()
    assert (result.status, result.text, result.stderr) == (0, "Hello.\n", "")


@pytest.mark.parametrize("where", ["TLS", "a proxy"])
def test_an_interrupt_is_heard_at_once_while_connecting_through(qwen: Program, where: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        changes = {"AIMLAPI_BASE_URL": f"https://{address}/v1"}
        if where == "a proxy":
            changes = {"AIMLAPI_BASE_URL": "https://elsewhere.example/v1", "HTTPS_PROXY": f"http://{address}"}
        with qwen.start("ask", "--connect-timeout", "600", "hi", env=changes) as running:
            connection, _ = silent.accept()
            with connection:
                connection.recv(1)
                running.send(signal.SIGINT)
                result = running.finish()
    assert (result.status, result.stdout, result.stderr) == (130, b"", "")
