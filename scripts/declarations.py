"""The command line as Click knows it, in the terms that completions and manual need.

Everything here is read off `qwen_cli.cli.build()`; nothing is stated a second time.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import click

from qwen_cli.cli import option_types as types
from qwen_cli.cli.commands import build
from qwen_cli.cli.help_texts import text_of
from qwen_cli.cli.options import EXCLUSIVE
from qwen_cli.request.field_limits import IMAGE_TYPES
from qwen_cli.sandbox.faults import FAULTS

_SHOWN_IN_HELP = re.compile(r" \[(env|default): ([^]]*)\]")
_SPELLINGS = {"jpeg": ("jpeg", "jpg")}
_WORDS: Mapping[type, tuple[str, ...]] = {types.Fault: FAULTS, types.Period: ("24h", "7d", "30d")}
_IMAGE_SUFFIXES = tuple(suffix for kind in IMAGE_TYPES for suffix in _SPELLINGS.get(kind, (kind,)))
_SUFFIXES = {"any": (), "json": ("json",), "image": _IMAGE_SUFFIXES}


@dataclass(frozen=True)
class Files:
    """Which files: names that end in one of `suffixes`, in any case; none of them is any file."""

    suffixes: tuple[str, ...] = ()
    with_others: bool = False
    """Whether others are offered as well, after these; otherwise only where there are none of these."""


@dataclass(frozen=True)
class Value:
    """What follows a flag. With none of the rest it is anything, and nothing is offered."""

    metavar: str
    words: tuple[str, ...] = ()
    files: Files | None = None
    is_folder: bool = False
    at_file: bool = False
    """Whether `@FILE` may stand for the file's content."""


@dataclass(frozen=True)
class Option:
    """One option of one command."""

    name: str
    flags: tuple[str, ...]
    off: tuple[str, ...]
    """The flags that say no: `--no-logprobs`."""
    help: str
    default: str | None
    """As help shows it."""
    panel: str
    value: Value | None
    repeatable: bool
    variables: tuple[str, ...]
    rivals: tuple[str, ...]
    """The flags, on this command, with which it cannot be combined."""

    @property
    def described(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """The flags that say the same, with a line of help."""
        yield self.flags, self.help
        if self.off:
            yield self.off, f"The opposite of {max(self.flags, key=len)}"

    @property
    def blockers(self) -> tuple[str, ...]:
        """The flags after which it is of no use any more: its own, unless it may be repeated, and its rivals."""
        return self.rivals if self.repeatable else (*self.flags, *self.off, *self.rivals)


class Operands(Enum):
    """What a command's operands are."""

    NONE = "none"
    PROSE = "prose"
    PROSE_OR_FILES = "files"
    """Files when `--saved` is given."""
    COMMAND = "command"
    """Another command line; the first operand ends the options."""


@dataclass(frozen=True)
class Command:
    """A command, or a group of commands."""

    path: str
    """What stands behind the program's name, such as `key set`; empty for the program itself."""
    summary: str
    details: str
    """The rest of its help, one paragraph."""
    options: tuple[Option, ...]
    operands: Operands
    operand: str
    """How help shows its operands, such as `[PROMPT]...`."""
    subcommands: tuple[str, ...]


def read_commands() -> Mapping[str, Command]:
    """Every command by its path, the program itself first, under the empty path."""
    return {command.path: command for command in _walk(build(), None, "")}


def with_help(commands: Mapping[str, Command]) -> Mapping[str, Command]:
    """The same with `help`, which takes the path of a command and nothing else."""
    topics = [
        replace(command, path=f"help {path}".strip(), options=(), operands=Operands.NONE)
        for path, command in commands.items()
    ]
    topics[0] = replace(topics[0], summary="Show the help of a command")
    program = replace(commands[""], subcommands=(*commands[""].subcommands, "help"))
    return {**commands, "": program, **{topic.path: topic for topic in topics}}


def _walk(command: click.Command, parent: click.Context | None, path: str) -> Iterator[Command]:
    context = click.Context(command, parent=parent, info_name=command.name, **command.context_settings)
    subcommands = command.list_commands(context) if isinstance(command, click.Group) else []
    parameters = command.get_params(context)
    options = [parameter for parameter in parameters if isinstance(parameter, click.Option)]
    operand = next((p.metavar or "" for p in parameters if isinstance(p, click.Argument)), "")
    summary, _, details = text_of(f"qwen-cli {path}".strip()).partition("\n")
    yield Command(
        path=path,
        summary=summary.rstrip("."),
        details=" ".join(details.split()),
        options=tuple(_option(option, options, context) for option in options if not option.hidden),
        operands=_operands(operand),
        operand=operand,
        subcommands=tuple(subcommands),
    )
    for name in subcommands:
        assert isinstance(command, click.Group)
        child = command.get_command(context, name)
        assert child is not None
        yield from _walk(child, context, f"{path} {name}".strip())


def _operands(metavar: str) -> Operands:
    if "COMMAND" in metavar:
        return Operands.COMMAND
    if "FILE" in metavar:
        return Operands.PROSE_OR_FILES
    return Operands.PROSE if metavar else Operands.NONE


def _option(option: click.Option, others: Iterable[click.Option], context: click.Context) -> Option:
    shown = dict(_SHOWN_IN_HELP.findall(option.help or ""))
    rivals = {name for group in EXCLUSIVE if option.name in group for name in group} - {option.name}
    variables = option.envvar or ()
    return Option(
        name=option.name or "",
        # Before 8.3, Click names the flags of --help in any order.
        flags=tuple(sorted(option.opts, key=len)),
        off=tuple(option.secondary_opts),
        help=_SHOWN_IN_HELP.sub("", option.help or "").rstrip("."),
        default=shown.get("default"),
        panel=getattr(option, "rich_help_panel", None) or "General",
        value=None if option.is_flag else read_value(option.type, option, context),
        repeatable=option.multiple,
        variables=(variables,) if isinstance(variables, str) else tuple(variables),
        rivals=tuple(flag for other in others if other.name in rivals for flag in (*other.opts, *other.secondary_opts)),
    )


def read_value(type_: Any, option: click.Option, context: click.Context) -> Value:
    """What a type of `option_types` lets be completed."""
    metavar = str(type_.get_metavar(option, context))
    match type_:
        case types.Choice():
            return Value(metavar, words=tuple(type_.choices))
        case types.Path(kind="folder"):
            return Value(metavar, is_folder=True)
        case types.Path():
            return Value(metavar, files=Files(_SUFFIXES[type_.kind], with_others=type_.kind == "image"))
        case types.Schema():
            return Value(metavar, files=Files(_SUFFIXES["json"]))
        case types.Json():
            return Value(metavar, words=type_.words, at_file=True)
        case _:
            return Value(metavar, words=_WORDS.get(type(type_), ()))


def shared_options(commands: Mapping[str, Command]) -> Mapping[tuple[str, ...], list[Option]]:
    """The options by the commands that have them, so that what several commands share is written once."""
    owners: dict[Option, list[str]] = {}
    for command in commands.values():
        for option in command.options:
            owners.setdefault(option, []).append(command.path)
    groups: dict[tuple[str, ...], list[Option]] = {}
    for option, paths in owners.items():
        groups.setdefault(tuple(paths), []).append(option)
    return groups
