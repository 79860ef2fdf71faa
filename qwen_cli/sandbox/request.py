"""What the sandbox takes from a request: all within the documented limits, and nothing else; and what it refuses."""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from qwen_cli import json_text
from qwen_cli.request.validation import OutsideLimitsError, check_body

_OBJECT_IN_WORDS = "Answer with a JSON object"
_JSON_IN_WORDS = re.compile(r"Answer with JSON(?:, | that fits (this JSON Schema), and with nothing else:\n)(?=\{)")
"""How the sentences of `format_in_words` begin."""


class ApiError(Exception):
    """A response other than 200: its HTTP status, the message of its body, and seconds for a Retry-After."""

    def __init__(self, status: int, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


def read_request(body: bytes) -> dict[str, Any]:
    """The request in a body; an ApiError 400, which names the field, if it is not within the documented limits."""
    try:
        request: dict[str, Any] = json_text.loads(body)
    except ValueError as error:
        raise ApiError(400, f"body: not JSON that can be read: {error}") from None
    if not json_text.is_finite(request):
        raise ApiError(400, "body: a number is too large for a double")
    try:
        check_body(request)
    except OutsideLimitsError as error:
        raise ApiError(400, str(error)) from None
    texts = [text_of(message).lower() for message in request["messages"]]
    if request.get("response_format") == {"type": "json_object"} and not any("json" in text for text in texts):
        needed = "to use 'response_format' of type 'json_object'."
        raise ApiError(400, f"'messages' must contain the word 'json' in some form, {needed}")
    return request


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a message, with a blank line between its parts; an image is `(image)`."""
    content = message.get("content") or ""
    return content if isinstance(content, str) else "\n\n".join(part.get("text", "(image)") for part in content)


class Format(NamedTuple):
    """What is asked for: `text`, `json_object`, or `json_schema`, with the schema and the field that holds it."""

    type: str
    schema: Any = None
    field: str = "response_format.json_schema.schema"
    function: str | None = None
    """The function to call, if the schema is that of its parameters."""


def requested_format(request: Mapping[str, Any]) -> Format:
    """The format of the answer: of a tool, in `response_format`, or in the words that qwen-cli adds for the model.

    Where those name several choices, each as an example, it is the first one.
    """
    choice = request.get("tool_choice")
    for index, tool in enumerate(request.get("tools", ())):
        name = tool["function"]["name"]
        if choice in ("required", {"type": "function", "function": {"name": name}}):
            return Format("tool", tool["function"]["parameters"], f"tools.{index}.function.parameters", name)
    if given := request.get("response_format"):
        return Format(given["type"], given.get("json_schema", {}).get("schema"))
    text = "\n".join(text_of(message) for message in request["messages"] if message["role"] == "system")
    if _OBJECT_IN_WORDS in text:
        return Format("json_object")
    if words := _JSON_IN_WORDS.search(text):
        with suppress(ValueError):
            value, _ = json_text.load_at(text, words.end())
            return Format("json_schema", value if words[1] else {"const": value}, "messages")
    return Format("text")
