"""Reasoning that stands in the content, between <think> and </think>. No I/O."""

from enum import Enum, auto
from typing import Final

OPEN: Final = "<think>"
CLOSE: Final = "</think>"


class _State(Enum):
    START = auto()
    THINKING = auto()
    AFTER = auto()
    """Only white space so far, which belongs to neither side."""
    CONTENT = auto()


class ThoughtSplitter:
    """Splits content that arrives in pieces; only a block at its very beginning is reasoning."""

    def __init__(self) -> None:
        self._state = _State.START
        self._held = ""
        self._has_thought = False

    @property
    def is_thinking(self) -> bool:
        """Whether the block has begun, and not ended yet."""
        return self._state is _State.THINKING

    def split(self, piece: str) -> tuple[str, str]:
        """The content and the reasoning that the piece adds."""
        if self._state is _State.CONTENT:
            return piece, ""
        text, reasoning = self._held + piece, ""
        self._held = ""
        if self._state is _State.START:
            begun = text.lstrip()
            if OPEN.startswith(begun) and begun != OPEN:
                self._held = text  # may still become the tag
                return "", ""
            if not begun.startswith(OPEN):
                self._state = _State.CONTENT
                return text, ""
            self._state = _State.THINKING
            text = begun.removeprefix(OPEN)
        if self._state is _State.THINKING:
            reasoning, closed, text = text.partition(CLOSE)
            if not closed:
                kept = next(size for size in range(len(CLOSE) - 1, -1, -1) if reasoning.endswith(CLOSE[:size]))
                self._held = reasoning[len(reasoning) - kept :]
                return "", self._thought(reasoning[: len(reasoning) - kept])
            self._state = _State.AFTER
        text = text.lstrip()
        if text:
            self._state = _State.CONTENT
        return text, self._thought(reasoning)

    def _thought(self, reasoning: str) -> str:
        """The reasoning without the line break that follows the tag."""
        text = reasoning if self._has_thought else reasoning.lstrip("\n")
        self._has_thought = self._has_thought or bool(text)
        return text

    def end(self) -> tuple[str, str]:
        """What was held back, as content and reasoning."""
        held, self._held = self._held, ""
        return ("", held) if self.is_thinking else (held, "")


def split_thoughts(content: str) -> tuple[str, str, bool]:
    """The content, the reasoning at its beginning, and whether that never ended."""
    splitter = ThoughtSplitter()
    text, reasoning = map("".join, zip(splitter.split(content), splitter.end(), strict=True))
    return text, reasoning.rstrip("\n"), splitter.is_thinking


def split_unopened(content: str) -> tuple[str, str]:
    """The same where the template has swallowed the opening tag: all before the closing one is reasoning."""
    reasoning, closed, text = content.partition(CLOSE)
    return (text.lstrip(), reasoning.strip("\n")) if closed else (content, "")
