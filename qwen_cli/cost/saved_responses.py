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
        choice = first_choice(document)
        if choice is None and not (document.get("usage") or document.get("meta") or "choices" in document):
            continue  # a ping, or the error that a stream ended with
        is_empty = False
        if stream is not None and not stream.continues_with(document, choice):
            yield stream.answer
            stream = None
        if choice is not None and "message" in choice:
            answer = Answer()
            answer.read_usage(document)
            yield answer
        else:
            stream = stream or _Stream(document)
            stream.add(document, choice)
    if stream is not None:
        yield stream.answer
    if is_empty and text.strip():
        raise LocalError(f"{name} contains no saved response")


class _Stream:
    """The chunks of one answer so far."""

    def __init__(self, first: JsonObject) -> None:
        self.answer = Answer()
        self._id = first.get("id")
        self._is_finished = False

    def continues_with(self, document: JsonObject, choice: JsonObject | None) -> bool:
        """Whether a document is one more chunk; without choices it brings the figures of those before it."""
        if choice is None:
            return True
        is_next = self._is_finished and _says_something(choice)
        return "message" not in choice and document.get("id") == self._id and not is_next

    def add(self, chunk: JsonObject, choice: JsonObject | None) -> None:
        """Take the latest figures, but not those that an empty choice after the finish reason repeats or resets."""
        before = self.answer.usage, self.answer.meta_usage
        self.answer.read_usage(chunk)
        if self._is_finished and choice:
            self.answer.usage, self.answer.meta_usage = (
                old or new for old, new in zip(before, (self.answer.usage, self.answer.meta_usage), strict=True)
            )
        self._is_finished = self._is_finished or bool(choice and choice.get("finish_reason"))


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
