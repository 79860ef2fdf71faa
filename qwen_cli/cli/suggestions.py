"""Usage errors: one line that says what was wrong, and what was meant, where that is likely."""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import click

from qwen_cli.cli.option_types import source_of
from qwen_cli.cli.options import NOT_TAKEN, OPTIONS

_CONVERSATION: Final = "a conversation continues with --chat FILE"
_OPTIONS_OF_PEERS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("--api-key", "--key", "--token"), "a key is never an option: store it with 'qwen-cli key set'"),
    **dict.fromkeys(("--continue", "-c", "--cid", "--session", "--repl", "--interactive"), _CONVERSATION),
    **dict.fromkeys(("--list-models", "--models"), "'qwen-cli models' lists them"),
    **dict.fromkeys(("--host", "--url", "--api-base", "--endpoint"), "did you mean --base-url?"),
    **dict.fromkeys(("--attachment", "--attach", "-a"), "did you mean --image, or --file for text?"),
    **dict.fromkeys(("--extract", "--extract-last"), "did you mean --code?"),
    **dict.fromkeys(("--role", "--system-prompt", "--instructions"), "did you mean --system?"),
    **dict.fromkeys(("--think", "--thinking"), "did you mean --reasoning-effort?"),
    **dict.fromkeys(("--markdown", "--md"), "did you mean --pretty?"),
    "--no-stream": "ask does not stream",
    "--option": "did you mean -F KEY=VALUE?",
    "--format": "did you mean --response-format?",
    "--prompt": "the prompt is given without an option",
    "--raw": "did you mean 'qwen-cli json'?",
}
"""What other programs of this kind call an option, and what it is here, in commands that have what is named."""

_COMMANDS_OF_PEERS: Final[Mapping[str, str]] = {
    "chat": "a conversation continues with 'qwen-cli ask --chat FILE PROMPT'",
    "logs": "nothing is logged: --chat FILE keeps a conversation, --save FILE a response",
    "run": "the model is an option: qwen-cli ask -m MODEL PROMPT",
    **dict.fromkeys(("list", "ls"), "'qwen-cli models' lists the models"),
    **dict.fromkeys(("config", "login", "auth"), "'qwen-cli key set' stores the key, and variables hold the options"),
    "serve": "'qwen-cli sandbox' serves a stand-in for the API, but no model",
}
"""The same for commands. `prompt` is `ask`."""

_FLAG: Final = re.compile(r"(?<!\S)--?\w[\w-]*")
_MOST_SUGGESTED: Final = 3


def no_such_command(words: list[str], known: list[str], context: click.Context) -> click.UsageError:
    """The error about a command that does not exist, or a prompt without one."""
    name, *rest = words
    is_program = context.parent is None
    close = similar(name, known)
    if is_program and name in _COMMANDS_OF_PEERS:
        return click.UsageError(f"no such command: {name}; {_COMMANDS_OF_PEERS[name]}", context)
    is_prose = len(name.split()) > 1 or (not close and rest not in ([], ["--help"]))
    if is_program and (is_prose or name == "prompt"):
        prompt = rest if name == "prompt" else words
        return click.UsageError(f"no such command; did you mean: {shlex.join(['qwen-cli', 'ask', *prompt])}", context)
    if f"--{name}" in _flags(context.command.get_params(context)):
        hint = f"did you mean --{name}?"
    elif close:
        hint = f"did you mean {' or '.join(close)}?"
    else:
        hint = f"the commands are {', '.join(known)}"
        if is_program and rest != ["--help"]:
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
    flags, name = _flags(parameters), name.replace("_", "-")
    peers = _OPTIONS_OF_PEERS.get(name, "")
    if peers and (isinstance(context.command, click.Group) or set(_FLAG.findall(peers)) <= {*flags}):
        return peers
    program = context.find_root()
    commands = program.command.list_commands(program) if isinstance(program.command, click.Group) else []
    words = [*commands, *_flags(program.command.get_params(program))]
    meant = next((word for word in (name.removeprefix("--"), name) if word in words), context.info_name)
    if meant != context.info_name:
        return f"did you mean '{program.command_path} {meant}'?"
    if isinstance(context.command, click.Group) and (owner := _command_with(name, context.command, context)):
        return f"put it after the command: {context.command_path} {owner} {name}"
    close = similar(name, [flag for flag in flags if flag.startswith("--")])
    return f"did you mean {' or '.join(close)}?" if close else ""


def similar(name: str, known: Sequence[str]) -> Sequence[str]:
    """Those that the name is the beginning of, or else one slip of the finger away from; none if those are too many."""
    beginning = [each for each in known if len(name.lstrip("-")) > 1 and each.startswith(name)]
    found = beginning or [each for each in known if _is_one_slip(name, each)]
    return found if len(found) <= _MOST_SUGGESTED else []


def _is_one_slip(one: str, other: str) -> bool:
    """Whether a letter is missing, too many, wrong, or in the place of its neighbour."""
    short, long = sorted((one, other), key=len)
    start = next((place for place, pair in enumerate(zip(short, long, strict=False)) if pair[0] != pair[1]), len(short))
    rest, longer = short[start:], long[start:]
    if len(short) < len(long):
        return rest == longer[1:]
    return rest[1:] == longer[1:] or (rest[:2] == longer[1::-1] and rest[2:] == longer[2:])


def _command_with(flag: str, group: click.Group, context: click.Context) -> str | None:
    """The first command of the group that has that option."""
    commands = ((name, group.get_command(context, name)) for name in group.list_commands(context))
    return next((name for name, command in commands if command and flag in _flags(command.get_params(context))), None)


def _flags(parameters: Iterable[click.Parameter]) -> list[str]:
    return [flag for parameter in parameters for flag in (*parameter.opts, *parameter.secondary_opts)]
