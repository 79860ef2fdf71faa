"""Tool calls: reading them, joining their fragments, and whether they are those that were requested. No I/O."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from qwen_cli import json_text
from qwen_cli.answer.members import member, note_odd
from qwen_cli.errors import ProtocolError, QwenError
from qwen_cli.text import visible_json


class ToolCall(NamedTuple):
    """A function that the model calls, or a fragment of that; `arguments` should be JSON text."""

    id: str | None
    name: str
    arguments: str

    def completed(self) -> "ToolCall":
        """The call, once all of it has come: without arguments, they are an empty object."""
        return self if self.arguments.strip() else self._replace(arguments="{}")

    def as_object(self) -> dict[str, Any]:
        """Id, name and arguments, these as a string if they are not valid JSON."""
        arguments: Any = self.arguments
        try:
            parsed = json_text.loads(arguments)
        except ValueError:
            pass
        else:
            arguments = parsed if json_text.is_finite(parsed) else arguments
        return {"id": self.id, "name": self.name, "arguments": arguments}

    def as_json(self) -> str:
        """One line: `{"id":…,"name":…,"arguments":…}`."""
        return visible_json(json_text.compact(self.as_object()))


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

    def read(self, index: int | None, part: ToolCall) -> None:
        """Add a fragment to the call that it continues, or begin another."""
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
        return [ToolCall(call.id, call.name, "".join(call.arguments)).completed() for call in calls]


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


def calls_in(message: Mapping[str, Any], odd: list[str]) -> Iterator[tuple[int | None, ToolCall]]:
    """The tool calls of a message, or the fragments in a delta, each with its index, if it has one.

    Some servers send a single call without the array.
    """
    calls = message.get("tool_calls")
    if isinstance(calls, dict) and "function" in calls:
        message = {"tool_calls": [calls]}
    for call in member(message, "tool_calls", list, odd) or ():
        if not isinstance(call, dict):
            note_odd(odd, "a tool call is not an object")
            continue
        function = member(call, "function", dict, odd) or {}
        arguments = function.get("arguments") or ""
        if not isinstance(arguments, str):
            arguments = json_text.compact(arguments)
        index = call.get("index")
        is_index = isinstance(index, int) and not isinstance(index, bool)
        name = member(function, "name", str, odd) or ""
        yield index if is_index else None, ToolCall(member(call, "id", str, odd) or None, name, arguments)


def named(calls: Iterable[ToolCall], odd: list[str]) -> list[ToolCall]:
    """Those that name a function: any other is none."""
    found = list(calls)
    if not all(call.name for call in found):
        note_odd(odd, "a tool call has no name")
    return [call for call in found if call.name]


def check_tool_choice(calls: Sequence[ToolCall], choice: Any) -> QwenError | None:
    """Check the calls against the `tool_choice` of the request: any call, or calls of one function only."""
    name = None
    if isinstance(choice, dict):
        function = choice.get("function")
        name = function.get("name") if isinstance(function, dict) else None
    if name is None and choice != "required":
        return None
    requested = "a call" if name is None else f"a call to {name}"
    if not calls:
        return ProtocolError(f"the answer calls no tool, although {requested} was requested")
    others = [call.name for call in calls if name not in (None, call.name)]
    return ProtocolError(f"the answer calls {others[0]}, although {requested} was requested") if others else None
