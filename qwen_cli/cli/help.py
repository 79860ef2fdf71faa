"""How help and usage errors read: options in groups, plain text, one line where it fits."""

import os
import shlex
from collections.abc import Iterable
from difflib import get_close_matches
from inspect import cleandoc
from textwrap import fill
from typing import Any, Final

import click
from typer.core import TyperCommand

from qwen_cli.output.result import standard_output

CONTEXT_SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 200}


class WritingHelp(click.Command):
    """Help is a result: a full disk or a closed pipe is reported as for any other."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        written = args.copy()
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            hint = _suggestion(error.option_name, written, ctx)
            name = error.option_name.rstrip()
            raise click.UsageError(f"no such option: {name}{hint and '; ' + hint}", ctx) from error
        except click.BadOptionUsage as error:
            error.ctx = ctx  # Click leaves it out, and with it the name of the command
            raise

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- Click's
        # Click would break the lines at the hyphens of commands and options.
        indent = " " * (formatter.current_indent + formatter.indent_increment)
        for paragraph in cleandoc(self.help or "").split("\n\n"):
            text = fill(
                paragraph,
                formatter.width,
                initial_indent=indent,
                subsequent_indent=indent,
                break_on_hyphens=False,
            )
            formatter.write(f"\n{text}\n")

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        option = super().get_help_option(ctx)
        if option is not None:
            option.callback = _write_help
        return option

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's examples and what else its help ends with, as they are: nothing is filled or cut."""
        from qwen_cli.cli.examples import EXAMPLES, FOOTERS

        if lines := EXAMPLES.get(ctx.command_path):
            formatter.write("\nExamples:\n")
            formatter.write("".join(f"  {line}\n" for line in lines))
        if footer := FOOTERS.get(ctx.command_path):
            formatter.write(f"\n{footer}\n")


def _write_help(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        standard_output().write(f"{ctx.get_help()}\n".encode())
        ctx.exit()


class Command(WritingHelp, TyperCommand):
    """A command whose help shows its options by group, and its examples as they are."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # Click would quote what is too much, and that may be a key.
        ctx.allow_extra_args = True
        if rest := super().parse_args(ctx, args):
            raise click.UsageError(f"{ctx.command_path.partition(' ')[2]} takes no arguments", ctx)
        return rest

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            if isinstance(parameter, click.Option) and (record := parameter.get_help_record(ctx)):
                # --help itself has no panel, and stands at the end of the last one.
                panel = getattr(parameter, "rich_help_panel", None) or next(reversed(groups), "Options")
                groups.setdefault(panel, []).append((_short_flags(parameter, record[0]), record[1]))
        width = min(_WIDEST, max(len(flags) for records in groups.values() for flags, _ in records))
        for panel, records in groups.items():
            with formatter.section(panel):
                room = formatter.width - formatter.current_indent
                rows = [_row(flags.ljust(width), text, room) for flags, text in records]
                formatter.write_dl(rows, col_max=_WIDEST)


_WIDEST: Final = 30
"""Columns of the flags."""


def _row(flags: str, text: str, room: int) -> tuple[str, str]:
    """Flags and help of an option; the help of wide flags follows them, or is on the next line if it does not fit."""
    is_wide_and_fits = _WIDEST < len(flags) <= room - len(text) - 2
    return (f"{flags}  {text}", "") if is_wide_and_fits else (flags, text)


def _short_flags(option: click.Option, flags: str) -> str:
    """`--[no-]logprobs` instead of `--logprobs / --no-logprobs`."""
    if not option.secondary_opts:
        return flags
    return f"--[no-]{option.opts[-1].removeprefix('--')}"


def no_such_command(words: list[str], known: list[str], context: click.Context) -> click.UsageError:
    name = words[0]
    close = get_close_matches(name, known, n=1)
    is_prose = len(name.split()) > 1 or (not close and words[1:] not in ([], ["--help"]))
    if context.parent is None and is_prose:
        suggestion = shlex.join(["qwen-cli", "ask", *words])
        return click.UsageError(f"no such command; did you mean: {suggestion}", context)
    if f"--{name}" in _flags(context.command.get_params(context)):
        hint = f"did you mean --{name}?"
    elif close:
        hint = f"did you mean {close[0]}?"
    else:
        hint = f"the commands are {', '.join(known)}"
        if context.parent is None and words[1:] != ["--help"]:
            hint += f"; to use it as a prompt: {shlex.join(['qwen-cli', 'ask', name])}"
    return click.UsageError(f"no such command: {name}; {hint}", context)


def explain(error: click.ClickException) -> str:
    """One line that names the flag or variable, what was wrong with it, and where help is."""
    message = error.format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    if isinstance(error, click.BadParameter) and error.param is not None and context is not None:
        is_switch = isinstance(error.param, click.Option) and error.param.is_flag
        reason = "set it to 1 or 0" if is_switch else error.message.rstrip(".")
        message = f"{source_of(error.param, context)}: {reason}"
    elif isinstance(error, click.BadOptionUsage) and context is not None:
        parameters = context.command.get_params(context)
        option = next(parameter for parameter in parameters if error.option_name in _flags([parameter]))
        is_switch = isinstance(option, click.Option) and option.is_flag
        message = f"{max(option.opts, key=len)}: {'it takes no value' if is_switch else 'its value is missing'}"
    help_of = context.command_path if context is not None else "qwen-cli"
    return f"{message} (see '{help_of} --help')"


def source_of(parameter: click.Parameter, context: click.Context) -> str:
    """What the user wrote: the variable, or the flag's longest name."""
    is_from_variable = context.get_parameter_source(parameter.name or "") is click.core.ParameterSource.ENVIRONMENT
    if is_from_variable and isinstance(parameter.envvar, list):
        return str(next(name for name in parameter.envvar if os.environ.get(name)))
    if isinstance(parameter, click.Option):
        return max(parameter.opts, key=len)
    return parameter.human_readable_name


def _suggestion(name: str, arguments: list[str], context: click.Context) -> str:
    """What to do about an option that does not exist; `name` is the beginning of one of the arguments."""
    from qwen_cli.cli.options import NOT_TAKEN, OPTIONS

    for option, reason in NOT_TAKEN.get(context.info_name or "", {}).items():
        if name in OPTIONS[option].param_decls:
            return reason
    parameters = context.command.get_params(context)
    if any(isinstance(parameter, click.Argument) for parameter in parameters):
        is_prose = any(" " in argument for argument in arguments if argument.startswith(name) and "=" not in argument)
        if is_prose or not name.lstrip("-")[:1].isalpha():
            return "put -- before a prompt that begins with '-'"
    program = context.find_root()
    command = name.removeprefix("--")
    if isinstance(program.command, click.Group) and command in program.command.list_commands(program):
        return f"did you mean '{program.command_path} {command}'?"
    if name in _flags(program.command.get_params(program)):
        return f"did you mean '{program.command_path} {name}'?"
    if isinstance(context.command, click.Group) and (owner := _command_with(name, context.command, context)):
        return f"put it after the command: {context.command_path} {owner} {name}"
    close = get_close_matches(name, [flag for flag in _flags(parameters) if flag.startswith("--")], n=1)
    return f"did you mean {close[0]}?" if close else ""


def _command_with(flag: str, group: click.Group, context: click.Context) -> str | None:
    """The first command of the group that has that option."""
    commands = ((name, group.get_command(context, name)) for name in group.list_commands(context))
    return next((name for name, command in commands if command and flag in _flags(command.get_params(context))), None)


def _flags(parameters: Iterable[click.Parameter]) -> list[str]:
    return [flag for parameter in parameters for flag in (*parameter.opts, *parameter.secondary_opts)]
