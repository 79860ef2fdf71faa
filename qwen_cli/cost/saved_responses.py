"""Saved responses, any number of bodies and chunks in any layout -> the answers in them. No I/O."""

import re
from collections.abc import Iterator
from typing import Any

from qwen_cli import json_text
from qwen_cli.answer.completion import Answer, first_choice
from qwen_cli.answer.members import JsonObject, kind_of
from qwen_cli.errors import LocalError


def read_saved(text: str, name: str) -> Iterator[Answer]:
    """The usage and cost of each answer; chunks in a row with one id are one answer."""
    stream: _Stream | None = None
    is_empty = True
    for document in _documents(text, name):
        if document.keys().isdisjoint(("choices", "usage", "meta")):
            continue  # a ping, or the error that a stream ended with
        is_empty = False
        choice = first_choice(document) or {}
        if not (choice or document.get("usage") or document.get("meta")):
            continue  # what a filter says of the prompt, for instance
        if stream is not None and stream.continues_with(document, choice):
            stream.add(document, choice)
            continue
        if stream is not None:
            yield stream.answer
        stream = None
        if "delta" in choice or document.get("object") == "chat.completion.chunk":
            stream = _Stream(document, choice)
            stream.add(document, choice)
        else:
            answer = Answer()
            answer.read_usage(document)
            yield answer
    if stream is not None:
        yield stream.answer
    if is_empty and text.strip():
        raise LocalError(f"{name} contains something other than saved responses")


class _Stream:
    """The chunks of one answer so far."""

    def __init__(self, first: JsonObject, choice: JsonObject) -> None:
        self.answer = Answer()
        self._id = first.get("id")
        self._index = choice.get("index")
        self._is_finished = False

    def continues_with(self, document: JsonObject, choice: JsonObject) -> bool:
        """Whether a document is one more chunk; without a choice of this answer, it brings the figures of it."""
        if "message" in choice:
            return False
        if not choice or choice.get("index") != self._index:
            return True
        return document.get("id") == self._id and not (self._is_finished and _says_something(choice))

    def add(self, chunk: JsonObject, choice: JsonObject) -> None:
        """Take the latest figures, but not those that an empty choice after the finish reason repeats or resets."""
        before = self.answer.usage, self.answer.meta_usage
        self.answer.read_usage(chunk)
        if self._is_finished and choice:
            self.answer.usage, self.answer.meta_usage = (
                old or new for old, new in zip(before, (self.answer.usage, self.answer.meta_usage), strict=True)
            )
        self._is_finished = self._is_finished or bool(choice.get("finish_reason"))


def _says_something(choice: JsonObject) -> bool:
    delta = choice.get("delta")
    return isinstance(delta, dict) and any(value for name, value in delta.items() if name != "role")


def _documents(text: str, name: str) -> Iterator[JsonObject]:
    """Each JSON object of the text, those in arrays and in the events of a stream included."""
    position = _next(text, 0)
    while position < len(text):
        try:
            value, end = json_text.load_at(text, position, strict=False)
        except ValueError as error:
            line = text.count("\n", 0, position) + 1
            raise LocalError(
                f"{name} is not a saved response: {error} (the value that begins in line {line})"
            ) from None
        yield from _objects(value, name)
        position = _next(text, end)


def _objects(value: Any, name: str) -> Iterator[JsonObject]:
    for each in value if isinstance(value, list) else [value]:
        if not isinstance(each, dict):
            raise LocalError(f"{name} contains something other than a saved response: {kind_of(each)}")
        yield each


def _next(text: str, position: int) -> int:
    """The position of the next value, behind white space, byte order marks and what surrounds the data of an event."""
    found = _BETWEEN.match(text, position)
    return found.end() if found else position


_BETWEEN = re.compile(r"(?:[ \t\r\n\ufeff]|data:(?: *\[DONE\])?|(?:event|id|retry)?:[^\n]*)*")
