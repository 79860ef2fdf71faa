"""JSON as in RFC 8259. Every error is a ValueError with a message of one line that says where it is. No I/O."""

import json
from collections.abc import Callable
from typing import Any, Final, NoReturn

from qwen_cli.text import encode as to_utf8

MAX_DEPTH: Final = 500
"""Nested arrays and objects: more than anybody sends, and few enough for every recursive function."""


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _integer(digits: str) -> int | float:
    """Python refuses to read more than 4,300 digits, and no figure has more than a double can hold."""
    return int(digits) if len(digits) < 4000 else float(digits)  # noqa: PLR2004


# `json.loads` with an option creates a decoder for each call, which takes longer than reading a chunk of a stream.
_STRICT: Final = json.JSONDecoder(parse_constant=_refuse, parse_int=_integer)
_TOLERANT: Final = json.JSONDecoder(parse_int=_integer)

_WHITESPACE: Final = " \t\r\n"


def loads(text: str | bytes, *, strict: bool = True) -> Any:
    """The value of a JSON text, or of its UTF-8 bytes.

    Without `strict`, NaN and infinities are numbers too, and bytes that are not UTF-8 become U+FFFD.
    """
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig", "strict" if strict else "replace")
        except UnicodeDecodeError as error:
            raise ValueError(f"it is not UTF-8 at byte {error.start}") from None
    start = len(text) - len(text.lstrip(_WHITESPACE))
    value, end = load_at(text, start, strict=strict)
    if rest := text[end:].strip(_WHITESPACE):
        raise ValueError(_unexpected(text, text.rindex(rest)))
    return value


def load_at(text: str, start: int, *, strict: bool = True) -> tuple[Any, int]:
    """The value that begins at `start`, and where it ends."""
    decoder = _STRICT if strict else _TOLERANT
    try:
        value, end = decoder.raw_decode(text, start)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError("it ends early" if "Unterminated" in error.msg else _unexpected(text, error.pos)) from None
    if end - start > 2 * MAX_DEPTH and text.count("[", start, end) + text.count("{", start, end) > MAX_DEPTH:
        _check_depth(value)
    return value, end


def _unexpected(text: str, position: int) -> str:
    if not text[position:].strip(_WHITESPACE):
        return "it ends early" if text.strip(_WHITESPACE) else "it is empty"
    line = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    return f"unexpected {text[position]!r} at line {line}, column {column}"


def _check_depth(value: Any) -> None:
    level = [value]  # the arrays and objects of one depth
    for _ in range(MAX_DEPTH):
        inner = (each.values() if isinstance(each, dict) else each for each in level)
        level = [value for values in inner for value in values if isinstance(value, dict | list)]
        if not level:
            return
    raise ValueError("it is nested too deeply")


def is_json(text: str | bytes, *, strict: bool = True) -> bool:
    """Whether it is a JSON text."""
    try:
        loads(text, strict=strict)
    except ValueError:
        return False
    return True


def is_finite(value: Any) -> bool:
    """Whether JSON can hold the value: a number too large for a double reads as infinity."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def compact(value: Any) -> str:
    """The value on one line, with what is not ASCII as it is."""
    return _COMPACT(value)


_COMPACT: Final[Callable[[Any], str]] = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def encode(value: Any) -> bytes:
    """Compact JSON in UTF-8, as it is sent; a lone surrogate, which an answer may contain, becomes U+FFFD."""
    return to_utf8(compact(value))
