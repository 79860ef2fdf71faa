"""`--version` is one line, however the program is started."""

import pytest

from qwen_cli import __version__
from tests.program import Program


@pytest.mark.parametrize("arguments", [("--version",), ("-V",), ("ask", "--help"), ("--help",)], ids=" ".join)
def test_the_installed_command_and_the_module_are_the_same(qwen: Program, arguments: tuple[str, ...]) -> None:
    module = qwen(*arguments)
    command = qwen(*arguments, script='shift 3; exec qwen-cli "$@"')
    assert (module.status, module.stderr) == (command.status, command.stderr) == (0, "")
    assert module.stdout == command.stdout


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_the_version_is_one_line(qwen: Program, flag: str) -> None:
    result = qwen(flag)
    assert (result.status, result.text, result.stderr) == (0, f"qwen-cli {__version__}\n", "")


def test_the_version_may_come_among_other_words(qwen: Program) -> None:
    result = qwen("--version", "ask", "hi")
    assert (result.status, result.text) == (0, f"qwen-cli {__version__}\n")
