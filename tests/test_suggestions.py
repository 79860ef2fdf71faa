"""What is not understood gets one line, and the nearest suggestion where it is likely right."""

import pytest

from qwen_cli.cli.commands import COMMANDS
from tests.program import Program


def test_a_bare_prompt_gets_the_command_line_that_works(qwen: Program) -> None:
    assert "did you mean: qwen-cli ask 'What is 2+2?'" in qwen.call("What is 2+2?").message


@pytest.mark.parametrize(
    ("words", "suggestion"),
    [
        (["assk", "hi"], "did you mean ask?"),
        (["ask", "--temprature", "1", "hi"], "no such option: --temprature; did you mean --temperature?"),
        (["ask", "--no-logprob", "hi"], "did you mean --no-logprobs?"),
        (["key", "sett"], "no such command: sett; did you mean set?"),
        (["ask", "--json", "hi"], "did you mean 'qwen-cli json'?"),
        (["ask", "--stream", "hi"], "did you mean 'qwen-cli stream'?"),
        (["ask", "- item"], "no such option: -; put -- before a prompt that begins with '-'"),
        (["ask", "-5 degrees"], "put -- before a prompt that begins with '-'"),
        (["ask", "--verbose is what?"], "put -- before a prompt that begins with '-'"),
        (["help", "xyzzy"], "no such command: xyzzy; the commands are"),
        (["xyzzy"], f"the commands are {', '.join(COMMANDS)}; to use it as a prompt: qwen-cli ask xyzzy (see"),
        (["-"], "to use it as a prompt: qwen-cli ask - (see"),
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
        (["ask", "--api_key", "x", "hi"], "store it with 'qwen-cli key set' (see"),
        (["ask", "--key", "x", "hi"], "store it with 'qwen-cli key set' (see"),
        (["ask", "--top", "1", "hi"], "did you mean --top-p or --top-logprobs? (see"),
        (["filter", "--json", "hi"], "the items are printed as they came (see"),
        (["ask", "--role", "x", "hi"], "did you mean --system? (see"),
        (["ask", "--no-stream", "hi"], "ask does not stream (see"),
        (["ask", "--option", "seed", "1"], "did you mean -F KEY=VALUE? (see"),
        (["ask", "--list-models"], "'qwen-cli models' lists them (see"),
        (["chat"], "'qwen-cli ask --chat FILE PROMPT' (see"),
        (["logs", "list"], "--chat FILE keeps a conversation, --save FILE a response (see"),
        (["run", "llama3", "hi"], "qwen-cli ask -m MODEL PROMPT (see"),
        (["key", "st"], "did you mean status? (see"),
        (["prompt"], "did you mean: qwen-cli ask (see"),
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


@pytest.mark.parametrize(
    "words",
    [
        ["stream", "--stream"],
        ["sandbox", "--url"],
        ["filter", "-c"],
        ["models", "--continue"],
        ["key", "set", "--attach"],
    ],
    ids=" ".join,
)
def test_no_command_is_offered_an_option_that_it_does_not_take(qwen: Program, words: list[str]) -> None:
    *command, flag = words
    assert qwen.call(*words).message == f"no such option: {flag} (see 'qwen-cli {' '.join(command)} --help')"


@pytest.mark.parametrize("words", [["ask", "hi", "--model"], ["ask", "-m"]], ids=" ".join)
def test_a_missing_value_is_reported_as_a_wrong_one_is(qwen: Program, words: list[str]) -> None:
    assert qwen.call(*words).message == "--model: its value is missing (see 'qwen-cli ask --help')"


@pytest.mark.parametrize("command", [["ask", "hi"], ["key", "status"]], ids=" ".join)
def test_a_bad_base_url_is_reported_as_any_wrong_value_is(qwen: Program, command: list[str]) -> None:
    message = qwen.call(*command, "--base-url", "localhost:8080").message
    assert message.startswith("--base-url: ")
    assert message.endswith(f"(see 'qwen-cli {' '.join(command).removesuffix(' hi')} --help')")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("ask", "-Z", "hi"), "no such option: -Z"),
        (("aks", "hi"), "no such command: aks; did you mean ask?"),
        (("cost", "--dry-run=1"), "--dry-run: it takes no value"),
        (("sandbox", "--rate", "0"), "--rate: '0' is out of range: expected a number from 0.01 to 1000000"),
        (("key", "set", "sk-123"), "key set takes no arguments"),
        (("stream", "--reask", "2", "hi"), "no such option: --reask; an answer that is already printed cannot be"),
        (("check", "--schema=s.json", "hi"), "no such option: --schema; the answer is yes or no"),
        (("map", "-n", "hi"), "no such option: -n; the items are read from standard input"),
        (("stream", "--cache", "d", "hi"), "no such option: --cache; a stream is not kept"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_not_understood_is_reported_in_one_line_with_a_hint(
    qwen: Program, arguments: tuple[str, ...], part: str
) -> None:
    result = qwen.call(*arguments)
    assert (result.status, result.stdout) == (2, b"")
    assert part in result.message
    assert "--help'" in result.message
