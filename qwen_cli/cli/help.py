"""How help and usage errors read: options in groups, plain text, one line where it fits."""

from textwrap import fill
from typing import Any, Final

import click
from typer.core import TyperCommand

from qwen_cli.cli.suggestions import suggestion
from qwen_cli.output.result import standard_output

CONTEXT_SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 200}


class WritingHelp(click.Command):
    """Help is a result: a full disk or a closed pipe is reported as for any other."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        written = args.copy()
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            hint = suggestion(error.option_name, written, ctx)
            name = error.option_name.rstrip()
            raise click.UsageError(f"no such option: {name}{hint and '; ' + hint}", ctx) from error
        except click.BadOptionUsage as error:
            error.ctx = ctx  # Click leaves it out, and with it the name of the command
            raise

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from qwen_cli.cli.help_texts import text_of

        # Click would break the lines at the hyphens of commands and options.
        indent = " " * (formatter.current_indent + formatter.indent_increment)
        for paragraph in text_of(ctx.command_path).split("\n\n"):
            text = fill(
                " ".join(paragraph.split()),
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
        from qwen_cli.cli.help_texts import EXAMPLES, FOOTERS

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
