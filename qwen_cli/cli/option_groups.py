"""Groups of options as parameters: spread into the flat signature that Typer reads, gathered again on the call."""

import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar, get_type_hints

import click

from qwen_cli.cli.options import EXCLUSIVE, NOT_TAKEN, OPTIONS, VARIABLE_PREFIX
from qwen_cli.errors import InvalidUsage
from qwen_cli.output.stderr import Notes

R = TypeVar("R")


def gathering(command: Callable[..., R]) -> Callable[..., R]:
    """Let a command take options and groups of them, where Typer wants one annotated parameter for each option."""
    order = {name: place for place, name in enumerate(OPTIONS)}
    parameters = sorted(_spread(command), key=lambda parameter: order.get(parameter.name, -1))
    not_taken = NOT_TAKEN.get(command.__name__, ())

    def gather(**values: Any) -> R:
        settle_conflicts(values, click.get_current_context())
        note_unknown_variables(Notes(quiet=values.get("quiet", False)))
        return _gathered(command, values)

    gather.__name__, gather.__doc__ = command.__name__, command.__doc__
    gather.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # inspect.signature looks at it
        [parameter for parameter in parameters if parameter.name not in not_taken]
    )
    gather.__annotations__ = {}
    return gather


def _is_group(hint: Any) -> bool:
    return hasattr(hint, "_fields")


def _spread(owner: Callable[..., Any]) -> Iterator[inspect.Parameter]:
    """The parameters of a command or of a group, one for each option, those of the groups within it included."""
    hints = get_type_hints(owner, include_extras=True)
    for name, parameter in inspect.signature(owner).parameters.items():
        if _is_group(hints[name]):
            yield from _spread(hints[name])
        elif name in OPTIONS:
            yield parameter.replace(
                kind=inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[hints[name], OPTIONS[name]]
            )
        else:
            yield parameter


def _gathered(owner: Callable[..., R], values: Mapping[str, Any]) -> R:
    """The result of a command, or a group, called with its part of the values."""
    arguments = {
        name: _gathered(hint, values) if _is_group(hint) else values[name]
        for name, hint in get_type_hints(owner).items()
        if _is_group(hint) or name in values
    }
    return owner(**arguments)


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


def note_unknown_variables(notes: Notes) -> None:
    """Note each QWEN_CLI_ variable that belongs to no option, and the nearest name that does."""
    known = {name.removeprefix(VARIABLE_PREFIX) for option in OPTIONS.values() for name in option.envvar or ()}
    for name in sorted(os.environ):
        option = name.removeprefix(VARIABLE_PREFIX)
        if option not in (name, *known):
            close = get_close_matches(option, known, n=1)
            hint = f"; did you mean {VARIABLE_PREFIX}{close[0]}?" if close else ""
            notes.note(f"unknown variable {name}{hint}")
