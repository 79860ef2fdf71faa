"""How the result of an item is written: a line, a record, or what goes into a file of its own."""

from typing import Any, Final, NamedTuple

from qwen_cli.api import costs, json_text
from qwen_cli.api.answer import Answer
from qwen_cli.api.exchange import Outcome
from qwen_cli.batch.items import Item
from qwen_cli.errors import ProtocolError, QwenError
from qwen_cli.output.terminal import encode, visible, visible_json

_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


class Format(NamedTuple):
    """How standard output is written: items ended by NUL, JSON records, and what a terminal may see."""

    nul: bool = False
    records: bool = False
    selected: bool = False
    """Whether the content of a record is what was selected of it: the choice, or the code."""
    terminal: bool = False


def escaped(text: str) -> str:
    """The text on one line: backslash, newline, carriage return and tab as jq's `@tsv` writes them."""
    return text.translate(_ESCAPES)


def line(text: str, form: Format) -> bytes:
    """What `ask` would print, as one result; its final newline gives way to the end of the result."""
    text = text.removesuffix("\n")
    if not form.nul:
        text = escaped(text)
    return encode(visible(text) if form.terminal else text) + (b"\0" if form.nul else b"\n")


def record(number: int, item: Item | None, outcome: Outcome | None, failure: QwenError | None, form: Format) -> bytes:
    """All that is known of an item, as one JSON object on a line."""
    known = outcome.answer if outcome else Answer()
    value: dict[str, Any] = {
        "index": number,
        "input": None if item is None else item.text if item.members is None else item.members,
        "status": failure.status if failure else 0,
        "content": outcome.judgement.text if outcome and form.selected else known.content if outcome else None,
        "reasoning": known.reasoning or None,
        "tool_calls": [json_text.loads(call.as_json()) for call in known.tool_calls] or None,
        "finish_reason": known.finish_reason,
        "usage": known.usage,
        "usd_spent": _usd(outcome) if outcome else None,
        "cached": bool(outcome and outcome.cached),
        "error": str(failure) if failure else None,
    }
    text = costs.as_json(value)
    return encode(visible_json(text) if form.terminal else text)


def _usd(outcome: Outcome) -> Any:
    try:
        return 0 if outcome.cached else costs.Total(outcome.answers).sums["usd_spent"]
    except ProtocolError:  # what the server gave is no number
        return None
