"""What a message, or the delta of a chunk, says: content, reasoning and refusal, in any form. No I/O."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from qwen_cli.answer.members import kind_of, member, note_odd


class Delta(NamedTuple):
    """The texts of a message, or those that one chunk adds."""

    content: str = ""
    reasoning: str = ""
    refusal: str = ""


def read_texts(message: Mapping[str, Any], odd: list[str]) -> Delta:
    """The texts of a message or a delta.

    Content may be an array of parts, among them reasoning. Some servers call the reasoning `reasoning`, where others
    put other values.
    """
    content = message.get("content")
    thoughts = ""
    if isinstance(content, list):
        content, thoughts = _join_parts(content, odd)
    elif content is not None and not isinstance(content, str):
        note_odd(odd, f"content is not a string but {kind_of(content)}")
        content = None
    other = message["reasoning"] if isinstance(message.get("reasoning"), str) else ""
    return Delta(
        content=content or "",
        reasoning=(member(message, "reasoning_content", str, odd) or other) + thoughts,
        refusal=member(message, "refusal", str, odd) or "",
    )


def _join_parts(parts: Iterable[Any], odd: list[str]) -> tuple[str, str]:
    """The text of the text parts, and that of the parts that are reasoning."""
    content, reasoning = [], []
    for part in parts:
        if isinstance(part, str):
            content.append(part)
        elif not isinstance(part, dict):
            note_odd(odd, f"a part of the content is {kind_of(part)}")
        elif part.get("type") in ("thinking", "reasoning"):
            reasoning += [_text_of(part.get(name), odd) for name in ("thinking", "reasoning", "text")]
        elif isinstance(part.get("text"), str):
            content.append(part["text"])
        else:
            note_odd(odd, f"a part of the content has the type {part.get('type')!r}")
    return "".join(content), "".join(reasoning)


def _text_of(value: Any, odd: list[str]) -> str:
    """A text, or the text of its parts."""
    if isinstance(value, list):
        return "".join(_join_parts(value, odd))
    return value if isinstance(value, str) else ""
