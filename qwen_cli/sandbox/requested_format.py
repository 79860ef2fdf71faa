"""The format that a request asks for: in `response_format`, or else in the words that qwen-cli adds for the model."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from qwen_cli import json_text
from qwen_cli.sandbox.refusals import ApiError

_OBJECT = "Answer with a JSON object"
_OTHERS = re.compile(r"Answer with JSON(?:, (?=\{)|( that fits this JSON Schema, and with nothing else:\s*))")


class Format(NamedTuple):
    """A type of `response_format`, the schema if there is one, and the field that holds it."""

    type: str
    schema: Any = None
    field: str = "response_format.json_schema.schema"


def parts(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A message's content as an array of parts, whichever form it has."""
    content = message.get("content") or []
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def requested_format(request: Mapping[str, Any], *, is_refused: bool) -> Format:
    """The format of the answer; an ApiError 400 for one that needs more words, or where any is refused."""
    texts = [(message["role"], part.get("text", "")) for message in request["messages"] for part in parts(message)]
    if "response_format" not in request:
        formats = (_in_words(text) for role, text in texts if role == "system")
        return next(filter(None, formats), Format("text"))
    given = request["response_format"]
    if is_refused and given["type"] != "text":
        raise ApiError(400, f"response_format: {given['type']} is not supported by this model")
    if given["type"] == "json_object" and not any("json" in text.lower() for _, text in texts):
        needed = "to use 'response_format' of type 'json_object'."
        raise ApiError(400, f"'messages' must contain the word 'json' in some form, {needed}")
    return Format(given["type"], given.get("json_schema", {}).get("schema"))


def _in_words(text: str) -> Format | None:
    """The reverse of `format_in_words`: of the choices, each of which is written as an example, the first one."""
    if _OBJECT in text:
        return Format("json_object")
    words = _OTHERS.search(text)
    try:
        value = json_text.load_at(text, words.end())[0] if words else None
    except ValueError:
        return None
    if words is None or not isinstance(value, dict):
        return None
    return Format("json_schema", value if words[1] else {"const": value}, "messages")
