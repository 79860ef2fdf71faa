"""A whole response -> the answer in it: content, reasoning, tool calls and usage. No I/O.

Only what is needed can fail: a member of an odd type counts as absent, and is remembered in `Answer.odd`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qwen_cli import json_text
from qwen_cli.answer.members import JsonObject, member, parse_object
from qwen_cli.answer.message import read_texts
from qwen_cli.answer.server_errors import error_in
from qwen_cli.answer.thinking import split_thoughts, split_unopened
from qwen_cli.answer.tool_calls import ToolCall, calls_in, named
from qwen_cli.errors import ProtocolError, QwenError

_HOLDS_ERROR = "the response holds an error"
TEXTS = ("content", "reasoning")


@dataclass(eq=False)
class Answer:
    """The answer of a completion, or what has arrived of a stream so far.

    The text of a stream is not kept here unless it is needed; `has` names the texts that were not empty.
    """

    content: str = ""
    reasoning: str = ""
    refusal: str = ""
    has: set[str] = field(default_factory=set)
    is_still_thinking: bool = False
    """Whether reasoning that began in the content never ended."""
    tool_calls: list[ToolCall] = field(default_factory=list)
    finish_reason: str | None = None
    usage: JsonObject | None = None
    meta_usage: JsonObject | None = None
    failure: QwenError | None = None
    """The error that the server sent beside the answer or in its place, or what broke it off."""
    odd: list[str] = field(default_factory=list)
    """What was not of the expected type, and so counts as absent."""

    @property
    def has_arrived(self) -> bool:
        """Whether anything has come that was paid for."""
        return bool(self.has or self.tool_calls or self.usage or self.meta_usage)

    def as_message(self) -> JsonObject:
        """The message that continues the conversation: without reasoning, and with an id for each tool call."""
        message: JsonObject = {"role": "assistant", "content": self.content}
        if self.tool_calls:
            message["content"] = self.content or None
            message["tool_calls"] = [
                {
                    "id": call.id or f"call_{number}",
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments},
                }
                for number, call in enumerate(self.tool_calls)
            ]
        return message

    def read_usage(self, response: Mapping[str, Any]) -> None:
        """Update `usage` and `meta_usage` from a body or a chunk that carries them."""
        self.usage = member(response, "usage", dict, self.odd) or self.usage
        if meta := member(response, "meta", dict, self.odd):
            self.meta_usage = member(meta, "usage", dict, self.odd) or self.meta_usage

    def drop_unopened_thoughts(self) -> None:
        """Leave out of the content all before a </think> whose opening tag the template has swallowed."""
        if not json_text.is_json(self.content):
            self.content, thoughts = split_unopened(self.content)
            self.reasoning += thoughts
            self.has = {name for name in TEXTS if getattr(self, name)} if thoughts else self.has


def read_completion(body: bytes | str, *, is_format_asked: bool = False) -> Answer:
    """Read the body of a response; ProtocolError, or the error that it carries, if there is no answer in it."""
    response = parse_object(body, "the response")
    answer = Answer()
    answer.failure = error_in(response, _HOLDS_ERROR)
    answer.read_usage(response)
    choice = first_choice(response)
    if choice is None:
        raise answer.failure or ProtocolError("the response has no choices")
    answer.failure = answer.failure or error_in({"error": choice.get("error")}, _HOLDS_ERROR)
    message = member(choice, "message", dict, answer.odd)
    if message is None:
        raise answer.failure or ProtocolError("the response has no message")
    texts = read_texts(message, answer.odd)
    answer.content, thoughts, answer.is_still_thinking = split_thoughts(texts.content)
    answer.reasoning, answer.refusal = texts.reasoning + thoughts, texts.refusal
    answer.has = {name for name in TEXTS if getattr(answer, name)}
    if is_format_asked:
        answer.drop_unopened_thoughts()
    answer.finish_reason = member(choice, "finish_reason", str, answer.odd)
    answer.tool_calls = named((call.completed() for _, call in calls_in(message, answer.odd)), answer.odd)
    return answer


def first_choice(response: Mapping[str, Any]) -> JsonObject | None:
    """The choice with the index 0, otherwise the first one, which may have any index; None if there is none."""
    choices = response.get("choices")
    objects = [each for each in choices if isinstance(each, dict)] if isinstance(choices, list) else []
    if len(objects) < 2:  # noqa: PLR2004 -- several are rare
        return objects[0] if objects else None
    return next((each for each in objects if each.get("index") == 0), objects[0])
