"""The completion of zsh: specs for `_arguments`, which does the rest."""

from collections.abc import Iterator, Mapping

from scripts.declarations import Command, Operands, Option, Value, shared_options
from scripts.templates import filled

OPERANDS = {
    Operands.NONE: "",
    Operands.PROSE: "'*:prompt:_message prompt'",
    Operands.PROSE_OR_FILES: "'*:prompt or file:_qwen-cli_prompt_or_file'",
    Operands.COMMAND: "'*:::command:_qwen-cli_other_command'",
}


def render(commands: Mapping[str, Command]) -> str:
    """The whole script."""
    return filled("completions/_qwen-cli", OPTIONS=_options(commands), COMMANDS=_commands(commands))


def _options(commands: Mapping[str, Command]) -> Iterator[str]:
    for paths, options in shared_options(commands).items():
        yield f"    case $1 in ({'|'.join(quoted(path) for path in paths)}) specs+=("
        for option in options:
            yield from (f"        {spec}" for spec in specs(option))
        yield "    ) ;; esac"


def _commands(commands: Mapping[str, Command]) -> Iterator[str]:
    for command in commands.values():
        if command.subcommands:
            described = [(name, commands[f"{command.path} {name}".strip()].summary) for name in command.subcommands]
            words = " ".join(quoted(f"{name}:{escaped(summary, ':')}") for name, summary in described)
            yield f"    ({quoted(command.path)}) subcommands=({words}) ;;"
        elif command.operands is Operands.COMMAND:
            # The first operand ends the options.
            yield f"    ({quoted(command.path)}) settings=(-A '-*') operands=({OPERANDS[command.operands]}) ;;"
        else:
            yield f"    ({quoted(command.path)}) operands=({OPERANDS[command.operands]}) ;;"


def specs(option: Option) -> Iterator[str]:
    """The specs of an option, one for each flag."""
    excluded = f"({' '.join(option.blockers)})" if option.blockers else ""
    if {"--help", "--version"} & {*option.flags}:
        excluded = "(- *)"
    often = "*" if option.repeatable else ""
    for flags, help_ in option.described:
        for flag in flags:
            joined = "" if option.value is None else "=" if flag.startswith("--") else "+"
            yield quoted(f"{excluded}{often}{flag}{joined}[{escaped(help_, '[]')}]{_action(option.value)}")


def _action(value: Value | None) -> str:
    if value is None:
        return ""
    return f":{escaped(value.metavar, ':')}:{action(value)}"


def action(value: Value) -> str:
    """How `_arguments` completes a value."""
    match value:
        case Value(at_file=True, words=words):
            return " ".join([" _qwen-cli_at_file", *words])
        case Value(is_folder=True):
            return "_path_files -/"
        case Value(files=files) if files:
            pattern = f"*.(#i)({'|'.join(files.suffixes)})"
            if not files.suffixes:
                return "_files"
            return f'_qwen-cli_before "{pattern}"' if files.with_others else f'_files -g "{pattern}(-.)"'
        case Value(words=words) if words:
            return f"({' '.join(words)})"
        case _:
            return " "


def quoted(text: str) -> str:
    """A word of the shell."""
    return "'" + text.replace("'", "'\\''") + "'"


def escaped(text: str, characters: str) -> str:
    """The text with those characters, and backslashes, taken literally."""
    return "".join(f"\\{character}" if character in f"\\{characters}" else character for character in text)
