"""The completion of zsh: specs for `_arguments`, which does the rest."""

from collections.abc import Iterator, Mapping

from scripts.declarations import Command, Operands, Option, Value, shared_options

OPERANDS = {
    Operands.NONE: "",
    Operands.PROSE: "'*:prompt:_message prompt'",
    Operands.PROSE_OR_FILES: "'*:prompt or file:_qwen-cli_prompt_or_file'",
    Operands.COMMAND: "'*:::command:_qwen-cli_other_command'",
}


def render(commands: Mapping[str, Command]) -> str:
    """The whole script."""
    return TEMPLATE.replace("@OPTIONS@", "\n".join(_options(commands))).replace(
        "@COMMANDS@", "\n".join(_commands(commands))
    )


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
    for flag, help_ in option.described:
        excluded = f"({' '.join(option.blockers)})" if option.blockers else ""
        if flag in ("--help", "-h", "--version", "-V"):
            excluded = "(- *)"
        often = "*" if option.repeatable else ""
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


TEMPLATE = r"""#compdef qwen-cli

# Completion of qwen-cli for zsh.
# Generated from the options by scripts/generate.py; no Python runs when Tab is pressed.

# COMMAND -> the caller's `specs`.
_qwen-cli_options() {
@OPTIONS@
}

# COMMAND -> the caller's `subcommands`, or `operands` and `settings`.
_qwen-cli_command() {
    case $1 in
@COMMANDS@
    esac
}

# JSON, or @FILE, or one of the words given.
_qwen-cli_at_file() {
    local -a expl
    local ret=1
    if compset -P @; then
        # No shell would expand a ~ behind the @.
        [[ $PREFIX != \~* ]] && _files
        return
    fi
    _description values expl 'JSON or @FILE'
    compadd "$expl[@]" -S '' -- @ && ret=0
    compadd "$expl[@]" -- "$@" && ret=0
    return ret
}

# Every file, those that match PATTERN first.
_qwen-cli_before() { # ... PATTERN
    local ret=1
    _path_files -V preferred "${@[1,-2]}" -g "${@[-1]}(-.)" && ret=0
    _path_files -V others "${@[1,-2]}" -/ -g "^(${@[-1]})(-^/)" && ret=0
    return ret
}

_qwen-cli_prompt_or_file() {
    if (( ${+opt_args[--saved]} )); then
        _files
    else
        _message prompt
    fi
}

_qwen-cli_other_command() {
    if (( CURRENT == 1 )); then
        _command_names -e
    else
        _normal
    fi
}

_qwen-cli() {
    local curcontext=$curcontext context state state_descr line ret=1
    local -a specs operands settings subcommands
    local -A opt_args
    _qwen-cli_options "$1"
    _qwen-cli_command "$1"
    if (( ! $#subcommands )); then
        _arguments -s -S $settings : $specs $operands
        return
    fi
    _arguments -C -s -S -A '-*' : $specs '1:command:->command' '*::argument:->argument' && ret=0
    case $state in
    (command) _describe -t commands command subcommands && ret=0 ;;
    (argument)
        local where=${1:+$1 }$words[1]
        curcontext=${curcontext%:*:*}:qwen-cli-${where// /-}:
        (( ${subcommands[(I)$words[1]:*]} )) && _qwen-cli $where && ret=0
        ;;
    esac
    return ret
}

if [[ $funcstack[1] == _qwen-cli ]]; then
    _qwen-cli ''
else
    compdef "_qwen-cli ''" qwen-cli
fi
"""
