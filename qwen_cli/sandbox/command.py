"""Runs a command in a sandbox, as `xvfb-run` does: starts it, forwards signals, returns its status."""

import gc
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import NoReturn

from qwen_cli.key.redaction import without_keys
from qwen_cli.output.result import standard_output
from qwen_cli.output.stderr import report
from qwen_cli.sandbox.faults import Fault
from qwen_cli.sandbox.server import serving
from qwen_cli.signals import die_of

API_KEY = "sandbox"
"""The sandbox accepts any key."""

_MISLEADING = ("QWEN_CLI_BASE_URL", "QWEN_CLI_NO_KEY", "AIMLAPI_KEY", "AIML_API_KEY")
_NOT_EXECUTABLE = 126
_NOT_FOUND = 127
_FORWARDED = (signal.SIGTERM, signal.SIGHUP)
_ENDING = (signal.SIGINT, *_FORWARDED)


def environment(base_url: str, outer: Mapping[str, str]) -> dict[str, str]:
    """The environment `outer`, changed so that requests go to `base_url` and nowhere else."""
    inner = {name: value for name, value in outer.items() if name not in _MISLEADING}
    unproxied = ",".join(filter(None, (outer.get("no_proxy") or outer.get("NO_PROXY"), "127.0.0.1")))
    addressed = {"AIMLAPI_BASE_URL": base_url, "AIMLAPI_API_KEY": API_KEY}
    return inner | addressed | {"no_proxy": unproxied, "NO_PROXY": unproxied}


def run(command: Sequence[str], *, faults: Sequence[Fault] = (), rate: float | None = None) -> int:
    """Run `command` against a sandbox of its own and return its status: 128+N after signal N, 126 or 127 for no start.

    An interrupt is left to the command, SIGTERM and SIGHUP are forwarded to it. Without a command, the sandbox prints
    its variables and serves until a signal ends the process. To be called from the main thread.
    """
    # One request can do without garbage collection, a server cannot.
    gc.enable()
    if not command:
        _serve_until_killed(faults, rate)
    with serving(faults=faults, rate=rate) as base_url:
        return _run_command(command, environment(base_url, os.environ))


def _serve_until_killed(faults: Sequence[Fault], rate: float | None) -> NoReturn:
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    with serving(faults=faults, rate=rate) as base_url:
        exports = f"export AIMLAPI_BASE_URL={base_url}\nexport AIMLAPI_API_KEY={API_KEY}\n"
        standard_output().write(exports.encode())
        report("serving until interrupted; paste these two lines into another shell")
        # Blocked and waited for, a signal is never missed, as it can be between a handler and `pause`; and so the first
        # process of a container, which no signal ends by default, ends as well.
        die_of(signal.sigwait({number for number in _ENDING if signal.getsignal(number) is not signal.SIG_IGN}))


def _run_command(command: Sequence[str], env: Mapping[str, str]) -> int:
    child: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def forward(signum: int, _frame: FrameType | None) -> None:
        if child is None:
            early.append(signum)
        else:
            child.send_signal(signum)

    for number in (*_FORWARDED, signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            # The terminal interrupts the command as well. Unlike SIG_IGN, a handler is not inherited.
            signal.signal(number, forward if number in _FORWARDED else lambda *_: None)
    try:
        child = subprocess.Popen(command, env=env)  # noqa: S603 -- running the user's own command is the purpose
        for signum in early:
            child.send_signal(signum)
        status = child.wait()
    except FileNotFoundError:
        # If it is a path, the interpreter of the script may be what is missing.
        reason = "no such file, or its interpreter is missing" if "/" in command[0] else "command not found"
        report(without_keys(f"{command[0]}: {reason}"))
        return _NOT_FOUND
    except OSError as error:
        report(without_keys(f"{command[0]}: {error.strerror}"))
        return _NOT_EXECUTABLE
    return status if status >= 0 else 128 - status
