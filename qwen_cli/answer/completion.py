"""Responses and chunks -> content, reasoning, tool calls and usage. No I/O."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from qwen_cli.answer.members import JsonObject, as_object, member, parse_object
from qwen_cli.answer.server_errors import error_within
from qwen_cli.answer.tool_calls import CallReader, ToolCall, calls_in
from qwen_cli.errors import ProtocolError

MAX_KEPT: Final = 64 << 20
"""Characters of a stream that are kept for the verdict at its end; the rest is printed as it arrives and forgotten."""


@dataclass(eq=False)
class Answer:
    """The answer of a completion, or what has arrived of a stream so far.

    The text of a stream is not kept here unless it is needed; `has` names the texts that were not empty.
    """

    content: str = ""
    reasoning: str = ""
    refusal: str = ""
    has: set[str] = field(default_factory=set)
    tool_calls: list[ToolCall] = field(default_factory=list)
    finish_reason: str | None = None
    usage: JsonObject | None = None
    meta_usage: JsonObject | None = None

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


_CALL_SIZE: Final = 64
"""Characters that each fragment counts for besides its arguments, so that empty ones cannot fill the memory."""


class Delta(NamedTuple):
    """The texts that one chunk adds."""

    content: str = ""
    reasoning: str = ""
    refusal: str = ""


def read_completion(body: bytes) -> Answer:
    """Read the body of a response; ProtocolError if it is not a completion, or the error that it carries."""
    response = parse_object(body, "the response")
    if failure := error_within(response, "the response holds an error"):
        raise failure
    choice = _first_choice(response, "the response")
    if choice is None:
        raise ProtocolError("the response has no choices")
    message = member(choice, "message", dict, "choices[0]")
    if message is None:
        raise ProtocolError("the response has no choices[0].message")
    where = "choices[0].message"
    texts = _texts(message, where)
    answer = Answer(*texts, has=_present(texts), finish_reason=member(choice, "finish_reason", str, "choices[0]"))
    answer.tool_calls = [call for _, call in calls_in(message, where)]
    read_usage(answer, response)
    return answer


class ChunkReader:
    """Builds an answer from the chunks of a stream."""

    def __init__(self, *, keep_content: bool) -> None:
        self._answer = Answer()
        self._calls = CallReader()
        self._keep_content = keep_content
        self._content: list[str] = []
        self._refusal: list[str] = []
        self._size = 0

    @property
    def is_finished(self) -> bool:
        """Whether the finish reason has arrived: the only sign that an answer is complete."""
        return self._answer.finish_reason is not None

    def read(self, data: str) -> Delta:
        """Read the JSON of one chunk; ProtocolError if it is not a chunk, or the error that it carries."""
        what = "a chunk of the stream"
        chunk = parse_object(data, what)
        if failure := error_within(chunk, "the stream broke off with an error"):
            raise failure
        answer = self._answer
        read_usage(answer, chunk)
        choice = _first_choice(chunk, what)
        if choice is None:
            return Delta()
        where = "choices[0].delta"
        delta = member(choice, "delta", dict, "choices[0]") or {}
        texts = _texts(delta, where)
        answer.has |= _present(texts)
        if self._keep_content:
            self._keep(self._content, texts.content)
        self._keep(self._refusal, texts.refusal)
        for index, fragment in calls_in(delta, where):
            self._count(_CALL_SIZE + len(fragment.arguments))
            self._calls.read(index, fragment)
        answer.finish_reason = member(choice, "finish_reason", str, "choices[0]") or answer.finish_reason
        return texts

    def _keep(self, pieces: list[str], piece: str) -> None:
        if piece:
            self._count(len(piece))
            pieces.append(piece)

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > MAX_KEPT:
            raise ProtocolError(f"the stream needs more than {MAX_KEPT >> 20} MiB of memory")

    def finish(self) -> Answer:
        """The answer so far, its content included if `keep_content` was set."""
        self._answer.content = "".join(self._content)
        self._answer.refusal = "".join(self._refusal)
        self._answer.tool_calls = self._calls.finish()
        return self._answer


def _first_choice(response: JsonObject, what: str) -> JsonObject | None:
    choices = member(response, "choices", list, what)
    if choices is None and not (response.get("usage") or response.get("meta")):
        raise ProtocolError(f"{what} has no choices")
    for value in choices or ():
        choice = as_object(value, "choices[]")
        if choice.get("index", 0) == 0:
            return choice
    return None


def _texts(message: JsonObject, where: str) -> Delta:
    """The texts of a message or a delta; some servers call the reasoning `reasoning`, where others put other values."""
    other = message.get("reasoning")
    return Delta(
        content=member(message, "content", str, where) or "",
        reasoning=member(message, "reasoning_content", str, where) or (other if isinstance(other, str) else ""),
        refusal=member(message, "refusal", str, where) or "",
    )


def _present(texts: Delta) -> set[str]:
    return {name for name in ("content", "reasoning") if getattr(texts, name)}


def read_usage(answer: Answer, response: JsonObject) -> None:
    """Update `usage` and `meta_usage` from a body or a chunk that carries them."""
    answer.usage = member(response, "usage", dict, "the response") or answer.usage
    meta = member(response, "meta", dict, "the response") or {}
    answer.meta_usage = member(meta, "usage", dict, "meta") or answer.meta_usage
