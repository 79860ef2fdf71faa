"""The sandbox around a command: its environment, streams, signals and status."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from qwen_cli.sandbox.command import environment
from tests.program import PROGRAM, Program
from tests.sandbox import asking, chat

RUN = "import sys; from qwen_cli.sandbox.command import run; sys.exit(run(sys.argv[1:]))"
PRINT_PLACE = "import os; print(os.environ['AIMLAPI_BASE_URL'], os.environ['AIMLAPI_API_KEY'])"


def sandboxed(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUN, *command],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_finds_the_sandbox_in_its_environment() -> None:
    done = sandboxed(sys.executable, "-c", PRINT_PLACE)
    base_url, key = done.stdout.split()
    assert base_url.startswith("http://127.0.0.1:")
    assert base_url.endswith("/v1")
    assert key == "sandbox"
    assert (done.returncode, done.stderr) == (0, "")


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
def test_returns_the_status_of_the_command(command: tuple[str, ...], status: int) -> None:
    done = sandboxed(*command)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


def test_says_when_the_command_cannot_start(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("true\n")
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    for command, status in (("no-such-command", 127), (str(script), 127), (str(plain), 126), (str(tmp_path), 126)):
        done = sandboxed(command)
        assert done.returncode == status
        assert done.stderr.startswith(f"qwen-cli: {command}: ")
        assert done.stderr.count("\n") == 1


def test_a_key_in_the_place_of_the_command_is_not_shown() -> None:
    done = sandboxed("sk-0123456789abcdefABCDEF")
    assert done.returncode == 127
    assert "0123456789" not in done.stderr


def test_a_key_of_the_environment_in_the_place_of_the_command_is_not_shown(qwen: Program) -> None:
    result = qwen("sandbox", "--", "secret-7", env={"AIMLAPI_KEY": "secret-7"}, secret="secret-7")
    assert result.status == 127
    assert result.message == "[key]: command not found"


def test_control_characters_in_a_message_are_visible() -> None:
    done = sandboxed("no\rsuch\x1b[31m\ncommand")
    assert done.returncode == 127
    assert done.stderr == "qwen-cli: no\\rsuch\\x1b[31m command: command not found\n"


def test_the_command_inherits_the_three_streams_and_its_signals() -> None:
    code = (
        "import signal, sys; sys.stderr.write(sys.stdin.read()); "
        "print([signal.getsignal(s) == signal.SIG_DFL for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", RUN, sys.executable, "-c", code],
        input="typed",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("[True, True, True]\n", "typed")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_passes_signals_on_to_the_command(signum: signal.Signals) -> None:
    trap = f"trap 'echo caught; exit 5' {signum.name.removeprefix('SIG')}; echo ready; while :; do sleep 0.05; done"
    with subprocess.Popen([sys.executable, "-c", RUN, "sh", "-c", trap], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signum)
        assert process.stdout.read() == "caught\n"
    assert process.returncode == 5


def test_an_interrupt_is_the_commands_to_handle() -> None:
    trap = "trap 'echo caught; exit 6' INT; echo ready; while :; do sleep 0.05; done"
    with subprocess.Popen(
        [sys.executable, "-c", RUN, "sh", "-c", trap], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        os.killpg(process.pid, signal.SIGINT)
        assert process.stdout.read() == "caught\n"
    assert process.returncode == 6


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_without_a_command_says_where_it_is_and_serves_until_a_signal(signum: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", RUN], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
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


def test_clients_that_hang_up_leave_no_trace(tmp_path: Path) -> None:
    client = tmp_path / "client.py"
    client.write_text(
        "import json, os, socket, struct, time\n"
        "from urllib.parse import urlsplit\n"
        "url = urlsplit(os.environ['AIMLAPI_BASE_URL'])\n"
        f"body = json.dumps({asking('word ' * 50_000, stream=True)!r}).encode()\n"
        "head = b'POST /v1/chat/completions HTTP/1.1\\r\\nAuthorization: Bearer k\\r\\n'\n"
        "whole = head + b'Content-Length: %d\\r\\n\\r\\n' % len(body) + body\n"
        "for sent in (b'', b'POST', head, whole[:-5], whole, whole, whole):\n"
        "    for abruptly in (True, False):\n"
        "        with socket.create_connection((url.hostname, url.port)) as client:\n"
        "            client.sendall(sent)\n"
        "            if abruptly:\n"
        "                if sent is whole: client.recv(10)\n"
        "                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))\n"
        "time.sleep(0.5)\n"
        "import http.client\n"
        "connection = http.client.HTTPConnection(url.netloc)\n"
        "connection.request('GET', '/v1/models')\n"
        "print(connection.getresponse().status)\n"
    )
    done = sandboxed(sys.executable, str(client))
    assert (done.returncode, done.stdout, done.stderr) == (0, "200\n", "")


# Around the program itself


def test_the_program_asks_its_own_sandbox(qwen: Program) -> None:
    elsewhere = {"QWEN_CLI_BASE_URL": "https://elsewhere.invalid/v1", "QWEN_CLI_NO_KEY": "1"}
    result = qwen("sandbox", "--", *PROGRAM, "ask", "-n", "Is anybody there?", env=elsewhere, timeout=60)
    assert (result.status, result.text, result.stderr) == (0, "Is anybody there?\n", "")
