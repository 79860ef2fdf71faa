"""The commands and options that the program declares, read off Click."""

from functools import cache

import click

from qwen_cli.cli.commands import build

PATHS = [
    ("ask",),
    ("stream",),
    ("json",),
    ("cost",),
    ("check",),
    ("map",),
    ("filter",),
    ("models",),
    ("key", "set"),
    ("key", "status"),
    ("key", "delete"),
]
ALL_PATHS = [(), *PATHS, ("key",), ("sandbox",)]


def parameters(*path: str) -> list[click.Parameter]:
    """What a command declares, in Click's terms."""
    command: click.Command = build()
    context = click.Context(command, **command.context_settings)
    for name in path:
        assert isinstance(command, click.Group)
        child = command.get_command(context, name)
        assert child is not None
        command, context = child, click.Context(child, parent=context, **child.context_settings)
    return command.get_params(context)


@cache
def options(*path: str) -> list[click.Option]:
    """The options of a command, its `--help` included."""
    return [parameter for parameter in parameters(*path) if isinstance(parameter, click.Option)]


def flags(option: click.Option) -> set[str]:
    """All spellings of an option."""
    return {*option.opts, *option.secondary_opts}
