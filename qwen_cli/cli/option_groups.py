"""Groups of options as parameters: spread into the flat signature that Typer reads, gathered again on the call.

A command takes an option as a parameter of its name in `OPTIONS`. What several commands pass on together is a group: a
named tuple (a frozen dataclass takes four times as long to make at every start) that stands where its values are used.
"""

import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, NamedTuple, TypeVar, get_type_hints

import click
import typer

from qwen_cli.cache import CacheOptions
from qwen_cli.cli.option_types import Awaited, Operand
from qwen_cli.cli.options import EXCLUSIVE, NOT_TAKEN, OPTIONS, VARIABLE_PREFIX
from qwen_cli.endpoint import SendingOptions
from qwen_cli.errors import InvalidUsage
from qwen_cli.key.redaction import VARIABLES
from qwen_cli.output.stderr import Notes
from qwen_cli.prompt.messages import PromptOptions
from qwen_cli.prompt.standard_input import standard_input
from qwen_cli.request.body import RequestOptions

R = TypeVar("R")

Words = Annotated[list[str] | None, typer.Argument(metavar="[PROMPT]...", click_type=Operand())]
"""The operands of a command that takes a prompt."""


class CommonOptions(NamedTuple):
    """What every command that makes a request takes."""

    prompt: PromptOptions
    request: RequestOptions
    caching: CacheOptions
    sending: SendingOptions
    verbose: bool = False
    quiet: bool = False
    dry_run: bool = False
    curl: bool = False

    @property
    def notes(self) -> Notes:
        return Notes(quiet=self.quiet, verbose=self.verbose)

    @property
    def is_preview(self) -> bool:
        """Whether the request is printed instead of sent."""
        return self.dry_run or self.curl

    @property
    def is_sent(self) -> bool:
        """Whether a request may be sent at all."""
        return not (self.is_preview or self.caching.cache_only)


class ManyOptions(NamedTuple):
    """What every command takes that asks about the items of standard input."""

    parallel: int = 8
    null: bool = False
    jsonl: bool = False
    csv: bool = False
    fail_fast: bool = False
    max_usd: float | None = None

    @property
    def has_members(self) -> bool:
        """Whether `{name}` stands for a part of an item."""
        return self.jsonl or self.csv


class ShowOptions(NamedTuple):
    """What of an answer is printed."""

    show: str | None = None
    reasoning: bool = False
    code: bool = False
    no_newline: bool = False

    @property
    def both(self) -> bool:
        return self.show == "both"

    @property
    def wanted(self) -> str:
        """What standard output is for: `content`, `reasoning` or `calls`."""
        if self.reasoning:
            return "reasoning"
        return self.show if self.show in ("reasoning", "calls") else "content"


def gathering(command: Callable[..., R]) -> Callable[..., R]:
    """Let a command take options and groups of them, where Typer wants one annotated parameter for each option."""
    order = {name: place for place, name in enumerate(OPTIONS)}
    parameters = sorted(_spread(command), key=lambda parameter: order.get(parameter.name, -1))
    not_taken = NOT_TAKEN.get(command.__name__, ())
    reads_items = "parallel" in {parameter.name for parameter in parameters}

    def gather(**values: Any) -> R:
        if reads_items:
            standard_input.claim(command.__name__)
        notes = Notes(quiet=values.get("quiet", False))
        settle_conflicts(values, click.get_current_context())
        read_awaited(values, notes)
        note_unknown_variables(notes)
        return _gathered(command, values)

    gather.__name__ = command.__name__
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


def read_awaited(values: dict[str, Any], notes: Notes) -> None:
    """Read the one value that comes from standard input, if there is one, before anything else is done."""
    for name, value in values.items():
        if isinstance(value, Awaited):
            values[name] = value.parse(standard_input.read(notes.note))
        elif isinstance(value, list | tuple) and any(isinstance(each, Awaited) for each in value):
            text = standard_input.read(notes.note)
            values[name] = [each.parse(text) if isinstance(each, Awaited) else each for each in value]


def note_unknown_variables(notes: Notes) -> None:
    """Note each QWEN_CLI_ variable that belongs to no option, and the nearest name that does, or that of the key."""
    known = {name.removeprefix(VARIABLE_PREFIX) for option in OPTIONS.values() for name in option.envvar or ()}
    for name in sorted(os.environ):
        option = name.removeprefix(VARIABLE_PREFIX)
        if option not in (name, *known):
            close = [f"{VARIABLE_PREFIX}{each}" for each in get_close_matches(option, known, n=1)]
            if option.endswith(("KEY", "TOKEN")):
                close = [VARIABLES[0]]
            hint = f"; did you mean {close[0]}?" if close else ""
            notes.note(f"unknown variable {name}{hint}")
