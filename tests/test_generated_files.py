"""The generated files are what the declarations say, and the shells can read them."""

import re
from pathlib import Path
from subprocess import run

import pytest

from scripts import ROOT
from scripts.generate import drifted, generate, main
from tests.program import require_tool

NAMES = ("completions/qwen-cli.bash", "completions/_qwen-cli", "completions/qwen-cli.fish", "man/qwen-cli.1")


def test_the_committed_files_are_in_step_with_the_options() -> None:
    """Otherwise: python -m scripts.generate"""
    assert list(drifted(ROOT)) == []


def test_completions_and_manual_are_generated() -> None:
    assert set(generate()) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_was_changed_by_hand_is_found(tmp_path: Path, name: str) -> None:
    for each, text in generate().items():
        (tmp_path / each).parent.mkdir(exist_ok=True)
        (tmp_path / each).write_text(text)
    assert list(drifted(tmp_path)) == []
    with (tmp_path / name).open("a") as file:
        file.write("# by hand\n")
    assert list(drifted(tmp_path)) == [name]


def test_a_missing_file_is_found(tmp_path: Path) -> None:
    assert set(drifted(tmp_path)) == set(NAMES)


def test_a_check_that_finds_something_says_so_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("scripts.generate.ROOT", tmp_path)
    assert main(["--check"]) == 1
    said = capsys.readouterr().err
    assert all(f"{name} is out of step" in said for name in NAMES)
    assert not list(tmp_path.iterdir())


def test_what_is_written_passes_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.generate.ROOT", tmp_path)
    assert main([]) == 0
    assert main(["--check"]) == 0


@pytest.mark.parametrize(
    ("shell", "name"), [("bash", NAMES[0]), ("zsh", NAMES[1]), ("fish", NAMES[2])], ids=["bash", "zsh", "fish"]
)
def test_the_shell_can_parse_its_script(shell: str, name: str) -> None:
    done = run([require_tool(shell), "-n", ROOT / name], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", NAMES[:3])
def test_no_script_names_an_interpreter(name: str) -> None:
    """What Tab runs is the shell alone; the real shells are watched elsewhere."""
    code = [line for line in (ROOT / name).read_text().splitlines() if not line.lstrip().startswith("#")]
    assert not re.search(r"python|\(qwen-cli\b", "\n".join(code))
