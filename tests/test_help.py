"""Help and usage errors: plain text, in groups, and the nearest suggestion."""

import pytest

from qwen_cli.key.redaction import without_keys
from qwen_cli.sandbox.faults import FAULTS
from tests.program import KEY, Program

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
    assert qwen.call("help", *command).stdout == qwen(*command, "--help").stdout


def test_a_bare_prompt_gets_the_command_line_that_works(qwen: Program) -> None:
    assert "did you mean: qwen-cli ask 'What is 2+2?'" in qwen.call("What is 2+2?").message


def test_what_key_set_is_given_as_an_argument_is_not_shown(qwen: Program) -> None:
    assert "hunter2" not in qwen.call("key", "set", "hunter2").message


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


@pytest.mark.parametrize(
    ("words", "suggestion"),
    [
        (["assk", "hi"], "did you mean ask?"),
        (["ask", "--temprature", "1", "hi"], "did you mean --temperature?"),
        (["ask", "--no-logprob", "hi"], "did you mean --no-logprobs?"),
        (["key", "sett"], "did you mean set?"),
        (["ask", "--json", "hi"], "did you mean 'qwen-cli json'?"),
        (["ask", "--stream", "hi"], "did you mean 'qwen-cli stream'?"),
        (["ask", "- item"], "no such option: -; put -- before a prompt that begins with '-'"),
        (["ask", "-5 degrees"], "put -- before a prompt that begins with '-'"),
        (["ask", "--verbose is what?"], "put -- before a prompt that begins with '-'"),
        (["help", "xyzzy"], "no such command: xyzzy; the commands are"),
        (["xyzzy"], f"the commands are {', '.join(COMMANDS)}; to use it as a prompt: qwen-cli ask xyzzy (see"),
        (["key", "xyzzy"], "the commands are set, status, delete (see"),
        (["version"], "no such command: version; did you mean --version?"),
        (["ask", "--version"], "did you mean 'qwen-cli --version'?"),
        (["--model", "x", "ask", "hi"], "no such option: --model; put it after the command: qwen-cli ask --model"),
        (["-q", "map"], "put it after the command: qwen-cli ask -q"),
        (["--jsonl", "map"], "put it after the command: qwen-cli map --jsonl"),
        (["key", "--base-url", "x"], "put it after the command: qwen-cli key set --base-url"),
        (["--verison"], "did you mean --version?"),
        (["key", "status", "now"], "key status takes no arguments (see"),
        (["ask", "--temp", "1", "hi"], "did you mean --temperature? (see"),
        (["map", "--max", "1"], "did you mean --max-usd or --max-tokens? (see"),
        (["ask", "--shcema", "x", "hi"], "did you mean --schema? (see"),
        (["ask", "--max_tokens", "9", "hi"], "did you mean --max-tokens? (see"),
        (["ask", "--api-key", "x", "hi"], "store it with 'qwen-cli key set' (see"),
        (["ask", "--continue", "hi"], "--chat FILE (see"),
        (["ask", "-c", "hi"], "--chat FILE (see"),
        (["ask", "--role", "x", "hi"], "did you mean --system? (see"),
        (["ask", "--no-stream", "hi"], "ask does not stream (see"),
        (["ask", "--option", "seed", "1"], "did you mean -F KEY=VALUE? (see"),
        (["ask", "--list-models"], "'qwen-cli models' lists them (see"),
        (["chat"], "'qwen-cli ask --chat FILE PROMPT' (see"),
        (["logs", "list"], "--chat FILE keeps a conversation, --save FILE a response (see"),
        (["run", "llama3", "hi"], "qwen-cli ask -m MODEL PROMPT (see"),
        (["prompt", "Who are you?"], "did you mean: qwen-cli ask 'Who are you?' (see"),
        (["mdoels"], "did you mean models? (see"),
        (["keys"], "did you mean key? (see"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_mistyped_gets_the_nearest_suggestion(qwen: Program, words: list[str], suggestion: str) -> None:
    result = qwen.call(*words)
    assert (result.status, result.stdout) == (2, b"")
    assert suggestion in result.message
    assert "--help'" in result.message


@pytest.mark.parametrize("flag", ["--no", "--xyz", "--color", "--tempo-rature", "--s", "--histoty"])
def test_what_nobody_can_have_meant_gets_no_suggestion(qwen: Program, flag: str) -> None:
    assert qwen.call("ask", flag, "hi").message == f"no such option: {flag} (see 'qwen-cli ask --help')"


@pytest.mark.parametrize("words", [["ask", "hi", "--model"], ["ask", "-m"]], ids=" ".join)
def test_a_missing_value_is_reported_as_a_wrong_one_is(qwen: Program, words: list[str]) -> None:
    assert qwen.call(*words).message == "--model: its value is missing (see 'qwen-cli ask --help')"


@pytest.mark.parametrize("command", [["ask", "hi"], ["key", "status"]], ids=" ".join)
def test_a_bad_base_url_is_reported_as_any_wrong_value_is(qwen: Program, command: list[str]) -> None:
    message = qwen.call(*command, "--base-url", "localhost:8080").message
    assert message.startswith("--base-url: ")
    assert message.endswith(f"(see 'qwen-cli {' '.join(command).removesuffix(' hi')} --help')")


HEX_KEY = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"


@pytest.mark.parametrize("key", [KEY, HEX_KEY], ids=["a key that begins with sk-", "a key of digits and letters"])
@pytest.mark.parametrize(
    "words",
    [
        ["KEY"],
        ["KEY", "hi"],
        ["help", "KEY"],
        ["key", "KEY"],
        ["key", "set", "KEY"],
        ["key", "set", "--key=KEY"],
        ["key", "set", "--KEY"],
        ["ask", "--temperature", "KEY"],
        ["ask", "--messages", '[{"role": "user", "content": "a long text", KEY'],
        ["ask", "--logit-bias", "KEY=500"],
        ["ask", "--field", "KEY"],
        ["ask", "--request-id", "KEY KEY"],
        ["ask", "--verbose=KEY"],
        ["ask", "--base-url", "http://KEY/v1", "hi"],
        ["ask", "-f", "KEY"],
        ["ask", "--schema", "KEY"],
        ["cost", "--saved", "KEY"],
        ["sandbox", "--fault", "KEY"],
    ],
    ids=" ".join,
)
def test_an_argument_that_looks_like_a_key_is_not_shown(qwen: Program, words: list[str], key: str) -> None:
    result = qwen.call(*(word.replace("KEY", key) for word in words))
    assert result.status in (2, 7)
    assert key[4:16].casefold() not in result.message.casefold()


@pytest.mark.parametrize("words", [["ask", "--temperature", HEX_KEY], ["sandbox", "--", HEX_KEY]], ids=" ".join)
def test_a_process_does_not_show_it_either(qwen: Program, words: list[str]) -> None:
    result = qwen(*words)
    assert result.status in (2, 127)
    assert HEX_KEY not in result.message


@pytest.mark.parametrize(
    "name",
    [
        "alibaba/qwen3.6-35b-a3b",
        "Qwen3-235B-A22B-Instruct-2507",
        "task-list",
        f"{HEX_KEY}.json",
        f"/store/{HEX_KEY}/notes",
        "--presence-penalty",
        "meeting-notes-2026-11-24-afternoon",
    ],
)
def test_what_only_resembles_a_key_is_shown(name: str) -> None:
    assert without_keys(f"cannot read {name}: it is gone") == f"cannot read {name}: it is gone"
