"""Every option, declared once: flag, variable, limits, help, field name.

A class of options is a group of parameters; its field names are the names on the wire where there is a wire. It is a
named tuple, since a frozen dataclass takes four times as long to make at every start.
`gathering` spreads the groups of a command into the flat signature that Typer reads, and gathers them on the call.
"""

import inspect
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple, TypeVar, get_type_hints

import click
import typer

from qwen_cli import option_types as types
from qwen_cli.endpoint import DEFAULT_BASE_URL
from qwen_cli.errors import InvalidUsage
from qwen_cli.limits import (
    IMAGE_DETAILS,
    MODEL,
    NAME,
    REASONING_EFFORTS,
    RESPONSE_FORMATS,
    STOP_SEQUENCES,
    TOOL_CHOICES,
)

PROMPT = "Prompt"
SAMPLING = "Model and sampling"
OUTPUT = "Output"
SENDING = "Sending"
COST = "Cost"
SANDBOX = "Sandbox"

R = TypeVar("R")


def variable(flag: str) -> str:
    """The variable of a flag: `--top-p` -> `QWEN_CLI_TOP_P`."""
    return "QWEN_CLI_" + flag.removeprefix("--").partition("/")[0].replace("-", "_").upper()


def option(
    *flags: str,
    panel: str,
    help: str,  # noqa: A002 -- Typer's own word
    type: "click.ParamType[Any] | None" = None,  # noqa: A002
    default: str | None = None,
    variables: tuple[str, ...] = (),
    from_variable: bool = True,
) -> Any:
    """Declare an option; its variable follows from its long flag.

    `default` is only told: what is not given is not sent, and the service decides.
    """
    long = next((flag for flag in flags if flag.startswith("--")), None)
    own = (variable(long),) if long and from_variable else ()
    return typer.Option(
        *flags,
        help=f"{help} [default: {default}]" if default else help,
        click_type=type,
        envvar=[*own, *variables] or None,
        rich_help_panel=panel,
        show_default=False,
        show_envvar=False,
    )


def number(*flags: str, help: str) -> Any:  # noqa: A002
    """Declare an option for a numeric request field, whose range the limits know by the field's name."""
    long = next(flag for flag in flags if flag.startswith("--"))
    kind = types.Number.of_field(long.removeprefix("--").replace("-", "_"))
    limits = f"{kind.lowest:g} or more" if kind.highest is None else f"{kind.lowest:g}…{kind.highest:g}"
    return option(*flags, panel=SAMPLING, help=f"{help} ({limits})", type=kind)


class PromptOptions(NamedTuple):
    """What the messages are made of."""

    file: Annotated[
        list[str] | None,
        option(
            "-f",
            "--file",
            panel=PROMPT,
            type=types.Path(),
            help="Put FILE before the prompt (repeatable)",
        ),
    ] = None
    no_stdin: Annotated[bool, option("-n", "--no-stdin", panel=PROMPT, help="Leave standard input alone")] = False
    system: Annotated[
        str | None,
        option("-s", "--system", panel=PROMPT, type=types.Text(), help="Add a system message"),
    ] = None
    system_file: Annotated[
        str | None,
        option("--system-file", panel=PROMPT, type=types.Path(), help="Add a system message from a file"),
    ] = None
    image: Annotated[
        list[str] | None,
        option(
            "-i",
            "--image",
            panel=PROMPT,
            type=types.Path("image"),
            help="Add a JPEG, PNG, GIF or WEBP (repeatable)",
        ),
    ] = None
    image_detail: Annotated[
        str | None,
        option(
            "--image-detail", panel=PROMPT, type=types.Choice(IMAGE_DETAILS), help="How closely images are looked at"
        ),
    ] = None
    messages: Annotated[
        Any | None,
        option("--messages", panel=PROMPT, type=types.Json("messages"), help="Begin with this conversation"),
    ] = None


class RequestOptions(NamedTuple):
    """What the request body holds beside the messages; None is not sent."""

    model: Annotated[
        str | None,
        option("-m", "--model", panel=SAMPLING, type=types.Text("ID"), default=MODEL, help="Model"),
    ] = None
    max_tokens: Annotated[int | None, number("--max-tokens", help="Most tokens, reasoning included")] = None
    temperature: Annotated[float | None, number("-t", "--temperature", help="Randomness of the answer")] = None
    top_p: Annotated[float | None, number("--top-p", help="Nucleus sampling")] = None
    stop: Annotated[
        list[str] | None,
        option(
            "--stop",
            panel=SAMPLING,
            type=types.Text(),
            help=f"End before this text (up to {STOP_SEQUENCES} times)",
        ),
    ] = None
    seed: Annotated[int | None, number("--seed", help="Sample the same way again")] = None
    frequency_penalty: Annotated[float | None, number("--frequency-penalty", help="Against frequent tokens")] = None
    presence_penalty: Annotated[float | None, number("--presence-penalty", help="Against tokens used before")] = None
    logit_bias: Annotated[
        list[Any] | None,
        option(
            "--logit-bias",
            panel=SAMPLING,
            type=types.LogitBias(),
            help="Bias token ids; or JSON, @FILE (repeatable)",
        ),
    ] = None
    logprobs: Annotated[
        bool | None, option("--logprobs/--no-logprobs", panel=SAMPLING, help="Ask for log probabilities")
    ] = None
    top_logprobs: Annotated[int | None, number("--top-logprobs", help="Likeliest tokens; needs --logprobs")] = None
    reasoning_effort: Annotated[
        str | None,
        option("--reasoning-effort", panel=SAMPLING, type=types.Choice(REASONING_EFFORTS), help="How long to think"),
    ] = None
    response_format: Annotated[
        Any | None,
        option(
            "--response-format",
            panel=SAMPLING,
            type=types.Json("response_format", RESPONSE_FORMATS),
            help="Format of the answer",
        ),
    ] = None
    schema: Annotated[
        str | None,
        option(
            "--schema",
            panel=SAMPLING,
            type=types.Path("json"),
            help="Answer in JSON that fits this schema",
        ),
    ] = None
    tools: Annotated[
        Any | None,
        option("--tools", panel=SAMPLING, type=types.Json("tools"), help="Functions that the model may call"),
    ] = None
    tool_choice: Annotated[
        Any | None,
        option(
            "--tool-choice",
            panel=SAMPLING,
            type=types.Json("tool_choice", TOOL_CHOICES, names=NAME),
            help="Which tool to call",
        ),
    ] = None
    parallel_tool_calls: Annotated[
        bool | None,
        option(
            "--parallel-tool-calls/--no-parallel-tool-calls", panel=SAMPLING, help="Allow several tool calls at once"
        ),
    ] = None
    prediction: Annotated[
        str | None,
        option("--prediction", panel=SAMPLING, type=types.Text(), help="What much of the answer will be"),
    ] = None
    prediction_file: Annotated[
        str | None,
        option("--prediction-file", panel=SAMPLING, type=types.Path(), help="The same from a file"),
    ] = None
    include_usage: Annotated[
        bool | None,
        option("--include-usage/--no-include-usage", panel=SAMPLING, help="Ask a stream for its usage", default="yes"),
    ] = None
    field: Annotated[
        list[Any] | None,
        option(
            "-F",
            "--field",
            panel=SAMPLING,
            type=types.Field(),
            help="Any other field, JSON or text (repeatable)",
        ),
    ] = None


class ShowOptions(NamedTuple):
    """Which text of an answer is printed."""

    show: Annotated[
        str | None,
        option(
            "--show",
            panel=OUTPUT,
            type=types.Choice(("content", "reasoning", "both")),
            help="Text to print",
            default="content",
        ),
    ] = None
    reasoning: Annotated[bool, option("-r", panel=OUTPUT, help="The same as --show reasoning")] = False
    no_newline: Annotated[
        bool, option("--no-newline", panel=OUTPUT, help="End as the model ended, without a newline")
    ] = False

    @property
    def both(self) -> bool:
        return self.show == "both"

    @property
    def wanted(self) -> str:
        """The text that standard output is for: `content` or `reasoning`."""
        return "reasoning" if self.reasoning or self.show == "reasoning" else "content"


class VerdictOptions(NamedTuple):
    """What is asked of an answer."""

    allow_incomplete: Annotated[
        bool, option("--allow-incomplete", panel=OUTPUT, help="Take what is not whole: status 0, not 8")
    ] = False
    usage: Annotated[bool, option("-u", "--usage", panel=OUTPUT, help="Tell tokens and USD on standard error")] = False


class PrintingOptions(NamedTuple):
    """Where results and notes go."""

    output: Annotated[
        str | None,
        option(
            "-o",
            "--output",
            panel=OUTPUT,
            type=types.Path(),
            help="Replace FILE, once the result is whole",
        ),
    ] = None
    verbose: Annotated[bool, option("-v", "--verbose", panel=OUTPUT, help="Tell request, status, ids and timings")] = (
        False
    )
    quiet: Annotated[bool, option("-q", "--quiet", panel=OUTPUT, help="No notes, no progress")] = False


class PrettyOptions(NamedTuple):
    """How JSON is printed."""

    pretty: Annotated[
        bool | None, option("--pretty/--no-pretty", panel=OUTPUT, help="Indent the JSON", default="on a terminal")
    ] = None


_BASE_URL = option(
    "--base-url",
    panel=SENDING,
    type=types.BaseUrl(),
    variables=("AIMLAPI_BASE_URL",),
    help="The API [env: AIMLAPI_BASE_URL]",
    default=DEFAULT_BASE_URL,
)


class EndpointOptions(NamedTuple):
    """Whose key it is."""

    base_url: Annotated[str, _BASE_URL] = DEFAULT_BASE_URL


class SendingOptions(NamedTuple):
    """How a request is sent. Times in seconds."""

    base_url: Annotated[str, _BASE_URL] = DEFAULT_BASE_URL
    timeout: Annotated[
        float,
        option(
            "--timeout",
            panel=SENDING,
            type=types.Seconds(),
            help="Longest silence",
            default="600",
        ),
    ] = 600.0
    connect_timeout: Annotated[
        float,
        option(
            "--connect-timeout",
            panel=SENDING,
            type=types.Seconds(),
            help="Longest wait to connect",
            default="10",
        ),
    ] = 10.0
    retries: Annotated[
        int,
        option(
            "--retries",
            panel=SENDING,
            type=types.Number(0, 100, whole=True),
            help="More tries, where that is free",
            default="2",
        ),
    ] = 2
    request_id: Annotated[
        str | None,
        option("--request-id", panel=SENDING, type=types.RequestId(), help="Send it as X-Client-Request-Id"),
    ] = None
    dry_run: Annotated[bool, option("--dry-run", panel=SENDING, help="Print the request body, send nothing")] = False
    curl: Annotated[bool, option("--curl", panel=SENDING, help="Print a curl command, send nothing")] = False


class StreamOptions(NamedTuple):
    stream: Annotated[
        bool, option("--stream", panel=OUTPUT, from_variable=False, help="One chunk per line, as it arrives")
    ] = False


class CostOptions(NamedTuple):
    """What costs are told of: one request, saved answers, or the account."""

    saved: Annotated[
        bool, option("--saved", panel=COST, from_variable=False, help="Sum saved output of json in these files")
    ] = False
    period: Annotated[
        str | None,
        option(
            "--period",
            panel=COST,
            from_variable=False,
            type=types.Period(),
            help="What this key spent, by model",
        ),
    ] = None
    balance: Annotated[
        bool, option("--balance", panel=COST, from_variable=False, help="What is left on the account")
    ] = False
    json: Annotated[bool, option("--json", panel=COST, from_variable=False, help="Print one JSON object")] = False


EXCLUSIVE = (
    ("system", "system_file"),
    ("response_format", "schema"),
    ("prediction", "prediction_file"),
    ("show", "reasoning"),
    ("dry_run", "curl"),
    ("saved", "period", "balance"),
)
"""Options of which one at most can be meant."""


def settle_conflicts(values: dict[str, Any], context: click.Context) -> None:
    """Hold `EXCLUSIVE` against what was given: a flag overrules the variable of its rival, two equals are an error."""
    for rivals in EXCLUSIVE:
        given = [name for name in rivals if values.get(name)]
        if len(given) < 2:  # noqa: PLR2004
            continue
        flags = [name for name in given if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE]
        if len(flags) != 1:
            names = {parameter.name: max(parameter.opts, key=len) for parameter in context.command.params}
            raise InvalidUsage(" and ".join(names[name] for name in flags or given) + " cannot be combined")
        for name in set(given) - set(flags):
            values[name] = None


def gathering(command: Callable[..., R]) -> Callable[..., R]:
    """Let a command take groups of options, where Typer wants one parameter for each option."""
    parameters: list[inspect.Parameter] = []
    groups: dict[str, Any] = {}
    for parameter in inspect.signature(command).parameters.values():
        group = parameter.annotation
        if not hasattr(group, "_field_defaults"):
            parameters.append(parameter)
            continue
        groups[parameter.name] = group
        hints = get_type_hints(group, include_extras=True)
        parameters += [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hints[name])
            for name, default in group._field_defaults.items()
        ]

    def gather(**values: Any) -> R:
        settle_conflicts(values, click.get_current_context())
        for name, group in groups.items():
            values[name] = group(**{field: values.pop(field) for field in group._fields})
        return command(**values)

    gather.__name__, gather.__doc__ = command.__name__, command.__doc__
    gather.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # inspect.signature looks at it
    gather.__annotations__ = {}
    return gather
