"""The hidden prompt of `key set`: nothing typed is shown, and the terminal is as it was, however it ends."""

import os
import signal
import termios
from pathlib import Path

import pytest

from tests.api_server import ApiServer, reply
from tests.bodies import completion
from tests.keyring_daemon import SECRET, Keyring, account, sent_key, without_environment
from tests.program import TERMINAL, Program, Running, Stream, wait_until

TYPED: tuple[Stream, ...] = ("stdin", "stderr")


def test_a_key_is_typed_at_a_hidden_prompt(qwen: Program, api: ApiServer, keyring: Keyring) -> None:
    env = without_environment(keyring)
    with qwen.start("key", "set", terminal=TYPED, env=env, secret=SECRET) as running:
        running.wait_for(f"API key for {account(api)}: ".encode(), "terminal")
        running.type(f"{SECRET}\n".encode())
        result = running.finish()
    assert result.status == 0
    assert SECRET.encode() not in result.terminal
    assert f"stored the key …4c1d for {account(api)}".encode() in result.terminal
    api.answer(reply(completion()))
    assert qwen("ask", "hi", env=env, secret=SECRET).status == 0
    assert sent_key(api) == f"Bearer {SECRET}"


def test_an_empty_line_typed_is_refused(qwen: Program, keyring: Keyring) -> None:
    with qwen.start("key", "set", terminal=TYPED, env=without_environment(keyring)) as running:
        running.wait_for(b"API key for ", "terminal")
        running.type(b"\n")
        result = running.finish()
    assert result.status == 2
    assert b"no key given" in result.terminal


def test_an_interrupt_at_the_hidden_prompt_gives_the_terminal_back(
    qwen: Program, keyring: Keyring, tmp_path: Path
) -> None:
    settings = tmp_path / "settings"
    script = f'"$@"; status=$?; stty -a >{settings}; exit $status'

    with qwen.start("key", "set", terminal=TYPED, script=f"trap : INT; {script}", env=keyring.environment) as running:
        running.wait_for(b"API key for ", "terminal")
        running.type(b"\x03")
        result = running.finish()
    assert result.status == 130
    assert " echo " in settings.read_text()


def echoes(running: Running) -> bool:
    """Whether the terminal shows what is typed."""
    assert running.master is not None
    return bool(termios.tcgetattr(running.master)[3] & termios.ECHO)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_at_the_hidden_prompt_leaves_the_echo_on(
    qwen: Program, keyring: Keyring, number: signal.Signals
) -> None:
    # The shell keeps the terminal, which is hung up when the leader of its session ends.
    script = 'ulimit -c 0; trap "" INT QUIT; (trap - INT QUIT; exec "$@"); echo "ended with $?"; sleep 60'
    with qwen.start("key", "set", terminal=TERMINAL, env=keyring.environment, script=script) as running:
        running.wait_for(b"API key for", "terminal")
        wait_until(lambda: not echoes(running), "the echo is off")
        if number == signal.SIGTERM:
            children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
            os.kill(int(children[0]), number)
        else:
            running.type(b"\x03" if number == signal.SIGINT else b"\x1c")
        running.wait_for(f"ended with {128 + number}".encode(), "terminal")
        assert echoes(running)
