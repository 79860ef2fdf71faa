"""The table of commands, of which only the one that runs is imported and built."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, TypeAlias

import click
import typer
import typer.main
from typer.core import TyperGroup

from qwen_cli import __version__
from qwen_cli.cli import help as help_text
from qwen_cli.cli.option_groups import gathering
from qwen_cli.cli.suggestions import explain, no_such_command
from qwen_cli.errors import InvalidUsage
from qwen_cli.output.result import standard_output
from qwen_cli.prompt.standard_input import standard_input

Table: TypeAlias = Mapping[str, Any]
"""Name -> module and function of a command, or the table of a group of them."""

COMMANDS: Table = {
    "ask": "ask.ask",
    "stream": "stream.stream",
    "json": "json.json",
    "cost": "cost.cost",
    "check": "check.check",
    "map": "map.map",
    "filter": "filter.filter",
    "models": "models.models",
    "key": {"set": "key.set_key", "status": "key.show_status", "delete": "key.delete_key"},
    "sandbox": "sandbox.sandbox",
}


def _load(place: str) -> Callable[..., int | None]:
    """The function of a command: only the module of the one that runs is imported."""
    module, _, name = place.partition(".")
    function: Callable[..., int | None] = getattr(import_module(f"qwen_cli.cli.{module}"), name)
    return function


class Commands(help_text.WritingHelp, TyperGroup):
    """A group that builds only the command that runs: all of them together cost as much as the parsing."""

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
            return Commands(entry, name=cmd_name)
        app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        settings = help_text.CONTEXT_SETTINGS | {"allow_interspersed_args": cmd_name != "sandbox"}
        app.command(cmd_name, cls=help_text.Command, context_settings=settings)(gathering(_load(entry)))
        return typer.main.get_command(app)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.table and (args[0] == "-" or not args[0].startswith("-")):
            raise no_such_command(args, list(self.table), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from qwen_cli.cli.help_texts import summary_of

        rows = [(name, summary_of(f"{ctx.command_path} {name}")) for name in self.table]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


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
    return Commands(COMMANDS, name="qwen-cli", params=[version])


def run_command(arguments: Sequence[str]) -> int:
    """Parse and run; return the exit status, or raise what `main` turns into one."""
    standard_input.reset()
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:], "--help"]
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
        raise InvalidUsage(explain(error)) from error
    return status or 0
