"""Files that are read: what is no text, what is not there, and what has no end."""

import json
import os
import shlex
import subprocess

import pytest

from tests.bodies import completion
from tests.dry_run import refused
from tests.program import WITHOUT_PRIVILEGE, Program


class TestNoText:
    """What is no text ends with 7, one line and nothing sent."""

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"abc\xff", "not UTF-8: byte 0xff at offset 3"),
            ("é".encode() + b"\xc3", "not UTF-8: byte 0xc3 at offset 2"),
            (b"\xed\xa0\x80", "not UTF-8: byte 0xed at offset 0"),
            ("é\0".encode(), "NUL byte at offset 2"),
        ],
    )
    def test_the_file_and_the_byte_offset_are_named(self, qwen: Program, content: bytes, reason: str) -> None:
        qwen.file("odd.txt", content)
        for flag in ("-f", "--system-file", "--prediction-file"):
            message = refused(qwen, 7, flag, "odd.txt", "hi")
            assert message.startswith("odd.txt ")
            assert reason in message

    @pytest.mark.parametrize("encoding", ["windows-1252", "utf-16"])
    def test_the_command_that_is_named_converts_the_file(self, qwen: Program, encoding: str) -> None:
        path = qwen.file("it's old.txt", "café".encode(encoding))
        advice = refused(qwen, 7, "-f", path, "hi").split("; ")[1]
        command = shlex.split(advice.removeprefix("'").removesuffix("' converts it, if that is its encoding"))
        assert subprocess.check_output(command, text=True) == "café"

    def test_words_are_held_to_the_same(self, qwen: Program) -> None:
        message = refused(qwen, 7, os.fsdecode(b"caf\xe9"))
        assert message.startswith("the prompt is not UTF-8: byte 0xe9 at offset 3")
        message = refused(qwen, 7, "-s", os.fsdecode(b"caf\xe9"), "hi")
        assert "-s" in message
        assert "offset 3" in message

    @pytest.mark.parametrize("flag", ["-f", "--system-file", "--prediction-file", "-i", "--schema"])
    def test_a_missing_file_and_a_directory_are_named(self, qwen: Program, flag: str) -> None:
        (qwen.cwd / "folder").mkdir()
        assert refused(qwen, 7, flag, "gone", "hi") == "cannot read gone: No such file or directory"
        assert refused(qwen, 7, flag, "folder", "hi") == "cannot read folder: Is a directory"

    def test_a_forbidden_file_is_named(self, qwen: Program) -> None:
        qwen.file("secret", "x").chmod(0)
        result = qwen("ask", "-f", "secret", "hi", script=WITHOUT_PRIVILEGE)
        assert (result.status, result.message) == (7, "cannot read secret: Permission denied")

    def test_a_file_that_fails_to_read_is_named(self, qwen: Program) -> None:
        assert refused(qwen, 7, "-f", "/proc/self/mem", "hi") == "cannot read /proc/self/mem: Input/output error"

    def test_a_name_that_no_file_can_have_is_refused(self, qwen: Program) -> None:
        assert "too long" in refused(qwen, 7, "-f", "x" * 300, "hi")
        assert "--file" in refused(qwen, 2, "-f", "", "hi")

    def test_a_device_without_end_stops_at_the_limit(self, qwen: Program) -> None:
        result = qwen.call("ask", "-i", "/dev/zero", "hi")
        assert result.status == 7
        assert "larger than 64 MiB" in result.message


NO_TEXT = os.fsdecode(b"caf\xe9")
"""An argument or a file name in Latin-1, as Python hands it over."""


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_a_file_may_have_any_name(qwen: Program, locale: str) -> None:
    qwen.file(NO_TEXT, json.dumps(completion("Hello.")))
    env = {"LANG": locale}
    assert qwen.call("cost", "--saved", NO_TEXT, env=env).status == 0
    assert qwen.call("ask", "--dry-run", "-f", NO_TEXT, "-o", f"{NO_TEXT}.json", "hi", env=env).status == 0
    assert f"{NO_TEXT}.json" in qwen.files()
