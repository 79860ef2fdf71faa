"""Usage errors: one line that says what was wrong, and what was probably meant."""

import shlex
from collections.abc import Iterable
from difflib import get_close_matches

import click

from qwen_cli.cli.option_types import source_of
from qwen_cli.cli.options import NOT_TAKEN, OPTIONS


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


def suggestion(name: str, arguments: list[str], context: click.Context) -> str:
    """What to do about an option that does not exist; `name` is the beginning of one of the arguments."""
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
