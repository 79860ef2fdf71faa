"""The completion of bash: a table of the options, and a function that reads it."""

from collections.abc import Iterator, Mapping

from scripts.declarations import Command, Option, Value, shared_options
from scripts.templates import filled


def render(commands: Mapping[str, Command]) -> str:
    """The whole script."""
    return filled("completions/qwen-cli.bash", COMMANDS=_commands(commands), OPTIONS=_options(commands))


def _commands(commands: Mapping[str, Command]) -> Iterator[str]:
    for command in commands.values():
        words = " ".join(command.subcommands)
        yield f"        '{command.path}') operands='{command.operands.value}' subcommands='{words}' ;;"


def _options(commands: Mapping[str, Command]) -> Iterator[str]:
    for paths, options in shared_options(commands).items():
        yield "    case $1 in"
        yield "        " + " | ".join(f"'{path}'" for path in paths) + ") options+='"
        yield from (row(option) for option in options)
        yield "' ;;"
        yield "    esac"


def row(option: Option) -> str:
    """One line of the table: what the value is, the flags, and behind `!` those that it is not offered after."""
    return " ".join([kind(option.value), *option.flags, *option.off, "!", *option.blockers])


def kind(value: Value | None) -> str:
    """What a value is, in the table's words."""
    match value:
        case None:
            return "-"
        case Value(at_file=True):
            return "at:" + ",".join(value.words)
        case Value(is_folder=True):
            return "folder"
        case Value(files=files) if files:
            suffixes = "|".join(files.suffixes)
            return f"{'before' if files.with_others else 'rather'}:{suffixes}" if suffixes else "file"
        case Value(words=words) if words:
            return "words:" + ",".join(words)
        case _:
            return "text"
