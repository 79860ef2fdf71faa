"""Variables: every option has one, the flag wins, and one that is no option's is named."""

import json
from collections.abc import Sequence

import click
import pytest

from qwen_cli.cli.options import variable
from tests.api_server import ApiServer, reply
from tests.bodies import completion
from tests.declared import options
from tests.program import Program

ASKING = ("ask", "stream", "json", "cost")

COMMAND_LINE_ONLY = {
    "--stream",
    "--saved",
    "--period",
    "--balance",
    "--estimate",
    "--json",
    "--fault",
    "--rate",
    "--help",
    "--choice",
}
"""What says which job is done, not how: a variable of it would change the meaning of every call."""


def long_flag(option: click.Option) -> str | None:
    """The name that its variable follows from; None where it has but one letter."""
    return next((flag for flag in option.opts if flag.startswith("--")), None)


def variables(option: click.Option) -> Sequence[str]:
    """The names of the variables that an option is read from."""
    names = option.envvar or ()
    return [names] if isinstance(names, str) else names


@pytest.mark.parametrize("command", [*ASKING, "key set", "key status", "key delete", "sandbox"])
def test_every_option_has_its_variable(command: str) -> None:
    for option in options(*command.split()):
        flag = long_flag(option)
        if flag is None:
            assert not variables(option)
        elif flag in COMMAND_LINE_ONLY:
            assert not variables(option), flag
        else:
            assert variable(flag) in variables(option), flag


def test_a_variable_is_named_after_its_flag() -> None:
    assert variable("--temperature") == "QWEN_CLI_TEMPERATURE"
    assert variable("--top-p") == "QWEN_CLI_TOP_P"
    assert variable("--logprobs/--no-logprobs") == "QWEN_CLI_LOGPROBS"


SET = {
    "QWEN_CLI_MODEL": "another",
    "QWEN_CLI_MAX_TOKENS": "7",
    "QWEN_CLI_TEMPERATURE": "0.5",
    "QWEN_CLI_TOP_P": "0.9",
    "QWEN_CLI_STOP": "one two",
    "QWEN_CLI_SEED": "3",
    "QWEN_CLI_LOGIT_BIAS": "42=1",
    "QWEN_CLI_LOGPROBS": "true",
    "QWEN_CLI_TOP_LOGPROBS": "2",
    "QWEN_CLI_REASONING_EFFORT": "low",
    "QWEN_CLI_PARALLEL_TOOL_CALLS": "0",
    "QWEN_CLI_FIELD": "top_k=5",
    "QWEN_CLI_SYSTEM": "Be brief.",
    "QWEN_CLI_DRY_RUN": "1",
}

SENT = {
    "model": "another",
    "stream": False,
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}],
    "max_tokens": 7,
    "temperature": 0.5,
    "top_p": 0.9,
    "stop": "one two",
    "seed": 3,
    "logit_bias": {"42": 1},
    "logprobs": True,
    "top_logprobs": 2,
    "reasoning_effort": "low",
    "parallel_tool_calls": False,
    "top_k": 5,
}


def test_variables_say_what_their_flags_would(qwen: Program) -> None:
    assert json.loads(qwen("ask", "hi", env=SET).text) == SENT


def test_the_flag_wins_over_its_variable(qwen: Program) -> None:
    flags = ("-t", "1", "--stop", "a", "--no-logprobs", "-F", "top_logprobs=null", "-m", "third", "-F", "top_k=6")
    sent = json.loads(qwen.call("ask", *flags, "hi", env=SET).text)
    assert sent == SENT | {
        "temperature": 1,
        "stop": "a",
        "logprobs": False,
        "top_logprobs": None,
        "model": "third",
        "top_k": 6,
    }


def test_an_empty_variable_counts_as_unset(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello.")))
    names = {name for option in options("ask") for name in variables(option)} - {"AIMLAPI_BASE_URL"}
    result = qwen.call("ask", "hi", env=dict.fromkeys(names, ""))
    assert (result.status, result.text, result.stderr) == (0, "Hello.\n", "")
    assert set(api.request.json) == {"model", "messages", "stream"}


def test_the_variable_of_a_switch_that_is_no_yes_or_no_is_named(qwen: Program) -> None:
    result = qwen.call("ask", "hi", env={"QWEN_CLI_DRY_RUN": "perhaps"})
    assert result.status == 2
    assert result.message == "QWEN_CLI_DRY_RUN: set it to 1 or 0 (see 'qwen-cli ask --help')"


MISSPELT = {"QWEN_CLI_TEMPRATURE": "1"}


@pytest.mark.parametrize(
    "arguments", [("ask", "hi"), ("stream", "hi", "--dry-run"), ("cost", "--balance")], ids=" ".join
)
def test_a_misspelt_variable_gets_one_note_with_the_nearest_name(
    qwen: Program, api: ApiServer, arguments: tuple[str, ...]
) -> None:
    if arguments == ("ask", "hi"):
        api.answer(reply(completion("Hello.")))
    elif "--balance" in arguments:
        api.answer(reply({"current_balance": 1.5, "currency": "USD"}))
    result = qwen.call(*arguments, env=MISSPELT)
    assert result.status == 0
    assert result.message == "unknown variable QWEN_CLI_TEMPRATURE; did you mean QWEN_CLI_TEMPERATURE?"


def test_a_variable_near_to_none_is_named_without_a_suggestion(qwen: Program) -> None:
    result = qwen.call("ask", "--dry-run", "hi", env={"QWEN_CLI_XYZZY": "1"})
    assert (result.status, result.message) == (0, "unknown variable QWEN_CLI_XYZZY")


@pytest.mark.parametrize("name", ["QWEN_CLI_API_KEY", "QWEN_CLI_KEY", "QWEN_CLI_TOKEN"])
def test_a_key_in_the_wrong_variable_is_led_to_the_right_one(qwen: Program, name: str) -> None:
    """The nearest name of an option would be the opposite, `QWEN_CLI_NO_KEY`."""
    message = qwen.call("ask", "--dry-run", "hi", env={name: "sk-a-key-of-somebody"}).message
    assert message == f"unknown variable {name}; did you mean AIMLAPI_API_KEY?"


def test_no_variable_is_noted_with_q_or_where_nothing_is_asked(qwen: Program) -> None:
    assert qwen.call("ask", "-q", "--dry-run", "hi", env=MISSPELT).stderr == ""
    assert qwen.call("--version", env=MISSPELT).stderr == ""
    assert qwen.call("ask", "--help", env=MISSPELT).stderr == ""


def test_the_variable_of_another_command_gets_no_note(qwen: Program) -> None:
    assert qwen.call("cost", "--dry-run", "hi", env={"QWEN_CLI_SHOW": "both"}).stderr == ""


def test_the_own_variable_of_the_base_url_wins_over_the_providers(qwen: Program, api: ApiServer) -> None:
    env = {"AIMLAPI_BASE_URL": "http://127.0.0.1:9/v1", "QWEN_CLI_BASE_URL": api.base_url}
    api.answer(reply(completion()))
    assert qwen.call("ask", "hi", env=env).status == 0


def test_a_flag_overrules_the_variable_of_its_rival(qwen: Program) -> None:
    result = qwen.call(
        "ask", "--dry-run", "-s", "flag", "hi", env={"QWEN_CLI_SYSTEM_FILE": "gone", "QWEN_CLI_CURL": "1"}
    )
    assert (result.status, result.stderr) == (0, "")
    assert json.loads(result.text)["messages"][0]["content"] == "flag"


def test_a_reasoning_flag_overrules_the_variable_of_show(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello.", reasoning="Hm.")))
    assert qwen.call("ask", "-r", "hi", env={"QWEN_CLI_SHOW": "both"}).text == "Hm.\n"
