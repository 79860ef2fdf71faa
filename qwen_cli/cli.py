"""The commands, each a few lines: read, ask, print."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import click
import typer
import typer.main
from typer.core import TyperGroup

from qwen_cli import __version__, help_text
from qwen_cli.errors import InvalidUsage
from qwen_cli.notes import Notes
from qwen_cli.option_types import Fault, Text
from qwen_cli.options import (
    SANDBOX,
    CostOptions,
    EndpointOptions,
    PrettyOptions,
    PrintingOptions,
    PromptOptions,
    RequestOptions,
    SendingOptions,
    ShowOptions,
    StreamOptions,
    VerdictOptions,
    gathering,
    option,
)
from qwen_cli.output import Output, open_output, standard_output
from qwen_cli.streams import visible

if TYPE_CHECKING:
    from qwen_cli.exchange import Exchange

Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="[PROMPT]...", click_type=Text()),
]


def ask(
    prompt: Words = None,
    *,
    asking: PromptOptions,
    request: RequestOptions,
    showing: ShowOptions,
    judging: VerdictOptions,
    printing: PrintingOptions,
    sending: SendingOptions,
) -> None:
    """Print the answer, once it is whole.

    The prompt is made of each -f FILE, standard input, and the words, with a blank line between them. A '-' among the
    words stands for standard input at that very place.
    """
    from qwen_cli.exchange import prepare

    notes = Notes(quiet=printing.quiet, verbose=printing.verbose)
    with open_output(printing.output) as output:
        exchange = prepare(prompt or (), asking, request, sending, notes, stream=False)
        if previewed(exchange, output):
            return
        from qwen_cli.printing import print_answer

        answer = exchange.ask()
        print_answer(answer, output, showing)
        exchange.judge(answer, showing.wanted, judging)


def stream(
    prompt: Words = None,
    *,
    asking: PromptOptions,
    request: RequestOptions,
    showing: ShowOptions,
    judging: VerdictOptions,
    printing: PrintingOptions,
    sending: SendingOptions,
) -> None:
    """Print the answer as it arrives.

    The prompt is made of each -f FILE, standard input, and the words, with a blank line between them. A '-' among the
    words stands for standard input at that very place.
    """
    from qwen_cli.exchange import prepare

    notes = Notes(quiet=printing.quiet, verbose=printing.verbose)
    with open_output(printing.output) as output:
        exchange = prepare(prompt or (), asking, request, sending, notes, stream=True)
        if previewed(exchange, output):
            return
        from qwen_cli.answer import ChunkReader
        from qwen_cli.printing import print_stream, print_tool_calls

        reader = ChunkReader(keep_content=exchange.wants_json)
        wanted = ["content", "reasoning"] if showing.both else [showing.wanted]
        text = print_stream((delta for _, delta in exchange.chunks(reader, wanted)), output, showing)
        answer = reader.finish()
        print_tool_calls(answer, text, showing)
        exchange.judge(answer, showing.wanted, judging)


def json(
    prompt: Words = None,
    *,
    asking: PromptOptions,
    request: RequestOptions,
    streaming: StreamOptions,
    pretty: PrettyOptions,
    judging: VerdictOptions,
    printing: PrintingOptions,
    sending: SendingOptions,
) -> None:
    """Print the response as JSON, byte for byte.

    The prompt is put together as for 'qwen-cli ask'. With --stream, each chunk is a line.
    """
    from qwen_cli.exchange import prepare

    notes = Notes(quiet=printing.quiet, verbose=printing.verbose)
    with open_output(printing.output) as output:
        exchange = prepare(prompt or (), asking, request, sending, notes, stream=streaming.stream)
        if previewed(exchange, output):
            return
        if streaming.stream:
            _stream_json(exchange, output, judging, pretty=bool(pretty.pretty))
        else:
            _pass_json(exchange, output, judging, pretty=output.terminal if pretty.pretty is None else pretty.pretty)


def _stream_json(exchange: "Exchange", output: Output, judging: VerdictOptions, *, pretty: bool) -> None:
    from qwen_cli.answer import ChunkReader
    from qwen_cli.printing import print_json

    reader = ChunkReader(keep_content=exchange.wants_json)
    for data, _ in exchange.chunks(reader, ["content", "reasoning"]):
        # A line break of an event with several data lines can only stand between tokens.
        print_json([data.replace("\n", " ").encode() + b"\n"], output, pretty=pretty)
    exchange.judge(reader.finish(), "content", judging)


def _pass_json(exchange: "Exchange", output: Output, judging: VerdictOptions, *, pretty: bool) -> None:
    from qwen_cli.answer import read_completion
    from qwen_cli.outline import Outline
    from qwen_cli.printing import print_json

    outline = Outline()
    print_json(outline.watch(exchange.pieces()), output, pretty=pretty)
    exchange.judge(read_completion(outline.document), "content", judging, check_content=not outline.has_cut)


def cost(
    prompt: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PROMPT|FILE]...", click_type=Text()),
    ] = None,
    *,
    telling: CostOptions,
    asking: PromptOptions,
    request: RequestOptions,
    printing: PrintingOptions,
    sending: SendingOptions,
) -> None:
    """Print what a request, saved answers or the account cost.

    The figures are lines of name, tab and value; '-' is what the server did not give. The answer itself is not printed.
    With --saved, the operands are files of saved output of 'qwen-cli json', '-' being standard input.
    """
    from qwen_cli import costs

    words = prompt or []
    notes = Notes(quiet=printing.quiet, verbose=printing.verbose)
    with open_output(printing.output) as output:
        if telling.saved:
            values = _saved_costs(words, notes)
        elif telling.period or telling.balance:
            if words:
                raise InvalidUsage("--period and --balance ask the account: they take no prompt")
            values = _account(telling, sending, notes)
        else:
            from qwen_cli.exchange import prepare

            exchange = prepare(words, asking, request, sending, notes, stream=False)
            if previewed(exchange, output):
                return
            values = costs.figures(exchange.ask())
        output.write((costs.as_json(values) if telling.json else costs.lines(values)).encode())


def _saved_costs(paths: Sequence[str], notes: Notes) -> Mapping[str, Any]:
    from qwen_cli import costs
    from qwen_cli.inputs import StandardInput, read_text

    if not paths:
        raise InvalidUsage("--saved needs files to sum", advice="give their names, or - for standard input")
    stdin = StandardInput(notes.note)
    answers = (
        answer for path in paths for answer in costs.read_saved(stdin.read() if path == "-" else read_text(path), path)
    )
    values, remarks = costs.total(answers)
    for remark in remarks:
        notes.note(remark)
    return values


def _account(telling: CostOptions, sending: SendingOptions, notes: Notes) -> Mapping[str, Any]:
    from qwen_cli import costs
    from qwen_cli.client import Client
    from qwen_cli.credentials import find_key
    from qwen_cli.endpoint import parse_endpoint

    if sending.dry_run or sending.curl:
        raise InvalidUsage("--dry-run and --curl show a prompt's request; --period and --balance send no prompt")
    endpoint = parse_endpoint(sending.base_url)
    client = Client(endpoint, find_key(endpoint), sending, notes)
    query = f"usage/detail?period={telling.period}" if telling.period else "billing"
    with notes.waiting("asking the account"), client.get(endpoint.account_url(query)) as reply:
        body = reply.read()
    return costs.read_balance(body) if telling.period is None else costs.read_period(body, telling.period)


def key_set(*, where: EndpointOptions) -> None:
    """Store the API key in the OS keyring.

    It is typed at a hidden prompt, or read from standard input where that is no terminal.
    """
    from qwen_cli.credentials import require_keyring, store_key
    from qwen_cli.endpoint import parse_endpoint
    from qwen_cli.inputs import read_secret

    endpoint = parse_endpoint(where.base_url)
    require_keyring()
    store_key(endpoint, read_secret(f"API key for {endpoint.account}: "))
    Notes().note(f"the key for {endpoint.account} is stored")


def key_status(*, where: EndpointOptions) -> None:
    """Say which key is used and where it comes from."""
    from qwen_cli.costs import lines
    from qwen_cli.credentials import describe
    from qwen_cli.endpoint import parse_endpoint

    standard_output().write(lines(describe(parse_endpoint(where.base_url))).encode())


def key_delete(*, where: EndpointOptions) -> None:
    """Delete the stored API key."""
    from qwen_cli.credentials import delete_key
    from qwen_cli.endpoint import parse_endpoint

    endpoint = parse_endpoint(where.base_url)
    deleted = delete_key(endpoint)
    Notes().note(
        f"the key for {endpoint.account} is deleted" if deleted else f"no key for {endpoint.account} is stored"
    )


def sandbox(
    command: Annotated[list[str] | None, typer.Argument(metavar="[-- COMMAND]...")] = None,
    *,
    fault: Annotated[
        list[Any] | None,
        option(
            "--fault",
            panel=SANDBOX,
            from_variable=False,
            type=Fault(),
            help="Rehearse a failure (repeatable): 429, 500, 503, slow, cut, garbage, length",
        ),
    ] = None,
) -> int:
    """Serve a local stand-in for the API.

    The command runs with AIMLAPI_BASE_URL and AIMLAPI_API_KEY pointing at it, and its status is the exit status.
    Without a command, the two variables are printed, and it serves until interrupted. No model is behind it: the answer
    is the prompt repeated.
    """
    from qwen_cli import sandbox as stand_in

    return stand_in.run(command or [], faults=fault or [])


def previewed(exchange: "Exchange", output: Output) -> bool:
    """Print the request instead of sending it, if that is asked for."""
    preview = exchange.preview(pretty=output.terminal)
    if preview is None:
        return False
    output.write((visible(preview) if output.terminal else preview).encode())
    return True


Table: TypeAlias = Mapping[str, Any]
"""Name -> the function of a command, or the table of a group of them."""

COMMANDS: Table = {
    "ask": ask,
    "stream": stream,
    "json": json,
    "cost": cost,
    "key": {"set": key_set, "status": key_status, "delete": key_delete},
    "sandbox": sandbox,
}

SUMMARIES = {"key": "Store, show the source of, or delete the API key."}
"""What a group of commands is for; a command says so itself."""


class Commands(help_text.WritingHelp, TyperGroup):
    """A group that builds only the command that is asked for: all of them together cost as much as the parsing."""

    def __init__(self, table: Table, **attributes: Any) -> None:
        super().__init__(
            no_args_is_help=True, rich_markup_mode=None, context_settings=help_text.CONTEXT_SETTINGS, **attributes
        )
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self.table.get(cmd_name)
        if entry is None:
            return None
        if isinstance(entry, Mapping):
            return Commands(entry, name=cmd_name, help=SUMMARIES[cmd_name])
        app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        settings = help_text.CONTEXT_SETTINGS | {"allow_interspersed_args": entry is not sandbox}
        app.command(cmd_name, cls=help_text.Command, context_settings=settings)(gathering(entry))
        return typer.main.get_command(app)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.table and not args[0].startswith("-"):
            raise help_text.no_such_command(args[0], list(self.table), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, SUMMARIES[name] if isinstance(entry, Mapping) else (entry.__doc__ or "").partition("\n")[0])
                    for name, entry in self.table.items()
                ]
            )

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        help_text.write_examples(formatter, ctx.command_path)


def build() -> Commands:
    """The whole command line, its commands still to be built."""

    def show_version(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
        if wanted:
            standard_output().write(f"qwen-cli {__version__}\n".encode())
            context.exit()

    version = click.Option(
        ["-V", "--version"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=show_version,
        help="Show the version and exit.",
    )
    return Commands(COMMANDS, name="qwen-cli", help="Ask Qwen one thing, and print the answer.", params=[version])


def run_command(arguments: Sequence[str]) -> int:
    """Parse and run; return the exit status, or raise what `main` turns into one."""
    try:
        with build().make_context("qwen-cli", list(arguments)) as context:
            status = context.command.invoke(context)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        with suppress(OSError):  # whoever closed standard error wants no help
            click.echo(error.format_message(), err=True)
        return error.exit_code
    except click.ClickException as error:
        raise InvalidUsage(help_text.explain(error)) from error
    return status or 0
