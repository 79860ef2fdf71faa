"""Responses and chunks -> content, reasoning, tool calls, usage and a verdict. No I/O."""

import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from qwen_cli.api import json_text
from qwen_cli.api.api_errors import error_within
from qwen_cli.errors import IncompleteAnswer, ProtocolError, QwenError

JsonObject = dict[str, Any]

MOST_KEPT: Final = 64 << 20
"""Characters: the most that is kept of a stream, which is printed as it comes but for what is judged at its end."""


@dataclass(eq=False)
class ToolCall:
    """A function that the model wants called; `arguments` is JSON text, if the model kept to it."""

    id: str | None = None
    name: str = ""
    fragments: list[str] = field(default_factory=list)

    @property
    def arguments(self) -> str:
        return "".join(self.fragments)

    def as_json(self) -> str:
        """One line: `{"id":…,"name":…,"arguments":…}`, arguments parsed when they are valid JSON."""
        arguments: Any = self.arguments
        with suppress(ValueError):
            arguments = json_text.loads(arguments)
        return json.dumps(
            {"id": self.id, "name": self.name, "arguments": arguments}, ensure_ascii=False, separators=(",", ":")
        )


@dataclass(eq=False)
class Answer:
    """What is known of an answer: all of it once a completion was read, or what a stream has brought so far.

    A stream is printed as it comes, so its text is not kept here unless asked for: `has` says what there was.
    """

    content: str = ""
    reasoning: str = ""
    has: set[str] = field(default_factory=set)
    refusal: str = ""
    tool_calls: list[ToolCall] = field(default_factory=list)
    finish_reason: str | None = None
    usage: JsonObject | None = None
    meta_usage: JsonObject | None = None


class Delta(NamedTuple):
    """What one chunk adds."""

    content: str = ""
    reasoning: str = ""


def read_completion(body: bytes) -> Answer:
    """Read the body of a whole response; ProtocolError where it is not one."""
    response = _object(parse_json(body, "the response"), "the response")
    if failure := error_within(response, "the response holds an error"):
        raise failure
    choice = _first_choice(response, "the response")
    if choice is None:
        raise ProtocolError("the response has no choices")
    message = member(choice, "message", dict, "choices[0]")
    if message is None:
        raise ProtocolError("the response has no choices[0].message")
    where = "choices[0].message"
    answer = Answer(
        content=member(message, "content", str, where) or "",
        reasoning=member(message, "reasoning_content", str, where) or "",
        refusal=member(message, "refusal", str, where) or "",
        finish_reason=member(choice, "finish_reason", str, "choices[0]"),
    )
    answer.has = {name for name in ("content", "reasoning") if getattr(answer, name)}
    for number, call in enumerate(member(message, "tool_calls", list, where) or ()):
        _merge_call(answer.tool_calls, _object(call, f"{where}.tool_calls[{number}]"), number, where)
    read_usage(answer, response)
    return answer


class ChunkReader:
    """Puts an answer together from the chunks of a stream."""

    def __init__(self, *, keep_content: bool) -> None:
        self._answer = Answer()
        self._keep_content = keep_content
        self._kept: list[str] = []
        self._refusal: list[str] = []
        self._size = 0

    @property
    def is_finished(self) -> bool:
        """Whether the finish reason has come: all that says that an answer is whole."""
        return self._answer.finish_reason is not None

    def read(self, data: str) -> Delta:
        """Read the JSON of one chunk; ProtocolError where it is not one, or the error that it carries."""
        what = "a chunk of the stream"
        chunk = _object(parse_json(data, what), what)
        if failure := error_within(chunk, "the stream broke off with an error"):
            raise failure
        answer = self._answer
        read_usage(answer, chunk)
        choice = _first_choice(chunk, what)
        if choice is None:
            return Delta()
        where = "choices[0].delta"
        delta = member(choice, "delta", dict, "choices[0]") or {}
        content = member(delta, "content", str, where) or ""
        reasoning = member(delta, "reasoning_content", str, where) or ""
        if content:
            answer.has.add("content")
        if reasoning:
            answer.has.add("reasoning")
        if self._keep_content and content:
            self._keep(self._kept, content)
        if refusal := member(delta, "refusal", str, where):
            self._keep(self._refusal, refusal)
        for fragment in member(delta, "tool_calls", list, where) or ():
            call = _object(fragment, f"{where}.tool_calls[]")
            number = _index(call, f"{where}.tool_calls[]")
            _merge_call(answer.tool_calls, call, number, where)
            self._count(answer.tool_calls[number].fragments[-1])
        answer.finish_reason = member(choice, "finish_reason", str, "choices[0]") or answer.finish_reason
        return Delta(content, reasoning)

    def _keep(self, texts: list[str], text: str) -> None:
        self._count(text)
        texts.append(text)

    def _count(self, text: str) -> None:
        self._size += len(text)
        if self._size > MOST_KEPT:
            raise ProtocolError(f"what has to be kept of the stream is more than {MOST_KEPT >> 20} MiB")

    def finish(self) -> Answer:
        """The answer so far; its content only if it was to be kept."""
        self._answer.content = "".join(self._kept)
        self._answer.refusal = "".join(self._refusal)
        return self._answer


def parse_json(text: str | bytes, what: str) -> Any:
    try:
        return json_text.loads(text)
    except ValueError as error:
        reason = "empty" if not text.strip() else f"not JSON: {error}"
        raise ProtocolError(f"{what} is {reason}") from None


def _object(value: Any, where: str) -> JsonObject:
    if not isinstance(value, dict):
        raise ProtocolError(f"{where} is not a JSON object but {kind_of(value)}")
    return value


def member(parent: JsonObject, name: str, kind: type, where: str) -> Any:
    """The member if it is there and of that kind; None where it is absent or null."""
    value = parent.get(name)
    if value is None or isinstance(value, kind):
        return value
    raise ProtocolError(f"{where}.{name} is not {_KINDS[kind]} but {kind_of(value)}")


_KINDS: dict[type, str] = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
}


def kind_of(value: Any) -> str:
    return "null" if value is None else _KINDS[type(value)]


def _first_choice(response: JsonObject, what: str) -> JsonObject | None:
    choices = member(response, "choices", list, what)
    if choices is None and not (response.get("usage") or response.get("meta")):
        raise ProtocolError(f"{what} has no choices")
    for choice in choices or ():
        if _object(choice, "choices[]").get("index", 0) == 0:
            return _object(choice, "choices[]")
    return None


def _index(call: JsonObject, where: str) -> int:
    index = call.get("index", 0)
    if isinstance(index, bool) or not isinstance(index, int | float) or not 0 <= index < 10_000:  # noqa: PLR2004
        raise ProtocolError(f"{where}.index is not a small number")
    return int(index)


def _merge_call(calls: list[ToolCall], part: JsonObject, index: int, where: str) -> None:
    """Add a whole call, or a fragment of one, to the calls; a custom call's input stands for its arguments."""
    where = f"{where}.tool_calls[{index}]"
    while len(calls) <= index:
        calls.append(ToolCall())
    call = calls[index]
    call.id = member(part, "id", str, where) or call.id
    function = member(part, "function", dict, where) or {}
    custom = member(part, "custom", dict, where) or {}
    call.name = member(function or custom, "name", str, where) or call.name
    call.fragments.append(member(function, "arguments", str, where) or member(custom, "input", str, where) or "")


def read_usage(answer: Answer, response: JsonObject) -> None:
    """Take the usage, and what it cost under `meta.usage`, from a body or a chunk that carries them."""
    answer.usage = member(response, "usage", dict, "the response") or answer.usage
    meta = member(response, "meta", dict, "the response") or {}
    answer.meta_usage = member(meta, "usage", dict, "meta") or answer.meta_usage


def verdict(answer: Answer, wanted: str) -> QwenError | None:
    """Why the answer is not whole; None when it is. `wanted`: `content` or `reasoning`."""
    if answer.refusal:
        return IncompleteAnswer(f"the model refused: {answer.refusal}")
    if answer.finish_reason is None:
        return IncompleteAnswer("the answer ended without a finish reason, so it is not whole")
    if answer.finish_reason == "length":
        spent = "" if answer.has & {wanted} else f" before any {wanted} came"
        return IncompleteAnswer(f"the answer was cut at the limit of tokens{spent}", advice="raise --max-tokens")
    if answer.finish_reason == "content_filter":
        return IncompleteAnswer("the answer was cut by the content filter")
    if wanted in answer.has or (answer.tool_calls and wanted == "content"):
        return None
    return IncompleteAnswer(f"the answer has no {wanted}")


def check_format(content: str, response_format: Any) -> QwenError | None:
    """Hold content against the `response_format` that was asked for: JSON, and an object for `json_object`."""
    kind = response_format.get("type") if isinstance(response_format, dict) else None
    if kind not in ("json_object", "json_schema"):
        return None
    try:
        value = json_text.loads(content)
    except ValueError as error:
        return ProtocolError(f"the answer is not JSON, though {kind} was asked for: {error}")
    if kind == "json_object" and not isinstance(value, dict):
        return ProtocolError(f"the answer is not a JSON object but {kind_of(value)}, though json_object was asked for")
    return None
