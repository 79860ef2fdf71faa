"""Tool calls: reading them, joining their fragments, and whether they are those that were requested. No I/O."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from qwen_cli import json_text
from qwen_cli.answer.members import JsonObject, as_object, member
from qwen_cli.errors import ProtocolError, QwenError
from qwen_cli.output.terminal import visible_json


class ToolCall(NamedTuple):
    """A function that the model calls, or a fragment of that; `arguments` should be JSON text."""

    id: str | None
    name: str
    arguments: str

    def as_json(self) -> str:
        """One line: `{"id":…,"name":…,"arguments":…}`, with the arguments as a string if they are not valid JSON."""
        arguments = _compact(self.arguments) or _dumps(self.arguments)
        return visible_json(f'{{"id":{_dumps(self.id)},"name":{_dumps(self.name)},"arguments":{arguments}}}')


def _dumps(value: str | None) -> str:
    return json.dumps(value, ensure_ascii=False)


def _compact(text: str) -> str | None:
    """A JSON text on one line; None if it is invalid, or holds a number that reads as infinity."""
    try:
        if json_text.holds_infinity(json_text.loads(text)):
            return None
    except ValueError:
        return None
    return json_text.reformatted(text)


@dataclass
class _OpenCall:
    """A call to which more fragments may be added."""

    index: int
    id: str | None
    name: str
    arguments: list[str]


class CallReader:
    """Joins the fragments of tool calls."""

    def __init__(self) -> None:
        self._calls: list[_OpenCall] = []

    def read(self, number: Any, part: ToolCall) -> None:
        """Add a fragment to the call that it continues, or begin another; ProtocolError if `number` is not an index."""
        index = _small_number(number)
        last = next((call for call in reversed(self._calls) if index in (None, call.index)), None)
        if last is not None and _continues(last, index, part):
            last.id = last.id or part.id
            last.name = last.name or part.name
            last.arguments.append(part.arguments)
            return
        if index is None:
            index = last.index if last else 0
        self._calls.append(_OpenCall(index, part.id, part.name, [part.arguments]))

    def finish(self) -> list[ToolCall]:
        """The calls in the order of their indexes; those of the same index as they came."""
        calls = sorted(self._calls, key=lambda call: call.index)
        return [ToolCall(call.id, call.name, "".join(call.arguments)) for call in calls]


def _small_number(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 10_000:  # noqa: PLR2004
        raise ProtocolError("the index of a tool call is out of range")
    return int(value)


def _continues(call: _OpenCall, index: int | None, part: ToolCall) -> bool:
    """Whether a fragment continues that call, the last one of its index or, if it has none, the last of all.

    Not every server counts: some give each call the same index or none, but then its name and an id come with it.
    Others send each fragment with the name, or with another id.
    """
    is_named_again = bool(part.name and call.name)
    has_other_id = bool(part.id and call.id and part.id != call.id)
    if index is None:
        return not has_other_id and not (is_named_again and part.id is None)
    return not (is_named_again and has_other_id)


def calls_in(message: JsonObject, where: str) -> Iterator[tuple[Any, ToolCall]]:
    """The tool calls of a message, or the fragments in a delta, each with its `index`, unchecked.

    The input of a custom call stands for its arguments.
    """
    for number, value in enumerate(member(message, "tool_calls", list, where) or ()):
        place = f"{where}.tool_calls[{number}]"
        call = as_object(value, place)
        function = member(call, "function", dict, place) or {}
        custom = member(call, "custom", dict, place) or {}
        name = member(function or custom, "name", str, place) or ""
        arguments = member(function, "arguments", str, place) or member(custom, "input", str, place) or ""
        yield call.get("index"), ToolCall(member(call, "id", str, place) or None, name, arguments)
    if function := member(message, "function_call", dict, where):  # what tool calls were called before
        place = f"{where}.function_call"
        name = member(function, "name", str, place) or ""
        yield 0, ToolCall(None, name, member(function, "arguments", str, place) or "")


def check_tool_choice(calls: Sequence[ToolCall], choice: Any) -> QwenError | None:
    """Check the calls against the `tool_choice` of the request: any call, or calls of one function only."""
    name = None
    if isinstance(choice, dict):
        function = choice.get(str(choice.get("type")))
        name = function.get("name") if isinstance(function, dict) else None
    if name is None and choice != "required":
        return None
    requested = "a call" if name is None else f"a call to {name}"
    if not calls:
        return ProtocolError(f"the answer calls no tool, although {requested} was requested")
    others = [call.name for call in calls if name not in (None, call.name)]
    return ProtocolError(f"the answer calls {others[0]}, although {requested} was requested") if others else None
