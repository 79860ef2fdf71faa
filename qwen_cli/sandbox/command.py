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
from qwen_cli.signals import die_of, not_ignored

API_KEY = "sandbox"
"""The sandbox does not look at keys."""

_MISLEADING = ("QWEN_CLI_BASE_URL", "QWEN_CLI_NO_KEY", "AIMLAPI_KEY", "AIML_API_KEY")
_NOT_EXECUTABLE = 126
_NOT_FOUND = 127
_FROM_THE_TERMINAL = (signal.SIGINT, signal.SIGQUIT)
"""It sends them to the command as well."""

_ENDING = (*_FROM_THE_TERMINAL, signal.SIGTERM, signal.SIGHUP)


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
    with serving(faults=faults, rate=rate) as base_url:
        if not command:
            _wait_for_a_signal(base_url)
        return _run_command(command, environment(base_url, os.environ))


def _wait_for_a_signal(base_url: str) -> NoReturn:
    # By default no signal ends the first process of a container, unless it is waited for.
    ending = not_ignored(_ENDING)
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)
    exports = f"export AIMLAPI_BASE_URL={base_url}\nexport AIMLAPI_API_KEY={API_KEY}\n"
    standard_output().write(exports.encode())
    report("serving until interrupted; paste these two lines into another shell")
    die_of(signal.sigwait(ending))


def _run_command(command: Sequence[str], env: Mapping[str, str]) -> int:
    child: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def forward(number: int, _frame: FrameType | None) -> None:
        if child is None:
            early.append(number)
        elif number not in _FROM_THE_TERMINAL:
            child.send_signal(number)

    for number in not_ignored(_ENDING):
        signal.signal(number, forward)  # unlike SIG_IGN, a handler is not inherited
    try:
        child = subprocess.Popen(command, env=env)  # noqa: S603 -- running the user's own command is the purpose
    except OSError as error:
        report(without_keys(f"{command[0]}: {error.strerror}"))
        return _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE
    for missed in early:
        child.send_signal(missed)
    status = child.wait()
    return status if status >= 0 else 128 - status
