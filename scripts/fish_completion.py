"""The completion of fish: `complete` commands, with conditions that read the command line once."""

from collections.abc import Iterator, Mapping

from scripts.declarations import Command, Operands, Option, Value, shared_options
from scripts.templates import filled

HERE = "__qwen_cli_at"


def render(commands: Mapping[str, Command]) -> str:
    """The whole script."""
    return filled(
        "completions/qwen-cli.fish",
        CASES=_cases(commands),
        COMPLETIONS=[*_subcommands(commands), *_operands(commands), *_options(commands)],
    )


def _cases(commands: Mapping[str, Command]) -> Iterator[str]:
    for command in commands.values():
        valued = [flag for option in command.options if option.value for flag in option.flags]
        yield f"        case {quoted(command.path)}"
        if valued:
            yield f"            set valued {' '.join(valued)}"
        if command.subcommands:
            yield f"            set subcommands {' '.join(command.subcommands)}"
        if command.operands is Operands.COMMAND:
            yield "            set takes_command 1"


def _subcommands(commands: Mapping[str, Command]) -> Iterator[str]:
    for command in commands.values():
        for name in command.subcommands:
            summary = commands[f"{command.path} {name}".strip()].summary
            yield f"complete -c qwen-cli -n {at([command.path])} -a {name} -d {quoted(summary)}"


def _operands(commands: Mapping[str, Command]) -> Iterator[str]:
    for command in commands.values():
        if command.operands is Operands.PROSE_OR_FILES:
            condition = quoted(f"{HERE} {quoted_again(command.path)}; and __qwen_cli_given --saved")
            yield f"complete -c qwen-cli -n {condition} -F"
        elif command.operands is Operands.COMMAND:
            yield f"complete -c qwen-cli -n {at([command.path])} -a '(__qwen_cli_command_names)'"
            yield "complete -c qwen-cli -n '__qwen_cli_other' -a '(complete --do-complete=\"$__qwen_cli_rest\")'"


def _options(commands: Mapping[str, Command]) -> Iterator[str]:
    for paths, options in shared_options(commands).items():
        for option in options:
            yield from completions(option, paths)


def completions(option: Option, paths: tuple[str, ...]) -> Iterator[str]:
    """The `complete` commands of an option; the flags that say the same share one."""
    condition = at(paths, option.blockers)
    argument = "" if option.value is None else _argument(option.value)
    for flags, help_ in option.described:
        names = " ".join(f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in flags)
        yield f"complete -c qwen-cli -n {condition} {names}{argument} -d {quoted(help_)}"


def _argument(value: Value) -> str:
    match value:
        case Value(at_file=True, words=words):
            return f" -x -a '(__qwen_cli_at_files){''.join(f' {word}' for word in words)}'"
        case Value(is_folder=True):
            return " -x -a '(__fish_complete_directories)'"
        case Value(files=files) if files:
            if not files.suffixes:
                return " -r -F"
            how = "before" if files.with_others else "rather"
            return f" -x -k -a '(__qwen_cli_files {how} {' '.join(files.suffixes)})'"
        case _:
            return f" -x -a '{' '.join(value.words)}'" if value.words else " -x"


def at(paths: list[str] | tuple[str, ...], blockers: tuple[str, ...] = ()) -> str:
    """The condition: at one of those commands, and none of the blockers given yet."""
    condition = " ".join([HERE, *map(quoted_again, paths)])
    if blockers:
        condition += f"; and not __qwen_cli_given {' '.join(blockers)}"
    return quoted(condition)


def quoted(text: str) -> str:
    """A word of fish."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def quoted_again(text: str) -> str:
    """A word within a quoted command."""
    return text if text.isalpha() else f'"{text}"'
