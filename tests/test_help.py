"""Help and usage errors: plain text, in groups, and the nearest suggestion."""

import pytest

from qwen_cli.sandbox.faults import FAULTS
from tests.program import Program

COMMANDS = ("ask", "stream", "json", "cost", "key", "sandbox")


def test_alone_it_prints_the_short_help_on_standard_error_and_ends_with_2(qwen: Program) -> None:
    result = qwen()
    assert (result.status, result.stdout) == (2, b"")
    assert all(f"  {command} " in result.stderr for command in COMMANDS)


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize(
    "command",
    [(), *((command,) for command in COMMANDS), ("key", "set"), ("key", "status"), ("key", "delete")],
    ids=lambda command: " ".join(command) or "the program",
)
def test_help_fits_80_columns_and_is_plain(qwen: Program, command: tuple[str, ...], flag: str) -> None:
    result = qwen(*command, flag)
    assert (result.status, result.stderr) == (0, "")
    assert result.text.startswith(" ".join(["Usage: qwen-cli", *command]))
    assert max(len(line) for line in result.text.splitlines()) <= 80
    assert not set("│╭─\x1b") & set(result.text)


@pytest.mark.parametrize("command", ["ask", "stream", "json", "cost"])
def test_options_stand_in_groups_and_examples_at_the_end(qwen: Program, command: str) -> None:
    text = qwen(command, "--help").text
    places = [
        text.index(f"\n{title}:\n") for title in ("Prompt", "Model and sampling", "Output", "Sending", "Examples")
    ]
    assert places == sorted(places)
    assert "[default: alibaba/qwen3.6-35b-a3b]" in text
    assert "QWEN_CLI_MAX_TOKENS" in text
    assert "AIMLAPI_BASE_URL" in text


@pytest.mark.parametrize("command", [(), ("ask",), ("key", "set")], ids=" ".join)
def test_help_as_a_command_is_the_same(qwen: Program, command: tuple[str, ...]) -> None:
    assert qwen("help", *command).stdout == qwen(*command, "--help").stdout


def test_a_bare_prompt_gets_the_command_line_that_works(qwen: Program) -> None:
    assert "did you mean: qwen-cli ask 'What is 2+2?'" in qwen("What is 2+2?").message


def test_what_key_set_is_given_as_an_argument_is_not_shown(qwen: Program) -> None:
    assert "hunter2" not in qwen("key", "set", "hunter2").message


def test_help_uses_the_width_of_the_terminal(qwen: Program) -> None:
    assert max(len(line) for line in qwen("ask", "-h", env={"COLUMNS": "120"}).text.splitlines()) > 80


def test_every_fault_is_told(qwen: Program) -> None:
    text = " ".join(qwen("sandbox", "--help").text.split())
    assert ", ".join(FAULTS) in text


@pytest.mark.parametrize(
    ("words", "suggestion"),
    [
        (["assk", "hi"], "did you mean ask?"),
        (["ask", "--temprature", "1", "hi"], "did you mean --temperature?"),
        (["ask", "--no-logprob", "hi"], "did you mean --no-logprobs?"),
        (["key", "sett"], "did you mean set?"),
        (["xyzzy"], "there are ask, stream, json, cost, key, sandbox"),
    ],
    ids=["a command", "an option", "the other half of a switch", "a command of a group", "nothing near"],
)
def test_what_is_mistyped_gets_the_nearest_suggestion(qwen: Program, words: list[str], suggestion: str) -> None:
    result = qwen(*words)
    assert (result.status, result.stdout) == (2, b"")
    assert suggestion in result.message
    assert "--help'" in result.message
