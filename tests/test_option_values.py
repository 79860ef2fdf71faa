"""Every value of an option is held to its limits, which a message names with the flag or the variable."""

import pytest

from qwen_cli.cli.commands import run_command
from qwen_cli.cli.options import variable
from qwen_cli.errors import InvalidUsage
from tests.api_server import ApiServer
from tests.program import Program

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


@pytest.mark.parametrize(("flag", "value", "limit"), cases(WITH_VARIABLE))
def test_a_variable_that_is_none_is_named(loopback: pytest.MonkeyPatch, flag: str, value: str, limit: str) -> None:
    loopback.setenv(variable(flag), value)
    with pytest.raises(InvalidUsage) as refused:
        run_command(["ask", "--dry-run", "-n", "hi"])
    assert str(refused.value).startswith(f"{variable(flag)}: ")
    assert limit in str(refused.value)
