"""Text on its way out: UTF-8 whatever it holds, and safe for a terminal. No I/O."""

import re

# Control characters but newline and tab, C1, and what reorders text on a bidirectional terminal.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_BREAKS = re.compile("(?:\r?\n|[\t\x0b\x0c\x1c-\x1e\x85\u2028\u2029])+")


def encode(text: str) -> bytes:
    """UTF-8, with U+FFFD for a lone surrogate."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def visible(text: str) -> str:
    """The text with control characters escaped, so that a terminal shows them instead of obeying them."""
    return _CONTROLS.sub(_escape, text)


def _escape(control: re.Match[str]) -> str:
    code = ord(control[0])
    return f"\\u{code:04x}" if code > 0xFF else f"\\x{code:02x}"  # noqa: PLR2004


def visible_json(text: str) -> str:
    """The same for JSON, which keeps its value: control characters occur only inside its strings."""
    return _CONTROLS.sub(lambda control: " " if control[0] == "\r" else f"\\u{ord(control[0]):04x}", text)


def one_line(text: str, *, max_length: int = 1000) -> str:
    """Text from elsewhere made fit for a message: one line, no control characters, not too long."""
    line = visible(_BREAKS.sub(" ", text).replace("\r", "\\r")).strip()
    return line if len(line) <= max_length else line[:max_length] + "…"
