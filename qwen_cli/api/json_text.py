"""JSON as RFC 8259 has it: no NaN, no infinity. Every way to be wrong is a ValueError with a message of one line."""

import json
from typing import Any, NoReturn


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


# Made once: `json.loads` with an option makes one a call, which takes longer than reading a chunk of a stream.
_DECODER = json.JSONDecoder(parse_constant=_refuse)


def loads(text: str | bytes) -> Any:
    """The value of a JSON text, or of its UTF-8 bytes."""
    try:
        return _DECODER.decode(text if isinstance(text, str) else text.decode("utf-8-sig"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def encode(value: Any) -> bytes:
    """Compact JSON in UTF-8, as it is sent."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
