"""`-o` over files that are more than a name: mounts, attributes, owners, ACLs; and what a signal leaves of it."""

import os
import re
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from qwen_cli.errors import LocalError
from qwen_cli.output.file_replacement import AtomicFile
from tests.api_server import SILENCE, ApiServer, reply
from tests.bodies import completion
from tests.program import Program, require_tool

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


def acl_of(path: Path) -> list[str]:
    shown = subprocess.run(["getfacl", "-cp", path], capture_output=True, text=True, check=True).stdout
    return [line.partition("\t")[0] for line in shown.splitlines() if line]


def set_acl(*arguments: str | Path) -> None:
    require_tool("getfacl")
    if subprocess.run([require_tool("setfacl"), *arguments], capture_output=True, check=False).returncode:
        pytest.skip("this file system knows no ACL")


@pytest.fixture
def mounted(qwen: Program) -> Iterator[Path]:
    """A file that is mounted, as `docker run -v FILE:FILE` does it."""
    needs_root()
    path = qwen.file("mounted", "what an empty file is mounted over")
    (qwen.home.parent / "outside").write_text("old and longer than the new")
    command = ["mount", "--bind", str(qwen.home.parent / "outside"), str(path)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not permitted here")
    yield path
    subprocess.run(["umount", path], check=True)


class TestMountedFile:
    """It cannot be renamed over, and is written in place once the answer is complete."""

    def test_gets_a_complete_answer(self, qwen: Program, api: ApiServer, mounted: Path) -> None:
        api.answer(reply(completion("new")))
        result = qwen("ask", "-o", "mounted", "hi")
        assert (result.status, result.stderr) == (0, "")
        assert (qwen.home.parent / "outside").read_text() == "new\n"
        assert list(qwen.cwd.iterdir()) == [mounted]

    def test_keeps_its_content_when_the_answer_is_incomplete(
        self, qwen: Program, api: ApiServer, mounted: Path
    ) -> None:
        api.answer(reply(completion("new", finish_reason="length")))
        result = qwen("ask", "-o", "mounted", "hi")
        assert (result.status, result.text) == (8, "new\n")
        assert mounted.read_text() == "old and longer than the new"
        assert list(qwen.cwd.iterdir()) == [mounted]

    def test_may_be_in_a_folder_that_cannot_be_written(self, qwen: Program, api: ApiServer, mounted: Path) -> None:
        mounted.chmod(0o666)
        api.answer(reply(completion("new")))
        assert qwen("ask", "-o", "mounted", "hi", script=AS_NOBODY).stderr == ""
        assert mounted.read_text() == "new\n"


@pytest.mark.parametrize("attribute", ["a", "i"], ids=["append-only", "immutable"])
def test_an_attribute_that_forbids_it_is_found_out_before_anything_is_sent(
    qwen: Program, api: ApiServer, attribute: str
) -> None:
    path = qwen.file("answer", "old")
    if subprocess.run([require_tool("chattr"), f"+{attribute}", path], capture_output=True, check=False).returncode:
        pytest.skip("this file system knows no such attribute")
    try:
        result = qwen("ask", "-o", "answer", "hi")
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


def test_a_folder_that_is_not_there_is_no_file(qwen: Program, api: ApiServer) -> None:
    result = qwen("ask", "-o", "newdir/", "hi")
    assert (result.status, api.requests, qwen.files()) == (7, [], {})
    assert result.message == "cannot write newdir/: Is a directory"


@pytest.mark.parametrize(
    ("number", "script"),
    [
        ("99999999999", 'exec "$@"'),
        ("9" * 3000, 'exec "$@"'),
        ("9", 'exec "$@"'),
        ("9", 'exec "$@" 9</dev/null'),
        ("1", 'exec "$@" >&-'),
    ],
    ids=["too large", "absurd", "not open", "open for reading", "closed standard output"],
)
def test_a_descriptor_that_cannot_be_written_is_found_out_before_anything_is_sent(
    qwen: Program, api: ApiServer, number: str, script: str
) -> None:
    result = qwen("ask", "-o", f"/dev/fd/{number}", "hi", script=script)
    assert (result.status, api.requests) == (7, [])
    assert "Bad file descriptor" in result.message


def test_no_descriptor_of_its_own_is_taken_for_the_callers(qwen: Program, api: ApiServer) -> None:
    """The connection that is dialled ahead is such a one."""
    for number in range(3, 12):
        result = qwen("ask", "-o", f"/dev/fd/{number}", "hi")
        assert (result.status, api.requests) == (7, []), number


# Permissions.


def test_a_default_acl_rules_a_new_file(qwen: Program, api: ApiServer) -> None:
    set_acl("-d", "-m", "u:nobody:rw,g::-,o::-", qwen.cwd)
    api.answer(reply(completion("new")))
    assert qwen("ask", "-o", "answer", "hi", script='umask 0; exec "$@"').status == 0
    ordinary = qwen.file("ordinary")
    assert acl_of(qwen.cwd / "answer") == acl_of(ordinary)
    assert "other::---" in acl_of(ordinary)


def test_a_default_acl_does_not_touch_an_old_file(qwen: Program, api: ApiServer) -> None:
    path = qwen.file("answer", "old")
    path.chmod(0o664)
    set_acl("-d", "-m", "u:nobody:rw", qwen.cwd)
    api.answer(reply(completion("new")))
    assert qwen("ask", "-o", "answer", "hi").status == 0
    assert acl_of(path) == ["user::rw-", "group::rw-", "other::r--"]


def test_the_acl_of_an_old_file_is_kept(qwen: Program, api: ApiServer) -> None:
    path = qwen.file("answer", "old")
    path.chmod(0o600)
    set_acl("-m", "u:nobody:r", path)
    before = acl_of(path)
    api.answer(reply(completion("new")))
    assert qwen("ask", "-o", "answer", "hi").status == 0
    assert (path.read_text(), acl_of(path)) == ("new\n", before)


@pytest.mark.parametrize("mode", [0o640, 0o4755, 0o2750], ids=oct)
def test_owner_and_mode_of_an_old_file_are_kept(qwen: Program, api: ApiServer, mode: int) -> None:
    needs_root()
    path = qwen.file("answer", "old")
    os.chown(path, 1234, 4321)
    path.chmod(mode)
    api.answer(reply(completion("new")))
    assert qwen("ask", "-o", "answer", "hi").status == 0
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


def test_what_replaces_a_private_file_is_private_all_the_time(qwen: Program, api: ApiServer) -> None:
    qwen.file("answer", "old").chmod(0o600)
    api.answer((SILENCE,))
    with qwen.start("ask", "-o", "answer", "hi", script='umask 0; exec "$@"') as running:
        api.wait_for_requests()
        assert [mode_of(path) for path in qwen.cwd.iterdir()] == [0o600, 0o600]
        running.send(signal.SIGTERM)
        running.finish()


# Signals.

KILLED_AT_A_CALL = """
import os, signal, sys
from qwen_cli.__main__ import run

def kill(event, arguments, left=[int(os.environ["EVENTS"])]):
    if ".qwen-cli-" in str(arguments):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), int(os.environ["SIGNAL"]))

sys.addaudithook(kill)
run()
"""
"""Sends itself a signal just before the Nth system call about its temporary file."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT], ids=lambda number: number.name)
@pytest.mark.parametrize("events", [1, 2, 3])
def test_a_signal_at_any_point_leaves_no_temporary_file(
    qwen: Program, api: ApiServer, events: int, number: signal.Signals
) -> None:
    qwen.file("answer", "old")
    api.always(reply(completion("new")))
    script = f"ulimit -c 0; shift 3; exec '{sys.executable}' -c '{KILLED_AT_A_CALL}' \"$@\""
    variables = {"EVENTS": str(events), "SIGNAL": str(int(number))}
    result = qwen("ask", "-o", "answer", "hi", script=script, env=variables)
    assert (result.status, result.stderr) in ((128 + number, ""), (0, ""))
    assert list(qwen.files()) == ["answer"]
    if events == 1:
        assert (result.status, qwen.files()) == (128 + number, {"answer": b"old"})


MANY_THREADS = """
import os, signal, sys, threading, time
from qwen_cli.output.file_replacement import AtomicFile

def write(number):
    for count in range(10**6):
        with AtomicFile(f"{number}-{count % 10}") as file:
            file.write(b"x")
            file.commit()

AtomicFile("0-0").discard()
for number in range(8):
    threading.Thread(target=write, args=(number,), daemon=True).start()
time.sleep(0.1)
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(60)
"""


def test_a_signal_leaves_no_temporary_file_of_many_threads(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", MANY_THREADS], cwd=tmp_path, check=False, timeout=20)
    assert ended.returncode == -signal.SIGTERM
    names = [path.name for path in tmp_path.iterdir()]
    assert names
    assert all(re.fullmatch(r"\d-\d", name) for name in names)


# The file itself, as map, the cache and others use it.


def test_many_threads_replace_one_file_and_one_of_them_wins(tmp_path: Path) -> None:
    def replace(content: bytes) -> None:
        with AtomicFile(str(tmp_path / "file")) as file:
            file.write(content)
            file.commit()

    threads = [threading.Thread(target=replace, args=(bytes([number]) * 1000,)) for number in range(1, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set((tmp_path / "file").read_bytes())) == 1
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_without_commit_nothing_has_happened(tmp_path: Path) -> None:
    with suppress(KeyError), AtomicFile(str(tmp_path / "file")) as file:
        file.write(b"half")
        raise KeyError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a\0b", "a\ud800b"])
def test_a_name_that_no_file_can_have_is_reported(name: str) -> None:
    with pytest.raises(LocalError, match="not a file name"):
        AtomicFile(name)


@pytest.mark.parametrize("name", ["answer", "copy"])
def test_an_answer_is_not_lost_when_a_file_cannot_be_put_in_its_place_after_all(
    qwen: Program, api: ApiServer, name: str
) -> None:
    """It was paid for: it goes to standard output, and the status says that a file was not written."""
    asked = threading.Event()
    api.answer((asked, *reply(completion("Hello."))))
    with qwen.start("ask", "-o", "answer", "--save", "copy", "hi") as running:
        api.wait_for_requests()
        (qwen.cwd / name).mkdir()
        asked.set()
        result = running.finish()
    assert (result.status, result.text) == (7, "Hello.\n")
    assert name in result.message
    assert not (qwen.cwd / "answer").is_file()
