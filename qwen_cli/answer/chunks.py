"""The events of a stream -> the answer that they add up to. No I/O."""

from typing import Any, Final

from qwen_cli import json_text
from qwen_cli.answer.completion import Answer, first_choice
from qwen_cli.answer.members import member, quoted, sole
from qwen_cli.answer.message import Delta, read_texts
from qwen_cli.answer.server_errors import error_event
from qwen_cli.answer.server_words import has_words, is_error
from qwen_cli.answer.thinking import ThoughtSplitter
from qwen_cli.answer.tool_calls import CallReader, calls_in, named
from qwen_cli.errors import ProtocolError

MAX_KEPT: Final = 64 << 20
"""Characters of a stream that are kept for the verdict at its end; the rest is printed as it arrives and forgotten."""

_CALL_SIZE: Final = 64
"""Characters that each fragment counts for besides its arguments, so that empty ones cannot fill the memory."""

_BROKEN_OFF: Final = "the stream broke off with an error"


class TooMuchToKeep(ProtocolError):
    """More of a stream than can be kept for the verdict."""


class ChunkReader:
    """Builds an answer from the events of a stream, those that are no chunks left out."""

    def __init__(self, *, keep_content: bool, is_format_asked: bool = False) -> None:
        self._answer = Answer()
        self._calls = CallReader()
        self._thoughts = ThoughtSplitter()
        self._keep_content = keep_content
        self._is_format_asked = is_format_asked
        self._content: list[str] = []
        self._refusal: list[str] = []
        self._size = 0
        self._index: int | None = None
        self._last_words: Any = None

    @property
    def is_finished(self) -> bool:
        """Whether the finish reason has arrived: the only sign that an answer is complete."""
        return self._answer.finish_reason is not None

    def read(self, data: str, event: str = "") -> Delta:
        """Read an event, its data and its type; raise the error that it is, ProtocolError if it is broken.

        Words alone may be a ping or the last ones of the server: which, is known only at the end.
        """
        has_own_type = event not in ("", "message", "error")  # such as a ping
        try:
            chunk = sole(json_text.loads(data, strict=False))
        except ValueError as error:
            if has_own_type:
                return Delta()
            if data.lstrip().startswith(("{", "[")):
                raise ProtocolError(f"a chunk of the stream is not JSON: {error}{quoted(data)}") from None
            chunk = data
        is_object = isinstance(chunk, dict)
        choice = first_choice(chunk) if is_object else None
        if event == "error" or (is_object and is_error(chunk)):
            raise error_event(chunk, _BROKEN_OFF)
        if choice and choice.get("error") and is_error({"error": choice["error"]}):
            raise error_event({"error": choice["error"]}, _BROKEN_OFF)
        if is_object:
            self._answer.read_usage(chunk)
        says_something = choice is None and (has_words(chunk) if is_object else isinstance(chunk, str | list))
        self._last_words = chunk if says_something and not has_own_type else None
        return self._read_choice(choice) if choice and self._is_of_answer(choice) else Delta()

    def _is_of_answer(self, choice: dict[str, Any]) -> bool:
        """Whether it is a part of the answer, which is the choice of the first chunk: its index may be any, or none."""
        index = choice.get("index")
        if not isinstance(index, int) or isinstance(index, bool):
            return True
        if self._index is None:
            self._index = index
        return index == self._index

    def _read_choice(self, choice: dict[str, Any]) -> Delta:
        answer = self._answer
        delta = member(choice, "delta" if "delta" in choice else "message", dict, answer.odd) or {}
        texts = self._separated(read_texts(delta, answer.odd))
        self._keep(self._refusal, texts.refusal)
        for index, fragment in calls_in(delta, answer.odd):
            self._count(_CALL_SIZE + len(fragment.arguments))
            self._calls.read(index, fragment)
        answer.finish_reason = member(choice, "finish_reason", str, answer.odd) or answer.finish_reason
        return texts

    def _separated(self, texts: Delta) -> Delta:
        """The texts, with the reasoning that stands in the content where it belongs."""
        if texts.content:
            content, thoughts = self._thoughts.split(texts.content)
            if thoughts or content != texts.content:
                texts = texts._replace(content=content, reasoning=texts.reasoning + thoughts)
        self._note(texts)
        return texts

    def _note(self, texts: Delta) -> None:
        if texts.content:
            self._answer.has.add("content")
        if texts.reasoning:
            self._answer.has.add("reasoning")
        if self._keep_content:
            self._keep(self._content, texts.content)

    def _keep(self, pieces: list[str], piece: str) -> None:
        if piece:
            self._count(len(piece))
            pieces.append(piece)

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > MAX_KEPT:
            raise TooMuchToKeep(f"the stream needs more than {MAX_KEPT >> 20} MiB of memory")

    def finish(self) -> tuple[Delta, Answer]:
        """The last texts, held back so far, and the answer, its content included if `keep_content` was set."""
        content, thoughts = self._thoughts.end()
        last = Delta(content=content, reasoning=thoughts)
        self._note(last)
        answer = self._answer
        answer.content, answer.refusal = "".join(self._content), "".join(self._refusal)
        answer.tool_calls = named(self._calls.finish(), answer.odd)
        answer.is_still_thinking = self._thoughts.is_thinking
        if self._last_words is not None and not self.is_finished:
            answer.failure = error_event(self._last_words, _BROKEN_OFF)
        if self._is_format_asked:
            answer.drop_unopened_thoughts()
        return last, answer
