"""JSON as in RFC 8259, without NaN and infinity. Every error is a ValueError with a message of one line."""

import json
import re
from typing import Any, Final, NoReturn

from qwen_cli.output.terminal import encode as to_utf8

MAX_DEPTH: Final = 500
"""Nested arrays and objects: more than anybody sends, and few enough for every recursive function."""


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


# `json.loads` with an option creates a decoder for each call, which takes longer than reading a chunk of a stream.
_DECODER = json.JSONDecoder(parse_constant=_refuse)


def loads(text: str | bytes) -> Any:
    """The value of a JSON text, or of its UTF-8 bytes."""
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValueError(f"it is not UTF-8 at byte {error.start}") from None
    start = len(text) - len(text.lstrip(_WHITESPACE))
    value, end = load_at(text, start)
    if rest := text[end:].strip(_WHITESPACE):
        raise json.JSONDecodeError("Extra data", text, len(text) - len(rest))
    return value


_WHITESPACE: Final = " \t\r\n"


def load_at(text: str, start: int) -> tuple[Any, int]:
    """The value that begins at `start`, and where it ends."""
    try:
        value, end = _DECODER.raw_decode(text, start)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError as error:
        if "digits" in str(error):
            raise ValueError("it contains a number with too many digits") from None
        raise
    if end - start > 2 * MAX_DEPTH and text.count("[", start, end) + text.count("{", start, end) > MAX_DEPTH:
        _check_depth(value)
    return value, end


def _check_depth(value: Any) -> None:
    level = [value]  # the arrays and objects of one depth
    for _ in range(MAX_DEPTH):
        inner = (each.values() if isinstance(each, dict) else each for each in level)
        level = [value for values in inner for value in values if isinstance(value, dict | list)]
        if not level:
            return
    raise ValueError("it is nested too deeply")


_LEXEME = re.compile(r'"(?:[^"\\]++|\\.)*+"|[^\s\[\]{},:"]++|[\[\]{},:]')


def reformatted(text: str, *, indent: int | None = None) -> str:
    """A valid JSON text with other white space: compact, or indented. Numbers stay as they are written."""
    parts: list[str] = []
    level = 0

    def break_line() -> None:
        if indent is not None:
            parts.append("\n" + " " * (indent * level))

    for match in _LEXEME.finditer(text):
        lexeme = match[0]
        if lexeme in "]}":
            level -= 1
            if parts[-1] not in ("[", "{"):
                break_line()
        elif parts and parts[-1] in ("[", "{"):
            break_line()
        # Escapes that JSON does not need are undone.
        parts.append(json.dumps(json.loads(lexeme), ensure_ascii=False) if "\\" in lexeme else lexeme)
        if lexeme in "[{":
            level += 1
        elif lexeme == ",":
            break_line()
        elif lexeme == ":" and indent is not None:
            parts.append(" ")
    return "".join(parts)


def is_valid(text: str | bytes) -> bool:
    """Whether it is a JSON text."""
    try:
        loads(text)
    except ValueError:
        return False
    return True


def holds_infinity(value: Any) -> bool:
    """Whether a number was too large for a double, which reads as infinity."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return True
    return False


def encode(value: Any) -> bytes:
    """Compact JSON in UTF-8, as it is sent; a lone surrogate, which an answer may contain, becomes U+FFFD."""
    return to_utf8(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
