"""The sandbox around a command: its environment, streams, signals and status."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from qwen_cli.sandbox.command import environment, run
from tests.program import PROGRAM, Program, handlers_restored, require_tool
from tests.sandbox import chat

SANDBOX = [*PROGRAM, "sandbox"]


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Those that the sandbox sets for good, restored: here it does not end with its process."""
    with handlers_restored():
        yield


def test_the_command_finds_the_sandbox_in_its_environment(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["sh", "-c", "echo $AIMLAPI_BASE_URL $AIMLAPI_API_KEY"]) == 0
    output, errors = capfd.readouterr()
    base_url, key = output.split()
    assert base_url.startswith("http://127.0.0.1:")
    assert base_url.endswith("/v1")
    assert (key, errors) == ("sandbox", "")


def test_the_environment_leads_nowhere_else() -> None:
    outer = {
        "QWEN_CLI_BASE_URL": "https://elsewhere",
        "QWEN_CLI_NO_KEY": "1",
        "QWEN_CLI_MODEL": "m",
        "AIMLAPI_KEY": "real",
        "AIML_API_KEY": "real",
        "AIMLAPI_API_KEY": "real",
        "https_proxy": "http://proxy",
        "NO_PROXY": "intranet",
        "HOME": "/home/me",
    }
    assert environment("http://127.0.0.1:1/v1", outer) == {
        "AIMLAPI_BASE_URL": "http://127.0.0.1:1/v1",
        "AIMLAPI_API_KEY": "sandbox",
        "QWEN_CLI_MODEL": "m",
        "https_proxy": "http://proxy",
        "NO_PROXY": "intranet,127.0.0.1",
        "no_proxy": "intranet,127.0.0.1",
        "HOME": "/home/me",
    }


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (("true",), 0),
        (("sh", "-c", "exit 7"), 7),
        (("sh", "-c", "kill -TERM $$"), 143),
        (("sh", "-c", "kill -KILL $$"), 137),
    ],
)
def test_returns_the_status_of_the_command(
    capfd: pytest.CaptureFixture[str], command: tuple[str, ...], status: int
) -> None:
    assert run(command) == status
    assert capfd.readouterr() == ("", "")


def test_says_when_the_command_cannot_start(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("true\n")
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    for command, status in (("no-such-command", 127), (str(script), 127), (str(plain), 126), (str(tmp_path), 126)):
        assert run([command]) == status
        _, errors = capfd.readouterr()
        assert errors.startswith(f"qwen-cli: {command}: ")
        assert errors.count("\n") == 1


def test_a_key_in_the_place_of_the_command_is_not_shown(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["sk-0123456789abcdefABCDEF"]) == 127
    assert "0123456789" not in capfd.readouterr().err


def test_a_key_of_the_environment_in_the_place_of_the_command_is_not_shown(qwen: Program) -> None:
    result = qwen("sandbox", "--", "secret-7", env={"AIMLAPI_KEY": "secret-7"}, secret="secret-7")
    assert result.status == 127
    assert result.message == "[key]: No such file or directory"


def test_control_characters_in_a_message_are_visible(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["no\rsuch\x1b[31m\ncommand"]) == 127
    assert capfd.readouterr().err == "qwen-cli: no\\rsuch\\x1b[31m command: No such file or directory\n"


def test_the_command_inherits_the_three_streams_and_its_signals(qwen: Program) -> None:
    code = (
        "import signal, sys; sys.stderr.write(sys.stdin.read()); "
        "print([signal.getsignal(s) == signal.SIG_DFL for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)])"
    )
    result = qwen("sandbox", "--", sys.executable, "-c", code, input="typed")
    assert (result.text, result.stderr) == ("[True, True, True]\n", "typed")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_is_the_commands_to_handle(signum: signal.Signals) -> None:
    """The terminal sends an interrupt to the command as well; the others are passed on."""
    trap = f"trap 'echo caught; exit 5' {signum.name.removeprefix('SIG')}; echo ready; while :; do sleep 0.05; done"
    command = [*SANDBOX, "--", "sh", "-c", trap]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        (os.killpg if signum == signal.SIGINT else os.kill)(process.pid, signum)
        assert process.stdout.read() == "caught\n"
    assert process.returncode == 5


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_without_a_command_says_where_it_is_and_serves_until_a_signal(signum: signal.Signals) -> None:
    with subprocess.Popen(SANDBOX, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        place, key = process.stdout.readline(), process.stdout.readline()
        assert key == "export AIMLAPI_API_KEY=sandbox\n"
        assert place.startswith("export AIMLAPI_BASE_URL=http://127.0.0.1:")
        assert chat(place.strip().partition("=")[2]).status == 200
        process.send_signal(signum)
        assert process.wait(60) == -signum
        assert process.stderr.read() == (
            "qwen-cli: serving until interrupted; paste these two lines into another shell\n"
        )


def test_a_signal_ends_it_as_the_first_process_of_a_container_too() -> None:
    namespace = [require_tool("unshare"), "--pid", "--fork"]
    if subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no namespace of processes can be made here")
    with subprocess.Popen([*namespace, *SANDBOX], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        (first,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(first), signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM


# Around the program itself


def test_the_program_asks_its_own_sandbox(qwen: Program) -> None:
    elsewhere = {"QWEN_CLI_BASE_URL": "https://elsewhere.invalid/v1", "QWEN_CLI_NO_KEY": "1"}
    result = qwen("sandbox", "--", *PROGRAM, "ask", "-n", "Is anybody there?", env=elsewhere, timeout=60)
    assert (result.status, result.text, result.stderr) == (0, "Is anybody there?\n", "")
