"""The real program as a real process: `qwen("ask", "hi")` hands back its status, its output and its errors.

Every run happens in a clean HOME with a minimal environment, and in every run the harness checks that neither the
API key nor a traceback reached any output.
"""

import os
import pty
import select
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import chdir, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from tempfile import TemporaryFile
from types import MappingProxyType
from typing import IO, Literal, TypedDict, Unpack
from unittest.mock import patch

import pytest

from qwen_cli.__main__ import main
from qwen_cli.connection import dialling
from qwen_cli.output.terminal import is_terminal, screen
from tests.api_server import ApiServer

KEY = "sk-test-NEVER-PRINT-ME-7f3a91c2"
PROGRAM = (sys.executable, "-m", "qwen_cli")
SECONDS = 60
"""How long a test waits for what ought to happen at once, on a machine that may be busy with other things."""

WITHOUT_PRIVILEGE = (
    "exec setpriv --bounding-set=-dac_override,-dac_read_search --inh-caps=-dac_override,-dac_read_search"
    if os.geteuid() == 0
    else "exec"
) + ' "$@"'
"""A script for `Options`: even root is held to the permissions of files."""

Stream = Literal["stdin", "stdout", "stderr"]
TERMINAL: tuple[Stream, ...] = ("stdin", "stdout", "stderr")
"""All three streams on the terminal, as when a person types the command."""

READERS = [("ask",), ("json", "--stream")]
"""A command line that reads a whole response, and one that reads a stream: the others read as they do."""

LARGE = "0123456789abcde\n" * (1 << 20)
"""16 MiB: more input than the buffers of the system hold."""

ERASED = "\r\x1b[2K"
"""What takes away the line that is drawn on a terminal."""

Input = bytes | str | int | IO[bytes] | None


def is_streamed(arguments: tuple[str, ...]) -> bool:
    """Whether that command line asks for a stream."""
    return arguments[0] == "stream" or "--stream" in arguments


def lines_of(terminal: bytes) -> list[str]:
    """What a person sees in the end: each line without what was erased from it."""
    return [line.rpartition(ERASED)[2] for line in terminal.decode().split("\r\n")]


@dataclass(frozen=True)
class Result:
    """What became of one run."""

    args: tuple[str, ...]
    status: int
    """As the shell sees it: 128 + N when signal N killed the process."""
    stdout: bytes
    stderr: str
    terminal: bytes
    """What reached the pseudo-terminal."""
    seconds: float
    peak_memory: int
    """Resident bytes at the highest, of the process that was started; seen up to some 20 ms before its end."""

    @property
    def text(self) -> str:
        """Standard output as text."""
        return self.stdout.decode()

    @property
    def message(self) -> str:
        """The one line on standard error, without the program's name."""
        line, newline, rest = self.stderr.partition("\n")
        assert newline, f"expected one line on standard error, found {self.stderr!r}"
        assert not rest, f"expected one line on standard error, found {self.stderr!r}"
        assert line.startswith("qwen-cli: "), f"not prefixed with the program's name: {line!r}"
        return line.removeprefix("qwen-cli: ")


def checked(result: Result, secret: str) -> Result:
    """The result, which no run may have spoilt by the key or a traceback."""
    outputs = (result.stdout, result.stderr.encode(), result.terminal)
    assert not any(secret.encode() in output for output in outputs), f"the key was shown by {result.args}"
    assert not any(b"Traceback" in output for output in outputs), f"a traceback from {result.args}: {outputs}"
    return result


def as_shell_sees(returncode: int) -> int:
    """The status of a process: 128 + N for death by signal N."""
    return 128 - returncode if returncode < 0 else returncode


def require_tool(name: str) -> str:
    """The path of a program that the test needs; without it the test is skipped, in CI it fails."""
    path = shutil.which(name)
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")
    return path


def wait_until(condition: Callable[[], bool], what: str, *, timeout: float = SECONDS) -> None:
    """Poll until the condition holds; the test fails when it doesn't in time."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f"after {timeout} s still not: {what}"
        time.sleep(0.01)


def high_water_mark(pid: int) -> int:
    """The most resident memory that a process has had so far, in bytes; 0 of one that is ending."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


class Pump(threading.Thread):
    """Reads one descriptor to its end, so that no pipe of the program ever fills up."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.descriptor = descriptor
        self.data = bytearray()
        self.first_at: float | None = None
        self.start()

    def run(self) -> None:
        """Collect what arrives; a terminal whose last user has gone ends with EIO."""
        with suppress(OSError):
            while piece := os.read(self.descriptor, 1 << 16):
                if self.first_at is None:
                    self.first_at = time.monotonic()
                self.data += piece


class Feeder(threading.Thread):
    """Delivers standard input, as slowly as the program takes it."""

    def __init__(self, pipe: IO[bytes], data: bytes) -> None:
        super().__init__()
        self.pipe, self.data = pipe, data
        self.start()

    def run(self) -> None:
        """Write it all and close the pipe; a program that fails early need not read its input."""
        with suppress(BrokenPipeError):
            self.pipe.write(self.data)
        with suppress(BrokenPipeError):
            self.pipe.close()


@dataclass
class Running:
    """A run that is still going on."""

    args: tuple[str, ...]
    process: Popen[bytes]
    secret: str
    pumps: dict[str, Pump]
    master: int | None
    """The test's end of the pseudo-terminal."""
    started: float = field(default_factory=time.monotonic)
    peak_memory: int = 0
    result: Result | None = field(default=None, init=False)

    @property
    def pid(self) -> int:
        """The program's process id."""
        return self.process.pid

    def output(self, stream: str = "stdout") -> bytes:
        """What has arrived so far on `stdout`, `stderr` or the `terminal`."""
        return bytes(self.pumps[stream].data) if stream in self.pumps else b""

    def wait_for(self, text: bytes, stream: str = "stdout", *, timeout: float = SECONDS) -> None:
        """Until `text` has arrived."""

        def arrived() -> bool:
            return text in self.output(stream)

        wait_until(lambda: arrived() or not self.alive, f"{text!r} on {stream}", timeout=timeout)
        if not arrived():
            self.finish()
        assert arrived(), f"ended without {text!r} on {stream}: {self.result}"

    def write(self, data: bytes) -> None:
        """Deliver more standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def close_input(self) -> None:
        """The end of standard input."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def type(self, keys: bytes) -> None:
        """Type on the terminal: `b"\\x03"` is Control-C."""
        assert self.master is not None
        os.write(self.master, keys)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the program alone."""
        if self.alive:
            os.kill(self.pid, number)

    @property
    def alive(self) -> bool:
        """Whether the process is still running; it isn't reaped by asking."""
        return self.result is None and os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def finish(self, *, timeout: float = SECONDS) -> Result:
        """Wait for the end, then check what every run has to keep."""
        if self.result is not None:
            return self.result
        if not self._ended(timeout):
            self._kill()
            pytest.fail(f"{self.args} still ran after {timeout} s; {self._shown()}")
        self.result = checked(self._reap(), self.secret)
        return self.result

    def _ended(self, timeout: float) -> bool:
        """Wait for the end, looking at the memory: what `wait4` would tell includes the parent's, from before exec."""
        end = time.monotonic() + timeout
        descriptor = os.pidfd_open(self.pid)
        try:
            while not select.select([descriptor], [], [], 0.02)[0]:
                self.peak_memory = max(self.peak_memory, high_water_mark(self.pid))
                if time.monotonic() > end:
                    return False
            return True
        finally:
            os.close(descriptor)

    def _reap(self) -> Result:
        seconds = time.monotonic() - self.started
        _, status = os.waitpid(self.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        for stream, pump in self.pumps.items():
            pump.join(SECONDS)
            if pump.is_alive():
                self._kill()
                pytest.fail(f"{self.args} has ended, but something it started still holds its {stream}")
        return Result(
            self.args,
            as_shell_sees(self.process.returncode),
            self.output("stdout"),
            self.output("stderr").decode(),
            self.output("terminal"),
            seconds,
            self.peak_memory,
        )

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def _shown(self) -> str:
        return "; ".join(f"{stream}: {bytes(pump.data)!r}" for stream, pump in self.pumps.items())

    def close(self) -> None:
        """End what still runs and give everything back."""
        if self.result is None and self.process.returncode is None:
            self._kill()
            self.process.wait()
        for pump in self.pumps.values():
            pump.join()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        if self.master is not None:
            os.close(self.master)


class Options(TypedDict, total=False):
    """What a run can differ in."""

    input: Input
    """What standard input delivers, or the descriptor or file to be it, or PIPE for `Running.write`; else /dev/null."""
    env: Mapping[str, str | None]
    """Changes to the minimal environment; None takes a variable out."""
    server: ApiServer
    """Another server than the `api` of the test."""
    terminal: Collection[Stream]
    """The streams that are a pseudo-terminal."""
    script: str
    """A line of sh in which `"$@"` is the program."""
    stdout: int | IO[bytes]
    """In place of the pipe."""
    secret: str
    """What must not be shown; the key of the environment unless given."""


class Program:
    """How the tests run qwen-cli: a folder of its own, and the server that it talks to."""

    def __init__(self, folder: Path, server: ApiServer) -> None:
        self.server = server
        self.home, self.cwd, self.tmp = folder / "home", folder / "work", folder / "tmp"
        for each in (self.home, self.cwd, self.tmp):
            each.mkdir()

    def file(self, name: str, content: str | bytes = "") -> Path:
        """Make a file in the working folder."""
        path = self.cwd / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def files(self) -> dict[str, bytes]:
        """What is in the working folder: names, hidden ones too, and contents."""
        return {path.name: path.read_bytes() for path in self.cwd.iterdir()}

    def environment(self, server: ApiServer | None, changes: Mapping[str, str | None]) -> dict[str, str]:
        """The minimal environment, with `changes`; None takes a variable out."""
        variables: dict[str, str | None] = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "TMPDIR": str(self.tmp),
            "LANG": "C.UTF-8",
            "TERM": "xterm",
            "AIMLAPI_API_KEY": KEY,
            "AIMLAPI_BASE_URL": (server or self.server).base_url,
            **changes,
        }
        return {name: value for name, value in variables.items() if value is not None}

    @contextmanager
    def start(self, *args: str | Path, **options: Unpack[Options]) -> Iterator[Running]:
        """Run the program without waiting for it."""
        words = tuple(str(arg) for arg in args)
        script, terminal = options.get("script"), options.get("terminal", ())
        command = [*PROGRAM, *words] if script is None else ["sh", "-c", script, "sh", *PROGRAM, *words]
        given = options.get("input")
        delivered = given.encode() if isinstance(given, str) else given
        master, slave = pty.openpty() if terminal else (None, None)
        if slave is not None:
            # The leader of a new session gets its controlling terminal by opening one.
            command = ["sh", "-c", ': <"$0" && exec "$@"', os.ttyname(slave), *command]
        source = PIPE if isinstance(delivered, bytes) else DEVNULL if delivered is None else delivered
        process = Popen(
            command,
            stdin=slave if "stdin" in terminal else source,
            stdout=slave if "stdout" in terminal else options.get("stdout", PIPE),
            stderr=slave if "stderr" in terminal else PIPE,
            cwd=self.cwd,
            env=self.environment(options.get("server"), options.get("env", {})),
            start_new_session=True,
        )
        pipes = (("stdout", process.stdout), ("stderr", process.stderr))
        pumps = {name: Pump(pipe.fileno()) for name, pipe in pipes if pipe}
        if master is not None and slave is not None:
            os.close(slave)
            pumps["terminal"] = Pump(master)
        feeder = Feeder(process.stdin, delivered) if process.stdin and isinstance(delivered, bytes) else None
        running = Running(words, process, options.get("secret", KEY), pumps, master)
        try:
            yield running
        finally:
            running.close()
            if feeder is not None:
                feeder.join()

    def __call__(self, *args: str | Path, timeout: float = SECONDS, **options: Unpack[Options]) -> Result:
        """Run the program to its end."""
        with self.start(*args, **options) as running:
            return running.finish(timeout=timeout)

    def call(
        self,
        *args: str | Path,
        input: bytes | str | None = None,  # noqa: A002 -- as of `Options`
        env: Mapping[str, str | None] = MappingProxyType({}),
        terminal: Collection[Stream] = (),
    ) -> Result:
        """Run the command line within this process: the same from its arguments to its streams, but no start.

        For tables whose cases differ in their data alone, at a tenth of the time. What has to do with processes,
        pipes, signals, the keyring, or keys that are pressed, needs the real thing. The input is a file.
        """
        words = [str(arg) for arg in args]
        drawing = drawn() if terminal else nullcontext((-1, None))
        with delivered(input) as stdin, TemporaryFile() as stdout, TemporaryFile() as stderr, drawing as (slave, pump):
            streams = {"stdin": stdin.fileno(), "stdout": stdout.fileno(), "stderr": stderr.fileno()}
            streams |= dict.fromkeys(terminal, slave)
            changes = patch.dict(os.environ, self.environment(None, env), clear=True)
            with changes, chdir(self.cwd), redirected(*streams.values()), handlers_restored():
                started = time.monotonic()
                status = main(words)
                seconds = time.monotonic() - started
            while dialling._ahead:  # a connection that a wrong command line has no use for
                with suppress(OSError):
                    dialling._ahead.pop().connection(SECONDS).close()
            stdout.seek(0)
            stderr.seek(0)
            shown = stdout.read(), stderr.read().decode()
        return checked(Result(tuple(words), status, *shown, bytes(pump.data if pump else b""), seconds, 0), KEY)


@contextmanager
def delivered(data: bytes | str | None) -> Iterator[IO[bytes]]:
    """A file with this in it, as `<FILE` would be; /dev/null where there is nothing."""
    if data is None:
        with Path(os.devnull).open("rb") as nothing:
            yield nothing
        return
    with TemporaryFile() as file:
        file.write(data.encode() if isinstance(data, str) else data)
        file.seek(0)
        yield file


@contextmanager
def drawn() -> Iterator[tuple[int, Pump]]:
    """A pseudo-terminal of nobody's session, and what collects all that is drawn on it."""
    master, slave = pty.openpty()
    pump = Pump(master)
    try:
        yield slave, pump
    finally:
        os.close(slave)
        pump.join()
        os.close(master)


@contextmanager
def redirected(*descriptors: int) -> Iterator[None]:
    """Have these be the standard streams of this process meanwhile."""
    saved = [os.dup(descriptor) for descriptor in range(3)]
    try:
        put_in_place(descriptors)
        yield
    finally:
        put_in_place(saved)
        for copy in saved:
            os.close(copy)


def put_in_place(descriptors: Iterable[int]) -> None:
    """Make these the standard streams, of which the program knows as little as when a process begins."""
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
    is_terminal.cache_clear()
    screen.__init__()  # type: ignore[misc]


@contextmanager
def handlers_restored() -> Iterator[None]:
    """Take back what was decided about signals meanwhile."""
    before = {number: signal.getsignal(number) for number in signal.valid_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)


def processes_of_session(leader: int) -> list[int]:
    """The processes, zombies too, that still belong to the session that a run was started in."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == leader:
                found.append(int(folder.name))
    return found
