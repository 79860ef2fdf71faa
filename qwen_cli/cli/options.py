"""Every option, declared once: flag, variable, limits, help."""

from collections.abc import Mapping
from typing import Any

import click
import typer

from qwen_cli.cli import option_types as types
from qwen_cli.endpoint import DEFAULT_BASE_URL
from qwen_cli.request.field_limits import (
    IMAGE_DETAILS,
    MODEL,
    NAME,
    REASONING_EFFORTS,
    RESPONSE_FORMATS,
    STOP_SEQUENCES,
    TOOL_CHOICES,
)

VARIABLE_PREFIX = "QWEN_CLI_"


def variable(flag: str) -> str:
    """The variable of a flag: `--top-p` -> `QWEN_CLI_TOP_P`."""
    return VARIABLE_PREFIX + flag.removeprefix("--").partition("/")[0].replace("-", "_").upper()


def _option(
    *flags: str,
    help: str,  # noqa: A002 -- Typer's own word
    type: "click.ParamType[Any] | None" = None,  # noqa: A002
    default: str | None = None,
    variables: tuple[str, ...] = (),
    from_variable: bool = True,
) -> Any:
    """Declare an option; its variable follows from its long flag.

    `default` is shown in help only: an option that is not given is not sent.
    """
    long = next((flag for flag in flags if flag.startswith("--")), None)
    own = (variable(long),) if long and from_variable else ()
    return typer.Option(
        ...,
        *flags,
        help=f"{help} [default: {default}]" if default else help,
        click_type=type,
        envvar=[*own, *variables] or None,
        show_default=False,
        show_envvar=False,
    )


def _number(*flags: str, help: str) -> Any:  # noqa: A002
    """Declare an option for a numeric request field, whose range the limits know by the field's name."""
    long = next(flag for flag in flags if flag.startswith("--"))
    kind = types.Number.of_field(long.removeprefix("--").replace("-", "_"))
    limits = f"{kind.lowest:g} or more" if kind.highest is None else f"{kind.lowest:g}…{kind.highest:g}"
    return _option(*flags, help=f"{help} ({limits})", type=kind)


def _panel(name: str, **options: Any) -> Mapping[str, Any]:
    """The options that help shows under one heading."""
    for option in options.values():
        option.rich_help_panel = name
    return options


OPTIONS: Mapping[str, Any] = {
    **_panel(
        "Cost",
        saved=_option("--saved", from_variable=False, help="Add up the responses saved in these files"),
        period=_option(
            "--period", from_variable=False, type=types.Period(), help="Print what this key spent, by model"
        ),
        balance=_option("--balance", from_variable=False, help="Print what is left on the account"),
        estimate=_option("--estimate", from_variable=False, help="Print an upper bound, without asking the model"),
    ),
    **_panel(
        "Items",
        parallel=_option(
            "-P",
            "--parallel",
            type=types.Number(1, 256, whole=True),
            help="Send N requests at once (1…256)",
            default="8",
        ),
        null=_option("-0", "--null", from_variable=False, help="End items with NUL, in input and output"),
        jsonl=_option("--jsonl", from_variable=False, help="Read JSON objects; {name} is a member"),
        csv=_option("--csv", from_variable=False, help="Read a table; {name} is a column"),
        inverted=_option("--not", from_variable=False, help="Print the items for which the answer is no"),
        records=_option("--json", from_variable=False, help="Print one JSON object per item"),
        fail_fast=_option("--fail-fast", help="Stop at the first failure"),
        max_usd=_option("--max-usd", type=types.Number(0.000001, None), help="Send no more once X USD are spent"),
    ),
    **_panel(
        "Prompt",
        file=_option("-f", "--file", type=types.Path(may_be_stdin=True), help="Add FILE to the prompt (repeatable)"),
        prompt_file=_option("--prompt-file", type=types.Path(), help="Read the prompt from FILE; skip a #! line"),
        no_stdin=_option("-n", "--no-stdin", help="Do not read standard input"),
        system=_option("-s", "--system", type=types.Text(), help="Add a system message"),
        system_file=_option("--system-file", type=types.Path(), help="Read the system message from FILE"),
        image=_option(
            "-i",
            "--image",
            type=types.Path("image", may_be_stdin=True),
            help="Add a JPEG, PNG, GIF or WEBP (repeatable)",
        ),
        image_detail=_option(
            "--image-detail", type=types.Choice(IMAGE_DETAILS), help="Set how closely images are examined"
        ),
        messages=_option("--messages", type=types.Json("messages"), help="Start with these earlier messages"),
        chat=_option("--chat", type=types.Path("json"), help="Continue the conversation in FILE"),
    ),
    **_panel(
        "Model and sampling",
        model=_option("-m", "--model", type=types.ModelId(), default=MODEL, help="Use ID"),
        max_tokens=_number("--max-tokens", help="Limit tokens, reasoning included"),
        temperature=_number("-t", "--temperature", help="Set the sampling temperature"),
        top_p=_number("--top-p", help="Set the nucleus sampling threshold"),
        stop=_option("--stop", type=types.Text(), help=f"Stop before this text (up to {STOP_SEQUENCES} times)"),
        seed=_number("--seed", help="Seed the sampling"),
        frequency_penalty=_number("--frequency-penalty", help="Penalise frequent tokens"),
        presence_penalty=_number("--presence-penalty", help="Penalise tokens used before"),
        logit_bias=_option("--logit-bias", type=types.LogitBias(), help="Bias tokens; also JSON, @FILE (repeatable)"),
        logprobs=_option("--logprobs/--no-logprobs", help="Request log probabilities"),
        top_logprobs=_number("--top-logprobs", help="Add the N likeliest; needs --logprobs"),
        reasoning_effort=_option(
            "--reasoning-effort", type=types.Choice(REASONING_EFFORTS), help="Set the reasoning effort"
        ),
        response_format=_option(
            "--response-format",
            type=types.Json("response_format", RESPONSE_FORMATS),
            help="Set the format of the answer",
        ),
        schema=_option("--schema", type=types.Schema(), help="Require JSON that fits this schema"),
        choice=_option(
            "--choice", from_variable=False, type=types.Text(), help="Require one of these answers (repeatable)"
        ),
        tools=_option("--tools", type=types.Json("tools"), help="Offer these functions to the model"),
        tool_choice=_option(
            "--tool-choice", type=types.Json("tool_choice", TOOL_CHOICES, names=NAME), help="Select the tool to call"
        ),
        parallel_tool_calls=_option(
            "--parallel-tool-calls/--no-parallel-tool-calls", help="Allow several tool calls at once"
        ),
        prediction=_option("--prediction", type=types.Text(), help="Send the expected answer, for speed"),
        prediction_file=_option("--prediction-file", type=types.Path(), help="Read the expected answer from a file"),
        include_usage=_option("--include-usage/--no-include-usage", help="Request usage in streams", default="yes"),
        field=_option("-F", "--field", type=types.Field(), help="Set another field, JSON or text (repeatable)"),
    ),
    **_panel(
        "Output",
        json=_option("--json", from_variable=False, help="Print one JSON object"),
        stream=_option("--stream", from_variable=False, help="Print each chunk on a line as it arrives"),
        pretty=_option("--pretty/--no-pretty", help="Render Markdown, or indent JSON", default="on a terminal"),
        show=_option(
            "--show",
            type=types.Choice(("content", "reasoning", "both", "calls")),
            help="Select what to print",
            default="content",
        ),
        reasoning=_option("-r", help="Same as --show reasoning"),
        code=_option("-x", "--code", help="Print only the first fenced code block"),
        no_newline=_option("--no-newline", help="Do not add a final newline"),
        reask=_option(
            "--reask", type=types.Number(0, 100, whole=True), help="Ask again for a fitting answer", default="0"
        ),
        allow_incomplete=_option("--allow-incomplete", help="Exit 0 even if the answer is incomplete"),
        usage=_option("-u", "--usage", help="Print token usage and cost to stderr"),
        output=_option("-o", "--output", type=types.Path(), help="Write to FILE once the result is complete"),
        save=_option("--save", type=types.Path(), help="Also write the raw response to FILE"),
        verbose=_option("-v", "--verbose", help="Print request, status, ids and timings"),
        quiet=_option("-q", "--quiet", help="Print no notes and no progress"),
    ),
    **_panel(
        "Sending",
        base_url=_option(
            "--base-url",
            type=types.BaseUrl(),
            variables=("AIMLAPI_BASE_URL",),
            help="Use this API [env: AIMLAPI_BASE_URL]",
            default=DEFAULT_BASE_URL,
        ),
        timeout=_option("--timeout", type=types.Seconds(), help="Limit the time without data", default="600"),
        connect_timeout=_option(
            "--connect-timeout", type=types.Seconds(), help="Limit the time to connect", default="10"
        ),
        retries=_option(
            "--retries", type=types.Number(0, 100, whole=True), help="Retry transient failures", default="2"
        ),
        request_id=_option("--request-id", type=types.RequestId(), help="Send ID as X-Client-Request-Id"),
        no_key=_option("--no-key", help="Send no API key; allow http to any host"),
        cache=_option("--cache", type=types.Path("folder"), help="Keep answers in DIR and reuse them"),
        cache_only=_option("--cache-only", help="Send nothing; fail if DIR has no answer"),
        dry_run=_option("--dry-run", help="Print the request body; send nothing"),
        curl=_option("--curl", help="Print a curl command; send nothing"),
    ),
    **_panel(
        "Sandbox",
        fault=_option(
            "--fault",
            from_variable=False,
            type=types.Fault(),
            help="Simulate a failure (repeatable): 429, 500, 503, slow, cut, garbage, length, invalid, "
            "fenced, think, noformat",
        ),
        rate=_option(
            "--rate",
            from_variable=False,
            type=types.Number(0.01, 1_000_000, metavar="N"),
            help="Allow N requests a second; answer 429 beyond",
        ),
    ),
}
"""Name of a parameter of a command, or of a field of a group -> the option that sets it, in the order of help."""


EXCLUSIVE = (
    ("stream", "cache"),
    ("stream", "cache_only"),
    ("system", "system_file"),
    ("messages", "chat"),
    ("response_format", "schema", "choice"),
    ("choice", "code"),
    ("prediction", "prediction_file"),
    ("show", "reasoning"),
    ("dry_run", "curl"),
    ("null", "csv"),
    ("jsonl", "csv"),
    ("saved", "period", "balance", "estimate"),
)
"""Mutually exclusive options."""

_YES_OR_NO = dict.fromkeys(("response_format", "schema", "choice"), "the answer is yes or no")
_READS_ITEMS = {"no_stdin": "the items are read from standard input"}

NOT_TAKEN: Mapping[str, Mapping[str, str]] = {
    "stream": {
        "reask": "an answer that is already printed cannot be taken back",
        **dict.fromkeys(("cache", "cache_only"), "a stream is not kept"),
    },
    "json": {"reask": "a response that is already printed cannot be taken back"},
    "cost": dict.fromkeys(("cache", "cache_only"), "an answer from the cache costs nothing"),
    "check": _YES_OR_NO,
    "map": _READS_ITEMS,
    "filter": {**_YES_OR_NO, **_READS_ITEMS, "records": "the items are printed as they came"},
}
"""Command -> options that it does not take, though others like it do, and why."""
