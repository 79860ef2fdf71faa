"""The manual page: complete, true to the declarations, and clean."""

import os
import re
from subprocess import run

import click
import pytest

from qwen_cli.cli.commands import COMMANDS
from qwen_cli.cli.help_texts import EXAMPLES
from qwen_cli.errors import QwenError
from qwen_cli.key.redaction import VARIABLES
from scripts import ROOT
from scripts.declarations import read_commands
from scripts.manual import PROSE, render
from tests.declared import ALL_PATHS, flags, options
from tests.program import require_tool

PAGE = ROOT / "man/qwen-cli.1"

SECTIONS = [
    "NAME",
    "SYNOPSIS",
    "DESCRIPTION",
    "COMMANDS",
    "OPTIONS",
    "ENVIRONMENT",
    "FILES",
    "EXIT STATUS",
    "EXAMPLES",
    "SEE ALSO",
]


def shown(*, width: int = 200) -> str:
    """The page as mandoc shows it, without overstriking, in ASCII."""
    command = [require_tool("mandoc"), "-T", "ascii", "-O", f"width={width}", str(PAGE)]
    done = run(command, capture_output=True, text=True, check=True)
    return re.sub(".\b", "", done.stdout)


def test_lint_finds_nothing() -> None:
    done = run([require_tool("mandoc"), "-T", "lint", PAGE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_groff_has_no_complaints() -> None:
    """As `man` shows it, at 80 columns."""
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "MANWIDTH": "80"}
    command = [require_tool("man"), "--warnings", "-l", str(PAGE)]
    done = run(command, capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "qwen-cli ask" in done.stdout


def test_sections_stand_in_the_customary_order() -> None:
    assert re.findall(r"^\.Sh (.*)$", PAGE.read_text(), re.MULTILINE) == SECTIONS


@pytest.mark.parametrize("path", ALL_PATHS, ids=lambda path: " ".join(path) or "alone")
def test_every_option_is_there(path: tuple[str, ...]) -> None:
    """Its flags, its value and its help."""
    lines = [" ".join(line.split()) for line in shown(width=1000).splitlines()]
    for option in options(*path):
        head = ", ".join([*sorted(option.opts, key=len), *option.secondary_opts])
        places = [i for i, line in enumerate(lines) if re.match(rf"{re.escape(head)}( |$)", line)]
        assert places, head
        if not option.is_flag:
            context = click.Context(click.Command("any"))
            assert lines[places[0]].startswith(f"{head} {option.type.get_metavar(option, context)}")
        help_ = (option.help or "").partition(" [")[0].rstrip(".").replace("…", "...")
        assert any(help_[1:] in f"{lines[place]} {lines[place + 1]}" for place in places), head


@pytest.mark.parametrize("path", re.findall("@details (.+)@", PROSE.read_text()))
def test_what_help_says_of_a_command_is_there_word_for_word(path: str) -> None:
    assert read_commands()[path].details in " ".join(shown(width=1000).split())


def test_no_flag_is_named_that_does_not_exist() -> None:
    known = {flag for path in ALL_PATHS for option in options(*path) for flag in flags(option)}
    text = shown(width=1000).partition("\nEXAMPLES")[0]
    named = set(re.findall(r"(?<![\w-])--?[A-Za-z][\w-]*", text))
    assert named
    assert named <= known


def test_commands_variables_and_statuses_are_there() -> None:
    text = shown()
    for name in (*COMMANDS, *(f"key {name}" for name in COMMANDS["key"])):
        assert re.search(rf"^ +{name}\b", text, re.MULTILINE), name
    for variable in (*VARIABLES, "AIMLAPI_BASE_URL"):
        assert variable in text
    statuses = text.partition("\nEXIT STATUS")[2].partition("\nEXAMPLES")[0]
    for status in (0, 1, *(error.status for error in QwenError.__subclasses__())):
        assert re.search(rf"^ +{status} +[A-Z].*\.", statuses, re.MULTILINE), status


def test_every_example_can_be_pasted() -> None:
    """Quotes and dashes are the ASCII ones, no line is cut or filled."""
    lines = {line.strip() for line in shown(width=60).splitlines()}
    for example in {line for lines in EXAMPLES.values() for line in lines}:
        assert example in lines


@pytest.mark.parametrize("call", ["@options Sending@", "@command stream@", "@examples qwen-cli cost@"])
def test_prose_that_leaves_something_out_is_refused(call: str) -> None:
    prose = PROSE.read_text()
    assert call in prose
    with pytest.raises(ValueError, match="leaves out"):
        render(read_commands(), prose.replace(call, ""))
