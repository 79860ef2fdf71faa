"""Every option is held to its limits, has its variable, and is in the help of its command."""

import json
from collections.abc import Sequence

import click
import pytest

from qwen_cli.cli.commands import COMMANDS, run_command
from qwen_cli.cli.options import EXCLUSIVE, variable
from qwen_cli.errors import InvalidUsage
from tests.api_server import ApiServer, reply
from tests.bodies import completion
from tests.declared import options
from tests.program import KEY, Program

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


MALFORMED: dict[str, list[tuple[str, str]]] = {
    "--max-tokens": [("0", "at least 1"), ("-5", "at least 1"), ("1.5", "whole"), ("many", "whole"), ("", "whole")],
    "--temperature": [("-0.1", "from 0 to 2"), ("2.01", "from 0 to 2"), ("nan", "from 0 to 2"), ("hot", "from 0 to 2")],
    "--top-p": [("0", "from 0.01 to 1"), ("0.009", "from 0.01 to 1"), ("1.1", "from 0.01 to 1"), ("inf", "number")],
    "--seed": [("0", "at least 1"), ("1.0", "whole"), ("1_000", "whole"), ("0x10", "whole"), ("٣", "whole")],
    "--frequency-penalty": [("-2.1", "from -2 to 2"), ("2.1", "from -2 to 2"), ("1e999", "from -2 to 2")],
    "--presence-penalty": [("-3", "from -2 to 2"), ("3", "from -2 to 2"), ("1,5", "from -2 to 2")],
    "--top-logprobs": [("-1", "from 0 to 20"), ("21", "from 0 to 20"), ("2.5", "whole")],
    "--logit-bias": [
        ("42=101", "from -100 to 100"),
        ("42=-100.1", "from -100 to 100"),
        ("42=x", "from -100 to 100"),
        ('{"42": "1"}', "number"),
        ('{"42": true}', "number"),
        ('{"42": 101}', "100"),
        ("{", "not JSON"),
        ("42", "TOKEN=BIAS"),
    ],
    "--reasoning-effort": [("none", "low, medium, high"), ("HIGH", "low, medium, high"), ("", "low, medium, high")],
    "--response-format": [
        ("xml", "json_object"),
        ("{", "json_object"),
        ("null", "null"),
        ('{"type":"xml"}', "json_object"),
        ('{"type":"json_schema","json_schema":{"name":"a b"}}', "{1,64}"),
        ('{"type":"text","strict":true}', "'strict' was unexpected"),
        ("[]", '"object"'),
    ],
    "--tools": [
        ("weather", "JSON"),
        ("NaN", "JSON"),
        ("[", "JSON"),
        ("null", "null"),
        ("{}", '"array"'),
        ("[1]", '"object"'),
        ('[{"type":"function"}]', "function"),
    ],
    "--tool-choice": [("a b", "required"), ("x" * 65, "required"), ("{}", "type"), ("[]", '"object"')],
    "--messages": [
        ("hi", "JSON"),
        ('["\\ud800"]', "surrogate"),
        ("null", "null"),
        ("{}", '"array"'),
        ("[1]", '"object"'),
        ('[{"role":"wizard","content":"x"}]', "not one of"),
        ('[{"role":"user"}]', "content"),
        ('[{"role":"tool","content":"x"}]', "tool_call_id"),
    ],
    "--base-url": [("ftp://localhost", "http"), ("localhost", "http"), ("http://u:p@localhost/v1", "user name")],
    "--image-detail": [("ultra", "low, high, auto")],
    "--field": [("x", "KEY=VALUE"), ("=1", "KEY=VALUE"), ("model=x", "model")],
    "--show": [("all", "content, reasoning, both")],
    "--timeout": [("0", "above 0"), ("-1", "above 0"), ("1e9", "1000000"), ("soon", "seconds"), ("nan", "seconds")],
    "--connect-timeout": [("0", "above 0"), ("x", "seconds")],
    "--retries": [("-1", "from 0 to 100"), ("101", "from 0 to 100"), ("1.5", "whole")],
    "--request-id": [("a b", "1 to 128"), ("x" * 129, "1 to 128")],
    "--model": [("", "empty")],
    "--file": [("", "empty")],
    "--image": [("", "empty")],
    "--system-file": [("", "empty")],
    "--schema": [("", "empty")],
    "--prediction-file": [("", "empty")],
    "--output": [("", "empty")],
    "--period": [
        ("93d", "92d"),
        ("2209h", "92d"),
        ("0d", "92d"),
        ("7", "24h or 7d"),
        ("7w", "24h or 7d"),
        ("-1d", "92d"),
    ],
}
"""Flag -> values that are none, and a word of the limit that the message has to name."""

WITH_VARIABLE = {flag: [case for case in listed if case[0]] for flag, listed in MALFORMED.items() if flag != "--period"}
"""Without the empty value: an empty variable counts as unset."""


def cases(table: dict[str, list[tuple[str, str]]]) -> "list[pytest.ParameterSet]":
    """Each value of the table as a test of its own."""
    return [pytest.param(flag, *case, id=f"{flag}={case[0][:30]}") for flag in table for case in table[flag]]


@pytest.mark.parametrize(
    ("flag", "value", "limit"),
    [*cases(MALFORMED), pytest.param("--image", "http://example.org/a.png", "https:", id="an image by plain http")],
)
def test_a_value_that_is_none_names_flag_and_limit_and_sends_nothing(
    qwen: Program, api: ApiServer, flag: str, value: str, limit: str
) -> None:
    result = qwen.call(*malformed(flag, value))
    assert (result.status, result.stdout) == (2, b"")
    assert flag in result.message
    assert limit in result.message
    assert not api.requests


def malformed(flag: str, value: str) -> list[str]:
    """A command line with that value."""
    return ["cost", f"{flag}={value}"] if flag == "--period" else ["ask", f"{flag}={value}", "hi"]


@pytest.mark.parametrize(("flag", "value"), [("--temperature", "hot"), ("--tools", "{}"), ("--period", "7w")])
def test_a_process_says_the_same(qwen: Program, api: ApiServer, flag: str, value: str) -> None:
    result = qwen(*malformed(flag, value))
    assert (result.status, result.stdout, result.message) == (2, b"", qwen.call(*malformed(flag, value)).message)
    assert not api.requests


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment in which nothing can be sent anywhere, for the commands within this process."""
    monkeypatch.setenv("AIMLAPI_API_KEY", KEY)
    monkeypatch.setenv("AIMLAPI_BASE_URL", "http://127.0.0.1:9/v1")
    return monkeypatch


@pytest.mark.parametrize(("flag", "value", "limit"), cases(WITH_VARIABLE))
def test_a_variable_that_is_none_is_named(loopback: pytest.MonkeyPatch, flag: str, value: str, limit: str) -> None:
    loopback.setenv(variable(flag), value)
    with pytest.raises(InvalidUsage) as refused:
        run_command(["ask", "--dry-run", "-n", "hi"])
    assert str(refused.value).startswith(f"{variable(flag)}: ")
    assert limit in str(refused.value)


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
    result = qwen("ask", "hi", env=dict.fromkeys(names, ""))
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


def test_no_variable_is_noted_with_q_or_where_nothing_is_asked(qwen: Program) -> None:
    assert qwen.call("ask", "-q", "--dry-run", "hi", env=MISSPELT).stderr == ""
    assert qwen("--version", env=MISSPELT).stderr == ""
    assert qwen.call("ask", "--help", env=MISSPELT).stderr == ""


def test_the_variable_of_another_command_gets_no_note(qwen: Program) -> None:
    assert qwen.call("cost", "--dry-run", "hi", env={"QWEN_CLI_SHOW": "both"}).stderr == ""


def test_the_own_variable_of_the_base_url_wins_over_the_providers(qwen: Program, api: ApiServer) -> None:
    env = {"AIMLAPI_BASE_URL": "http://127.0.0.1:9/v1", "QWEN_CLI_BASE_URL": api.base_url}
    api.answer(reply(completion()))
    assert qwen("ask", "hi", env=env).status == 0


VALUES = {
    "system": ["--system", "x"],
    "system_file": ["--system-file", "x"],
    "messages": ["--messages", '[{"role": "user", "content": "x"}]'],
    "chat": ["--chat", "x"],
    "response_format": ["--response-format", "text"],
    "schema": ["--schema", "x"],
    "choice": ["--choice", "x"],
    "code": ["--code"],
    "prediction": ["--prediction", "x"],
    "prediction_file": ["--prediction-file", "x"],
    "show": ["--show", "both"],
    "reasoning": ["-r"],
    "dry_run": ["--dry-run"],
    "curl": ["--curl"],
    "stream": ["--stream"],
    "cache": ["--cache", "x"],
    "cache_only": ["--cache-only"],
    "saved": ["--saved"],
    "period": ["--period", "7d"],
    "balance": ["--balance"],
    "estimate": ["--estimate"],
}


@pytest.mark.usefixtures("loopback")
@pytest.mark.parametrize("rivals", EXCLUSIVE, ids=" ".join)
def test_options_that_exclude_each_other_are_named_together(rivals: tuple[str, ...]) -> None:
    command = {"saved": "cost", "stream": "json"}.get(rivals[0], "ask")
    given = [word for name in rivals for word in VALUES[name]]
    with pytest.raises(InvalidUsage, match="cannot be combined") as refused:
        run_command([command, *given])
    assert all(VALUES[name][0] in str(refused.value) for name in rivals)


def test_a_flag_overrules_the_variable_of_its_rival(qwen: Program) -> None:
    result = qwen.call(
        "ask", "--dry-run", "-s", "flag", "hi", env={"QWEN_CLI_SYSTEM_FILE": "gone", "QWEN_CLI_CURL": "1"}
    )
    assert (result.status, result.stderr) == (0, "")
    assert json.loads(result.text)["messages"][0]["content"] == "flag"


def test_a_reasoning_flag_overrules_the_variable_of_show(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello.", reasoning="Hm.")))
    assert qwen.call("ask", "-r", "hi", env={"QWEN_CLI_SHOW": "both"}).text == "Hm.\n"


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("ask", "--temprature", "1", "hi"), "no such option: --temprature; did you mean --temperature?"),
        (("ask", "-Z", "hi"), "no such option: -Z"),
        (("aks", "hi"), "no such command: aks; did you mean ask?"),
        (("key", "sett"), "no such command: sett; did you mean set?"),
        (("ask", "hi", "--model"), "--model: its value is missing"),
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


def test_the_key_is_never_an_option() -> None:
    for command in (*ASKING, "key set", "key status", "key delete", "sandbox"):
        flags = [flag for option in options(*command.split()) if not option.is_flag for flag in option.opts]
        assert not [flag for flag in flags if "key" in flag.lower()]


class TestHelp:
    @pytest.mark.parametrize("command", [*ASKING, "key set", "key status", "key delete", "sandbox"])
    def test_of_a_command_lists_every_option_and_goes_to_standard_output(self, qwen: Program, command: str) -> None:
        result = qwen.call(*command.split(), "--help")
        assert (result.status, result.stderr) == (0, "")
        for option in options(*command.split()):
            flag = max(option.opts, key=len)
            assert (f"--[no-]{flag.removeprefix('--')} " if option.secondary_opts else flag) in result.text

    def test_of_the_program_lists_every_command(self, qwen: Program) -> None:
        result = qwen("-h")
        assert (result.status, result.stderr) == (0, "")
        assert all(f"  {name} " in result.text for name in COMMANDS)
