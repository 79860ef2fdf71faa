"""Every option is held to its limits, has its variable, and is in the help of its command."""

import pytest

from qwen_cli.cli.commands import run_command
from qwen_cli.cli.options import EXCLUSIVE
from qwen_cli.errors import InvalidUsage
from tests.declared import options

ASKING = ("ask", "stream", "json", "cost")

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
    "null": ["--null"],
    "jsonl": ["--jsonl"],
    "csv": ["--csv"],
}


@pytest.mark.usefixtures("loopback")
@pytest.mark.parametrize("rivals", EXCLUSIVE, ids=" ".join)
def test_options_that_exclude_each_other_are_named_together(rivals: tuple[str, ...]) -> None:
    command = {"saved": "cost", "stream": "json", "null": "map", "jsonl": "map"}.get(rivals[0], "ask")
    given = [word for name in rivals for word in VALUES[name]]
    with pytest.raises(InvalidUsage, match="cannot be combined") as refused:
        run_command([command, *given])
    assert all(VALUES[name][0] in str(refused.value) for name in rivals)


def test_the_key_is_never_an_option() -> None:
    for command in (*ASKING, "key set", "key status", "key delete", "sandbox"):
        flags = [flag for option in options(*command.split()) if not option.is_flag for flag in option.opts]
        assert not [flag for flag in flags if "key" in flag.lower()]
