"""Groups of options as parameters: spread into the flat signature that Typer reads, gathered again on the call."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any, TypeVar, get_type_hints

import click

from qwen_cli.cli.options import EXCLUSIVE, OPTIONS
from qwen_cli.errors import InvalidUsage

R = TypeVar("R")


def settle_conflicts(values: dict[str, Any], context: click.Context) -> None:
    """Hold `EXCLUSIVE` against what was given: a flag overrules the variable of its rival, two equals are an error."""
    for rivals in EXCLUSIVE:
        given = [name for name in rivals if values.get(name)]
        if len(given) < 2:  # noqa: PLR2004
            continue
        flags = [name for name in given if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE]
        if len(flags) != 1:
            names = {parameter.name: max(parameter.opts, key=len) for parameter in context.command.params}
            raise InvalidUsage(" and ".join(names[name] for name in flags or given) + " cannot be combined")
        for name in set(given) - set(flags):
            values[name] = None


class Without:
    """Options of a group that a command does not take: `Annotated[PromptOptions, Without("no_stdin")]`."""

    def __init__(self, *fields: str) -> None:
        self.fields = fields


def gathering(command: Callable[..., R]) -> Callable[..., R]:
    """Let a command take groups of options, where Typer wants one parameter for each option."""
    parameters: list[inspect.Parameter] = []
    groups: dict[str, Any] = {}
    for parameter in inspect.signature(command).parameters.values():
        group = parameter.annotation
        left_out: tuple[str, ...] = ()
        for without in getattr(group, "__metadata__", ()):
            if isinstance(without, Without):
                group, left_out = group.__origin__, without.fields
        if not hasattr(group, "_field_defaults"):
            parameters.append(parameter)
            continue
        groups[parameter.name] = group
        hints = get_type_hints(group)
        parameters += [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[hints[name], OPTIONS[name]]
            )
            for name, default in group._field_defaults.items()
            if name not in left_out
        ]

    def gather(**values: Any) -> R:
        settle_conflicts(values, click.get_current_context())
        for name, group in groups.items():
            values[name] = group(**{field: values.pop(field) for field in group._fields if field in values})
        return command(**values)

    gather.__name__, gather.__doc__ = command.__name__, command.__doc__
    gather.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # inspect.signature looks at it
    gather.__annotations__ = {}
    return gather
