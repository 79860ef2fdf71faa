"""Help: plain text, in groups, within 80 columns."""

import pytest

from qwen_cli.sandbox.faults import FAULTS
from tests.declared import options
from tests.program import Program

COMMANDS = ("ask", "stream", "json", "cost", "check", "map", "filter", "models", "key", "sandbox")


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
    result = qwen.call(*command, flag)
    assert (result.status, result.stderr) == (0, "")
    assert result.text.startswith(" ".join(["Usage: qwen-cli", *command]))
    assert max(len(line) for line in result.text.splitlines()) <= 80
    assert not set("│╭─\x1b") & set(result.text)


@pytest.mark.parametrize("command", ["ask", "stream", "json", "cost"])
def test_options_stand_in_groups_and_examples_at_the_end(qwen: Program, command: str) -> None:
    text = qwen.call(command, "--help").text
    places = [
        text.index(f"\n{title}:\n") for title in ("Prompt", "Model and sampling", "Output", "Sending", "Examples")
    ]
    assert places == sorted(places)
    assert "[default: alibaba/qwen3.6-35b-a3b]" in text
    assert "QWEN_CLI_MAX_TOKENS" in text
    assert "AIMLAPI_BASE_URL" in text


@pytest.mark.parametrize("command", [(), ("ask",), ("key", "set")], ids=" ".join)
def test_help_as_a_command_is_the_same(qwen: Program, command: tuple[str, ...]) -> None:
    assert qwen.call("help", *command).stdout == qwen.call(*command, "--help").stdout


def test_the_help_of_ask_fits_on_two_screens(qwen: Program) -> None:
    assert len(qwen.call("ask", "--help").text.splitlines()) <= 80


def test_help_uses_the_width_of_the_terminal(qwen: Program) -> None:
    assert max(len(line) for line in qwen.call("ask", "-h", env={"COLUMNS": "120"}).text.splitlines()) > 80


@pytest.mark.parametrize("columns", ["78", "80", "100", "120"])
def test_no_command_in_a_text_is_broken_at_its_hyphen(qwen: Program, columns: str) -> None:
    for command in ("check", "cost", "json", "map"):
        text = qwen.call(command, "--help", env={"COLUMNS": columns}).text.partition("Examples:")[0]
        assert not [line for line in text.splitlines() if line.endswith(("qwen-", " --"))]


def test_every_fault_is_listed(qwen: Program) -> None:
    text = " ".join(qwen.call("sandbox", "--help").text.split())
    assert ", ".join(FAULTS) in text


ASKING = ("ask", "stream", "json", "cost")


class TestHelp:
    @pytest.mark.parametrize("command", [*ASKING, "key set", "key status", "key delete", "sandbox"])
    def test_of_a_command_lists_every_option_and_goes_to_standard_output(self, qwen: Program, command: str) -> None:
        result = qwen.call(*command.split(), "--help")
        assert (result.status, result.stderr) == (0, "")
        for option in options(*command.split()):
            flag = max(option.opts, key=len)
            assert (f"--[no-]{flag.removeprefix('--')} " if option.secondary_opts else flag) in result.text

    def test_of_the_program_lists_every_command(self, qwen: Program) -> None:
        result = qwen.call("-h")
        assert (result.status, result.stderr) == (0, "")
        assert all(f"  {name} " in result.text for name in COMMANDS)
