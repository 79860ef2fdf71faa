"""The requested format in words for the model: not every server enforces it, and some refuse the field. No I/O."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from qwen_cli import json_text
from qwen_cli.answer.choice import PROPERTY

_OBJECT = {"type": "json_object"}


def format_in_words(
    response_format: Any, choices: Sequence[str] | None, schema: Mapping[str, Any] | None
) -> str | None:
    """The sentence about the format; None where no format is asked for by an option of its own."""
    if choices:
        examples = [json_text.compact({PROPERTY: choice}) for choice in choices]
        return f"Answer with JSON, {' or '.join(examples)}, and with nothing else."
    if schema is not None:
        return f"Answer with JSON that fits this JSON Schema, and with nothing else:\n{json_text.compact(schema)}"
    if response_format == _OBJECT:
        return "Answer with a JSON object, and with nothing else."
    return None


def with_words(messages: Sequence[Mapping[str, Any]], words: str, response_format: Any) -> list[Any]:
    """The messages with the sentence added to the system message, or as one.

    For a JSON object, servers want the word "json" in some message: where it is already, nothing is added.
    """
    if response_format == _OBJECT and any("json" in text.lower() for each in messages for text in _texts(each)):
        return list(messages)
    first = messages[0] if messages else {}
    if first.get("role") != "system":
        return [{"role": "system", "content": words}, *messages]
    content = first["content"]
    said = [*content, {"type": "text", "text": words}] if isinstance(content, list) else f"{content}\n\n{words}"
    return [{**first, "content": said}, *messages[1:]]


def _texts(message: Mapping[str, Any]) -> Iterator[str]:
    content = message.get("content")
    if isinstance(content, str):
        yield content
    for part in content if isinstance(content, list) else ():
        yield part.get("text", "")
