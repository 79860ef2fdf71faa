"""The JSON that a server sends, whose members may be of any type. No I/O."""

import re
from collections.abc import Mapping
from typing import Any, Final

from qwen_cli import json_text
from qwen_cli.errors import ProtocolError
from qwen_cli.text import one_line

JsonObject = dict[str, Any]

_MAX_BEGINNING: Final = 4096
_MAX_WORDS: Final = 300
_TITLE: Final = re.compile(r"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)


def parse_object(text: str | bytes, what: str) -> JsonObject:
    """The object that the text is; ProtocolError, with the beginning of what came, if it is none."""
    try:
        value = sole(json_text.loads(text, strict=False))
    except ValueError as error:
        beginning = text[:_MAX_BEGINNING].encode() if isinstance(text, str) else text[:_MAX_BEGINNING]
        if beginning.lstrip().startswith(b"<"):
            raise ProtocolError(f"{what} is a page, not JSON{quoted(plain_words(beginning))}") from None
        raise ProtocolError(f"{what} is not JSON: {error}{quoted(text)}") from None
    if not isinstance(value, dict):
        raise ProtocolError(f"{what} is not a JSON object but {kind_of(value)}")
    return value


def sole(value: Any) -> Any:
    """The object that a server has put into an array, alone; anything else as it is."""
    return value[0] if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict) else value


def quoted(text: str | bytes, *, max_length: int = 80) -> str:
    """The beginning of a text as the end of a message, in quotes; nothing of an empty one."""
    beginning = one_line(text[:1000] if isinstance(text, str) else text[:1000].decode(errors="replace"))
    if len(beginning) > max_length:
        beginning = beginning[:max_length].rstrip() + " …"
    return f': "{beginning}"' if beginning else ""


def plain_words(body: bytes) -> str:
    """What a body says that is not JSON: a short text, or the title of a page; nothing of JSON that is cut."""
    text = body.decode(errors="replace").strip()
    if text.startswith("<"):
        from html import unescape

        title = _TITLE.search(text)
        return one_line(unescape(title[1])) if title else ""
    is_text = text.isprintable() or "\ufffd" not in text
    return text[:_MAX_WORDS] if is_text and not text.startswith(("{", "[")) else ""


def member(parent: Mapping[str, Any], name: str, kind: type, odd: list[str]) -> Any:
    """The member of that type; None if it is absent, null or of another type, which is added to `odd`."""
    value = parent.get(name)
    if value is None or isinstance(value, kind):
        return value
    note_odd(odd, f"{name} is not {_KINDS[kind]} but {kind_of(value)}")
    return None


def note_odd(odd: list[str], remark: str) -> None:
    """Remember that a member is of an odd type, once."""
    if remark not in odd:
        odd.append(remark)


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
