"""Run one command and take its time, its processor time and its peak memory."""

import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

SPAWN = Path(__file__).with_name("spawn.py")
TIMEOUT = 60.0
"""Seconds after which a command that still runs is given up."""


class WrongResult(Exception):
    """The command failed, hung, or printed something else than it should: its time means nothing."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command to time and what tells a right result of it from a wrong one."""

    argv: Sequence[str]
    """The program's absolute path and its arguments."""
    env: Mapping[str, str]
    check: Callable[[bytes], str | None]
    """From the standard output to what is wrong with it, None when nothing is."""
    slow_input: bytes | None = None
    """Arrives on standard input only after SLOWNESS seconds; without it standard input is `/dev/null`."""
    body_sent: Callable[[], float] | None = None
    """When the server had sent the last byte of the answer, by the monotonic clock."""


SLOWNESS = 0.5


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one run took: seconds from its start, or from the end of its input where that was slow; and bytes.

    The peak is that of the largest process, and never below the 9 MB of the one that starts them.
    """

    wall: float
    first_byte: float | None
    cpu: float
    peak: int
    sent: float | None = None


def run(command: Command) -> Run:
    """Run the command once; `WrongResult` says why a run does not count."""
    report, report_end = os.pipe()
    with (
        tempfile.TemporaryFile() as errors,
        open(report) as reported,
        subprocess.Popen(
            [sys.executable, "-I", "-S", str(SPAWN), str(report_end), *command.argv],
            stdin=subprocess.DEVNULL if command.slow_input is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=dict(command.env),
            pass_fds=[report_end],
            start_new_session=True,
        ) as process,
    ):
        os.close(report_end)
        input_ended = None
        if command.slow_input is not None:
            input_ended = _feed(process, command.slow_input)
        try:
            output, first_byte = _read(process.stdout)
        except TimeoutError as error:
            os.killpg(process.pid, signal.SIGKILL)
            raise WrongResult(str(error)) from None
        process.wait()
        figures = reported.read().split()
        errors.seek(0)
        last_words = errors.read().decode(errors="replace").strip().splitlines()[-1:]
    if not figures:
        raise WrongResult(": ".join(["it could not be started", *last_words]))
    start, end, status, cpu, peak = map(float, figures)
    wrong = f"exit status {status:.0f}" if status else command.check(output)
    if wrong:
        raise WrongResult(": ".join([wrong, *last_words]))
    zero = start if input_ended is None else input_ended
    return Run(
        wall=end - zero,
        # It cannot have come after the end, only have been seen after it.
        first_byte=None if first_byte is None else min(first_byte, end) - zero,
        cpu=cpu,
        peak=int(peak) * 1024,
        sent=None if command.body_sent is None else command.body_sent() - zero,
    )


def _feed(process: subprocess.Popen[bytes], text: bytes) -> float:
    """Write the text to the process's standard input, late; returns when it was all there."""
    if process.stdin is None:
        raise ValueError("standard input is not a pipe")
    time.sleep(SLOWNESS)
    try:
        process.stdin.write(text)
        process.stdin.close()
    except BrokenPipeError:
        raise WrongResult("it did not wait for its input") from None
    return time.monotonic()


def _read(stream: IO[bytes] | None) -> tuple[bytes, float | None]:
    """Everything up to the end, and when its first byte came."""
    if stream is None:
        raise ValueError("standard output is not a pipe")
    output = bytearray()
    first_byte = None
    deadline = time.monotonic() + TIMEOUT
    while select.select([stream], [], [], max(0, deadline - time.monotonic()))[0]:
        piece = os.read(stream.fileno(), 1 << 20)
        if first_byte is None and piece:
            first_byte = time.monotonic()
        if not piece:
            return bytes(output), first_byte
        output += piece
    raise TimeoutError(f"it still ran after {TIMEOUT:.0f} seconds")
