"""Typed access to the JSON that a server sends; ProtocolError names the place of a wrong type. No I/O."""

from typing import Any

from qwen_cli import json_text
from qwen_cli.errors import ProtocolError

JsonObject = dict[str, Any]


def parse_object(text: str | bytes, what: str) -> JsonObject:
    try:
        return as_object(json_text.loads(text), what)
    except ValueError as error:
        reason = "empty" if not text.strip() else f"not JSON: {error}"
        raise ProtocolError(f"{what} is {reason}") from None


def as_object(value: Any, where: str) -> JsonObject:
    if not isinstance(value, dict):
        raise ProtocolError(f"{where} is not a JSON object but {kind_of(value)}")
    return value


def member(parent: JsonObject, name: str, kind: type, where: str) -> Any:
    """The member of that type; None if it is absent or null."""
    value = parent.get(name)
    if value is None or isinstance(value, kind):
        return value
    raise ProtocolError(f"{where}.{name} is not {_KINDS[kind]} but {kind_of(value)}")


_KINDS: dict[type, str] = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
}


def kind_of(value: Any) -> str:
    return "null" if value is None else _KINDS[type(value)]
