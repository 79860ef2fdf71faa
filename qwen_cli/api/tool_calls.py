"""Tool calls: complete ones, fragments of one, and whether they are those that were requested. No I/O."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from qwen_cli.api import json_text
from qwen_cli.api.members import JsonObject, as_object, member
from qwen_cli.errors import ProtocolError, QwenError
from qwen_cli.output.terminal import visible_json


class ToolCall(NamedTuple):
    """A function that the model wants called; `arguments` is JSON text, if the model kept to it."""

    id: str | None
    name: str
    arguments: str

    def as_json(self) -> str:
        """One line: `{"id":…,"name":…,"arguments":…}`, arguments as they are if they are valid JSON, else a string."""
        arguments = _compact(self.arguments)
        if arguments is None:
            arguments = _dumps(self.arguments)
        return visible_json(f'{{"id":{_dumps(self.id)},"name":{_dumps(self.name)},"arguments":{arguments}}}')


def _dumps(value: str | None) -> str:
    return json.dumps(value, ensure_ascii=False)


def _compact(text: str) -> str | None:
    """A JSON text in one line; None where it is none, or holds a number that readers would take for infinity."""
    try:
        if json_text.holds_infinity(json_text.loads(text)):
            return None
    except ValueError:
        return None
    return json_text.reformatted(text)


class CallPart(NamedTuple):
    """A tool call, or a fragment of one, as a message or a delta carries it."""

    number: int | None
    """The index that it came with, if any."""
    id: str | None
    name: str
    arguments: str


class CallReader:
    """Puts tool calls together from their fragments."""

    def __init__(self) -> None:
        self._calls: list[tuple[int, CallPart, list[str]]] = []

    def read(self, part: CallPart) -> None:
        """Add a fragment to the call that it continues, or begin another with it."""
        for position in reversed(range(len(self._calls))):
            index, call, fragments = self._calls[position]
            if part.number in (None, index):
                if _continues(part, call):
                    whole = call._replace(id=call.id or part.id, name=call.name or part.name)
                    self._calls[position] = (index, whole, fragments)
                    fragments.append(part.arguments)
                    return
                break
        last = self._calls[-1][0] if self._calls else 0
        self._calls.append((last if part.number is None else part.number, part, [part.arguments]))

    def finish(self) -> list[ToolCall]:
        """The calls in the order of their indexes; those of the same index as they came."""
        calls = sorted(self._calls, key=lambda each: each[0])
        return [ToolCall(call.id, call.name, "".join(fragments)) for _, call, fragments in calls]


def _continues(part: CallPart, call: CallPart) -> bool:
    """Whether a fragment goes on with that call, the last one of its index or, where it has none, the last of all.

    Not every server counts: some give each call the same index or none, but then its name and an id come with it.
    Others send each fragment with the name, or with another id.
    """
    is_named_again = bool(part.name and call.name)
    has_other_id = bool(part.id and call.id and part.id != call.id)
    if part.number is None:
        return not has_other_id and not (is_named_again and part.id is None)
    return not (is_named_again and has_other_id)


def calls_in(message: JsonObject, where: str, *, numbered: bool = False) -> Iterator[CallPart]:
    """The tool calls, or fragments, of a message or a delta; a custom call's input stands for its arguments."""
    for number, value in enumerate(member(message, "tool_calls", list, where) or ()):
        place = f"{where}.tool_calls[{number}]"
        call = as_object(value, place)
        function = member(call, "function", dict, place) or {}
        custom = member(call, "custom", dict, place) or {}
        yield CallPart(
            _index(call, place) if numbered else None,
            member(call, "id", str, place) or None,
            member(function or custom, "name", str, place) or "",
            member(function, "arguments", str, place) or member(custom, "input", str, place) or "",
        )
    if function := member(message, "function_call", dict, where):  # what tool calls were called before
        place = f"{where}.function_call"
        yield CallPart(
            0, None, member(function, "name", str, place) or "", member(function, "arguments", str, place) or ""
        )


def _index(call: JsonObject, where: str) -> int | None:
    index = call.get("index")
    if index is None:
        return None
    if isinstance(index, bool) or not isinstance(index, int | float) or not 0 <= index < 10_000:  # noqa: PLR2004
        raise ProtocolError(f"{where}.index is not a small number")
    return int(index)


def check_tool_choice(calls: list[ToolCall], choice: Any) -> QwenError | None:
    """Hold the calls against the `tool_choice` that was asked for: any call, or calls of one function only."""
    if isinstance(choice, dict):
        function = choice.get(str(choice.get("type")))
        name = function.get("name") if isinstance(function, dict) else None
    elif choice == "required":
        name = None
    else:
        return None
    if not calls and (name is not None or choice == "required"):
        return ProtocolError(f"the answer calls no tool, although {_asked_for(name)} was requested")
    others = [call.name for call in calls if name not in (None, call.name)]
    if others:
        return ProtocolError(f"the answer calls {others[0]}, although {_asked_for(name)} was requested")
    return None


def _asked_for(name: Any) -> str:
    return "a call" if name is None else f"a call of {name}"
