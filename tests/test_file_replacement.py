"""How a file is replaced: its owner and mode, what forbids it, and what a signal leaves of it."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from qwen_cli.errors import LocalError
from qwen_cli.output.file_replacement import check_replaceable, replace_file
from tests.api_server import SILENCE, ApiServer, reply
from tests.bodies import completion
from tests.program import KEY, Program, Result, require_tool

NOBODY = 65534
AS_NOBODY = (
    f"exec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups"
    ' --inh-caps=+dac_read_search --ambient-caps=+dac_read_search "$@"'
)
"""A script for `Options`: as a user without rights, but for finding the way into the folders of the tests."""


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def needs_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away, mount them and set their attributes")


@pytest.fixture
def mounted(qwen: Program) -> Iterator[Path]:
    """A file that is mounted, as `docker run -v FILE:FILE` does it."""
    needs_root()
    path = qwen.file("mounted", "what an empty file is mounted over")
    (qwen.home.parent / "outside").write_text("old")
    command = ["mount", "--bind", str(qwen.home.parent / "outside"), str(path)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not permitted here")
    yield path
    subprocess.run(["umount", path], check=True)


def test_a_mount_point_stands_as_it_was_and_the_answer_is_printed(qwen: Program, api: ApiServer, mounted: Path) -> None:
    api.answer(reply(completion("new")))
    result = qwen.call("ask", "-o", "mounted", "hi")
    assert (result.status, result.text) == (7, "new\n")
    assert result.message.startswith("cannot write mounted: ")
    assert (qwen.home.parent / "outside").read_text() == "old"
    assert list(qwen.cwd.iterdir()) == [mounted]


@pytest.mark.parametrize("attribute", ["a", "i"], ids=["append-only", "immutable"])
def test_an_attribute_that_forbids_it_is_found_out_before_anything_is_sent(
    qwen: Program, api: ApiServer, attribute: str
) -> None:
    path = qwen.file("answer", "old")
    if subprocess.run([require_tool("chattr"), f"+{attribute}", path], capture_output=True, check=False).returncode:
        pytest.skip("this file system knows no such attribute")
    try:
        result = qwen.call("ask", "-o", "answer", "hi")
    finally:
        subprocess.run(["chattr", f"-{attribute}", path], check=True)
    assert (result.status, api.requests) == (7, [])
    assert result.message == "cannot write answer: Operation not permitted"
    assert qwen.files() == {"answer": b"old"}


def test_a_file_of_another_in_a_sticky_folder_is_found_out_before_anything_is_sent(
    qwen: Program, api: ApiServer
) -> None:
    needs_root()
    qwen.file("answer", "old").chmod(0o666)
    qwen.cwd.chmod(0o1777)
    result = qwen("ask", "-o", "answer", "hi", script=AS_NOBODY)
    assert (result.status, api.requests) == (7, [])
    assert "sticky" in result.message
    assert qwen.files() == {"answer": b"old"}


@pytest.mark.parametrize("mode", [0o640, 0o4755, 0o2750], ids=oct)
def test_owner_and_mode_of_an_old_file_are_kept(qwen: Program, api: ApiServer, mode: int) -> None:
    needs_root()
    path = qwen.file("answer", "old")
    os.chown(path, 1234, 4321)
    path.chmod(mode)
    api.answer(reply(completion("new")))
    assert qwen.call("ask", "-o", "answer", "hi").status == 0
    assert (path.read_text(), mode_of(path)) == ("new\n", mode)
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 4321)


@pytest.mark.parametrize(("old", "new"), [(0o4777, 0o777), (0o2776, 0o766 | 0o006), (0o662, 0o622)])
def test_where_the_owner_cannot_be_kept_nothing_is_widened(qwen: Program, api: ApiServer, old: int, new: int) -> None:
    """No setuid or setgid changes hands, and another group may do what everybody may."""
    needs_root()
    path = qwen.file("answer", "old")
    path.chmod(old)
    os.chown(qwen.cwd, NOBODY, NOBODY)
    api.answer(reply(completion("new")))
    assert qwen("ask", "-o", "answer", "hi", script=AS_NOBODY).status == 0
    assert path.stat().st_uid == NOBODY
    assert mode_of(path) == new


RECORDING = """
import os, sys
from qwen_cli.__main__ import run

def record(event, arguments):
    if event in ("open", "os.rename", "os.remove") and ".qwen-cli-" in str(arguments):
        with open("events", "a") as events:
            names = [name for name in os.listdir(".") if name.startswith(".qwen-cli-")]
            modes = [oct(os.stat(name).st_mode & 0o777) for name in names]
            print(event, *modes, file=events)
        if os.environ.get("SIGNAL"):
            os.kill(os.getpid(), int(os.environ["SIGNAL"]))

sys.addaudithook(record)
run()
"""
"""Writes down each system call about its temporary file, and which ones there are, and sends itself a signal."""


def recorded(qwen: Program, *arguments: str, signal_number: int = 0, secret: str = KEY) -> tuple[Result, list[str]]:
    """A run under that watch, and what it did."""
    script = f"ulimit -c 0; shift 3; exec '{sys.executable}' -c '{RECORDING}' \"$@\""
    env = {"SIGNAL": str(int(signal_number)) if signal_number else None}
    result = qwen(*arguments, script=script, env=env, secret=secret)
    events = qwen.cwd / "events"
    found = events.read_text().splitlines() if events.exists() else []
    events.unlink(missing_ok=True)
    return result, found


def by_name(value: object) -> str:
    """A signal by its name, anything else as it is, in the id of a test."""
    return value.name if isinstance(value, signal.Signals) else str(value)


ENDING = [signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGALRM, signal.SIGXCPU, signal.SIGABRT]


@pytest.mark.parametrize(
    ("option", "number"),
    [*(("-o", number) for number in ENDING), ("--save", signal.SIGTERM), ("--chat", signal.SIGTERM)],
    ids=by_name,
)
def test_a_signal_while_the_file_is_replaced_comes_after_that(
    qwen: Program, api: ApiServer, option: str, number: signal.Signals
) -> None:
    """The file is replaced wholly, then the process dies of the signal; nothing else is there."""
    qwen.file("answer", "" if option == "--chat" else "old")
    api.always(reply(completion("new")))
    result, events = recorded(qwen, "ask", option, "answer", "hi", signal_number=number)
    assert result.status == 128 + number
    assert [event.split()[0] for event in events] == ["open", "os.rename"]
    (content,) = qwen.files().values()
    assert b"new" in content


@pytest.mark.parametrize(
    ("command", "number"),
    [
        *(("ask --chat new", number) for number in ENDING),
        *((command, signal.SIGTERM) for command in ("ask -o new", "ask --save new", "ask --cache new", "map -o {}")),
    ],
    ids=by_name,
)
def test_a_signal_while_the_model_is_at_work_leaves_nothing(
    qwen: Program, api: ApiServer, command: str, number: signal.Signals
) -> None:
    api.always((SILENCE,))
    with qwen.start(*command.split(), "hi", input="x\n", script='ulimit -c 0; exec "$@"') as running:
        api.wait_for_requests()
        assert not any("tmp" in path.name for path in qwen.cwd.rglob("*"))
        running.send(number)
        assert running.finish().status == 128 + number
    assert not any(path.is_file() for path in qwen.cwd.rglob("*"))


def test_a_kill_while_the_model_is_at_work_leaves_nothing(qwen: Program, api: ApiServer) -> None:
    api.always((SILENCE,))
    with qwen.start("ask", "-o", "new", "--save", "receipt", "hi") as running:
        api.wait_for_requests()
        running.send(signal.SIGKILL)
        assert running.finish().status == 137
    assert qwen.files() == {}


def test_what_replaces_a_private_file_is_private_all_the_time(qwen: Program, api: ApiServer) -> None:
    qwen.file("answer", "old").chmod(0o600)
    api.answer(reply(completion("new")))
    result, events = recorded(qwen, "ask", "-o", "answer", "hi")
    assert result.status == 0
    assert [event.split() for event in events] == [["open"], ["os.rename", "0o600"]]


# The file itself, as `-o`, the cache and others use it.


@pytest.mark.parametrize("name", ["a\0b", "a\ud800b"])
def test_a_name_that_no_file_can_have_is_reported(name: str) -> None:
    for use in (check_replaceable, lambda name: replace_file(name, b"")):
        with pytest.raises(LocalError, match="not a file name"):
            use(name)


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LocalError, match="No space left"):
        replace_file(str(tmp_path / "file"), b"new")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"old"}


def test_what_is_written_has_reached_the_disk_before_it_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power cut there is the old file or the new one, never an empty one."""
    sync, replace = os.fsync, os.replace
    done: list[str] = []

    def record_sync(descriptor: int) -> None:
        done.append(f"{os.fstat(descriptor).st_size} bytes are on the disk")
        sync(descriptor)

    def record_replace(source: str, target: str) -> None:
        done.append(f"{Path(target).name} is replaced")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", record_sync)
    monkeypatch.setattr(os, "replace", record_replace)
    (tmp_path / "file").write_bytes(b"old")
    replace_file(str(tmp_path / "file"), b"new content")
    assert done == ["11 bytes are on the disk", "file is replaced"]
    assert (tmp_path / "file").read_bytes() == b"new content"
