"""Saved output of `json`, any number of bodies and chunks in any layout -> the answers in it. No I/O."""

import re
from collections.abc import Iterator
from json import JSONDecodeError
from typing import Any

from qwen_cli import json_text
from qwen_cli.answer.completion import Answer, read_usage
from qwen_cli.answer.members import JsonObject
from qwen_cli.cost.usage import figures
from qwen_cli.errors import LocalError, ProtocolError


def read_saved(text: str, name: str) -> Iterator[Answer]:
    """The usage and cost of each answer; chunks that belong together are one answer."""
    stream: _Stream | None = None
    for offset, document in _documents(text, name):
        if not isinstance(document, dict) or not {"choices", "usage", "meta"} & document.keys():
            raise LocalError(f"{name} contains something other than a saved response at character {offset}")
        usage = _usage_of(document, name)
        is_chunk = document.get("object") == "chat.completion.chunk" or "delta" in _choice(document)
        if stream is not None and stream.is_over_at(document, usage):
            yield stream.answer
            stream = None
        if stream is not None:
            stream.add(document, usage)
        elif is_chunk:
            stream = _Stream(document, usage)
        else:
            yield usage
    if stream is not None:
        yield stream.answer


class _Stream:
    """The chunks of one answer so far."""

    def __init__(self, chunk: JsonObject, usage: Answer) -> None:
        self.answer = usage
        self._id = chunk.get("id")
        self._id_count = 1
        """How often the id came in a row from the start; 0 after another id."""
        self._is_finished = bool(_choice(chunk).get("finish_reason"))

    def is_over_at(self, document: JsonObject, usage: Answer) -> bool:
        """Whether the document, a body or a chunk, belongs to another answer.

        After the finish reason, chunks bring only figures: without choices, or with an empty one. Before it, another id
        means that the stream was cut, unless the server makes an id for each chunk.
        """
        choice = _choice(document)
        if "message" in choice:
            return True
        if not document.get("choices"):
            return False
        brings_figures = (usage.usage is not None and self.answer.usage is None) or (
            usage.meta_usage is not None and self.answer.meta_usage is None
        )
        if self._is_finished and (_adds_text(choice) or (choice.get("finish_reason") and not brings_figures)):
            return True
        return self._id_count > 1 and document.get("id") != self._id and not brings_figures

    def add(self, chunk: JsonObject, usage: Answer) -> None:
        """Take the latest figures, but not those that an empty choice after the finish reason repeats or resets."""
        choice = _choice(chunk)
        is_last_word = not (self._is_finished and choice)
        if usage.usage is not None and (is_last_word or self.answer.usage is None):
            self.answer.usage = usage.usage
        if usage.meta_usage is not None and (is_last_word or self.answer.meta_usage is None):
            self.answer.meta_usage = usage.meta_usage
        if choice:
            self._id_count = self._id_count + 1 if self._id_count and chunk.get("id") == self._id else 0
            self._is_finished = self._is_finished or bool(choice.get("finish_reason"))


def _choice(document: JsonObject) -> JsonObject:
    """The first choice with the index 0, which is the answer."""
    choices = document.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and choice.get("index", 0) == 0:
            return choice
    return {}


def _adds_text(choice: JsonObject) -> bool:
    delta = choice.get("delta")
    return isinstance(delta, dict) and any(delta.get(name) for name in _TEXTS)


_TEXTS = ("content", "reasoning_content", "reasoning", "refusal", "tool_calls", "function_call")


def _usage_of(document: JsonObject, name: str) -> Answer:
    answer = Answer()
    try:
        read_usage(answer, document)
        figures(answer)
    except ProtocolError as error:
        raise LocalError(f"{name} is not a saved response: {error}") from None
    return answer


def _documents(text: str, name: str) -> Iterator[tuple[int, Any]]:
    """Each JSON value of the text and where it begins."""
    position = _after_space(text, 0)
    while position < len(text):
        try:
            document, end = json_text.load_at(text, position)
        except ValueError as error:
            reason = error.msg if isinstance(error, JSONDecodeError) else str(error)
            line = text.count("\n", 0, position) + 1
            raise LocalError(f"{name} is not a saved response: {reason} (the value at line {line})") from None
        yield position, document
        position = _after_space(text, end)


def _after_space(text: str, position: int) -> int:
    """The position of the next value, behind white space and byte order marks."""
    found = _NO_SPACE.search(text, position)
    return found.start() if found else len(text)


_NO_SPACE = re.compile("[^ \t\r\n\ufeff]")
