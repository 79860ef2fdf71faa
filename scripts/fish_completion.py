"""The completion of fish: `complete` commands, with conditions that read the command line once."""

from collections.abc import Iterator, Mapping

from scripts.declarations import Command, Operands, Option, Value, shared_options

HERE = "__qwen_cli_at"


def render(commands: Mapping[str, Command]) -> str:
    """The whole script."""
    return (
        TEMPLATE.replace("@CASES@", "\n".join(_cases(commands)))
        .replace("@COMPLETIONS@", "\n".join([*_subcommands(commands), *_operands(commands), *_options(commands)]))
        .replace("@COMMAND@", " ".join(quoted(path) for path, c in commands.items() if c.operands is Operands.COMMAND))
    )


def _cases(commands: Mapping[str, Command]) -> Iterator[str]:
    for command in commands.values():
        valued = [flag for option in command.options if option.value for flag in option.flags]
        yield f"        case {quoted(command.path)}"
        if valued:
            yield f"            set valued {' '.join(valued)}"
        if command.subcommands:
            yield f"            set subcommands {' '.join(command.subcommands)}"


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
    for flags, help_ in ((option.flags, option.help), (option.off, dict(option.described).get("".join(option.off)))):
        if flags:
            names = " ".join(f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in flags)
            yield f"complete -c qwen-cli -n {condition} {names}{_argument(option.value)} -d {quoted(help_ or '')}"


def _argument(value: Value | None) -> str:
    match value:
        case None:
            return ""
        case Value(at_file=True, words=words):
            return f" -x -a '(__qwen_cli_at_files){''.join(f' {word}' for word in words)}'"
        case Value(files=files) if files:
            if not files.suffixes:
                return " -r -F"
            how = "before" if files.with_others else "rather"
            return f" -x -k -a '(__qwen_cli_files {how} {' '.join(files.suffixes)})'"
        case Value(words=words) if words:
            return f" -x -a '{' '.join(words)}'"
        case _:
            return " -x"


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


TEMPLATE = r"""# Completion of qwen-cli for fish.
# Generated from the options by scripts/generate.py; no Python runs when Tab is pressed.

# COMMAND -> the caller's `valued` (flags that take a value) and `subcommands`.
function __qwen_cli_command --no-scope-shadowing
    set valued
    set subcommands
    switch $argv[1]
@CASES@
    end
end

# Read what stands before the cursor, into
#     __qwen_cli_path   the command, `-` where nothing can be said any more
#     __qwen_cli_flags  the flags given, without one that still awaits its value
#     __qwen_cli_rest   the other command line, of `sandbox`
function __qwen_cli_read
    set -l tokens (commandline -opc)
    set -l seen (string escape -- $tokens (commandline -ct) | string join ' ')
    test "$seen" = "$__qwen_cli_seen"; and return
    set -g __qwen_cli_seen $seen
    set -g __qwen_cli_path ''
    set -g __qwen_cli_flags
    set -g __qwen_cli_rest
    set -l valued
    set -l subcommands
    set -l awaiting
    set -l ended
    __qwen_cli_command ''
    set -e tokens[1]
    while set -q tokens[1]
        set -l token $tokens[1]
        if set -q awaiting[1]
            set -a __qwen_cli_flags $awaiting
            set awaiting
        else if not set -q ended[1]; and test "$token" = --
            set ended 1
        else if not set -q ended[1]; and string match -q -- '--*=*' $token
            set -a __qwen_cli_flags (string replace -r '=.*' '' -- $token)
        else if not set -q ended[1]; and string match -q -- '--*' $token
            if contains -- $token $valued
                set awaiting $token
            else
                set -a __qwen_cli_flags $token
            end
        else if not set -q ended[1]; and string match -q -- '-?*' $token
            # Short flags can be written together, the value of the last one with them.
            set -l letters (string split '' -- (string sub -s 2 -- $token))
            while set -q letters[1]
                set -l flag -$letters[1]
                set -e letters[1]
                if contains -- $flag $valued; and not set -q letters[1]
                    set awaiting $flag
                else
                    set -a __qwen_cli_flags $flag
                    contains -- $flag $valued; and break
                end
            end
        else if contains -- $token $subcommands
            set __qwen_cli_path (string trim -- "$__qwen_cli_path $token")
            set __qwen_cli_flags
            __qwen_cli_command $__qwen_cli_path
        else if contains -- "$__qwen_cli_path" @COMMAND@
            set __qwen_cli_path -
            set __qwen_cli_rest (string escape -- $tokens | string join ' ')' '(commandline -ct)
            break
        else if set -q subcommands[1]
            set __qwen_cli_path -
            break
        end
        set -e tokens[1]
    end
    if set -q awaiting[1]
        set __qwen_cli_flags (string match -v -- $awaiting $__qwen_cli_flags)
    end
end

# Whether one of these commands is being written.
function __qwen_cli_at
    __qwen_cli_read
    contains -- "$__qwen_cli_path" $argv
end

# Whether one of these flags has been given.
function __qwen_cli_given
    for flag in $argv
        contains -- $flag $__qwen_cli_flags; and return 0
    end
    return 1
end

# Whether the other command line, of `sandbox`, has begun.
function __qwen_cli_other
    __qwen_cli_read
    set -q __qwen_cli_rest[1]
end

# What is written of the value: of `--file=no`, the `no`.
function __qwen_cli_written
    string replace -r '^--[^=]*=' '' -- (commandline -ct)
end

# The files whose names start with $argv[1].
function __qwen_cli_paths
    complete --do-complete="'' $argv[1]" | string replace -r '\t.*' ''
end

function __qwen_cli_command_names
    complete --do-complete="$(commandline -ct)"
end

# Files with one of the suffixes, and folders; others as well (`before`), or only where there are none (`rather`).
function __qwen_cli_files # before|rather SUFFIX...
    set -l paths (__qwen_cli_paths (__qwen_cli_written))
    set -l wanted (string match -ri -- '^.*\.(?:'(string join '|' $argv[2..])')$' $paths)
    string join \n -- $wanted
    for path in $paths
        contains -- $path $wanted; and continue
        if test $argv[1] = before; or not set -q wanted[1]; or string match -q -- '*/' $path
            echo $path
        end
    end
end

# `@FILE`
function __qwen_cli_at_files
    set -l written (__qwen_cli_written)
    if string match -rq -- '^["\']?@' $written
        set -l name (string replace -r -- '^(["\']?)@' '$1' $written)
        # No shell would expand a ~ behind the @.
        string match -q -- '~*' $name; or string replace -r '^' '@' -- (__qwen_cli_paths $name)
    else
        echo @
    end
end

complete -c qwen-cli -f
@COMPLETIONS@
"""
