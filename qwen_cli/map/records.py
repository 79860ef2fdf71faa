"""The result of an item, as a line or as a record."""

from decimal import Decimal
from typing import Any, Final

from qwen_cli import json_text
from qwen_cli.answer.completion import Answer
from qwen_cli.cost.figures import as_json
from qwen_cli.cost.usage import Total
from qwen_cli.errors import ProtocolError, QwenError
from qwen_cli.exchange import Outcome
from qwen_cli.map.items import Item
from qwen_cli.output.terminal import visible

_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def line(text: str, *, nul: bool, terminal: bool) -> str:
    """The output of `ask` on one line, escaped as by jq's `@tsv`; with `nul`, unchanged and ended by NUL."""
    text = text.removesuffix("\n")
    text, end = (text, "\0") if nul else (text.translate(_ESCAPES), "\n")
    return (visible(text) if terminal else text) + end


def record(number: int, item: Item | None, outcome: Outcome | None, failure: QwenError | None, *, selects: bool) -> str:
    """Everything known about an item, as a JSON object on one line; `selects` is that of the `Expectation`."""
    answer = outcome.answer if outcome else Answer()
    content = None if outcome is None else outcome.judgement.text if selects else answer.content
    members: dict[str, Any] = {
        "index": number,
        "input": None if item is None else item.text if item.members is None else item.members,
        "status": failure.status if failure else 0,
        "content": content,
        "reasoning": answer.reasoning or None,
        "tool_calls": [json_text.loads(call.as_json()) for call in answer.tool_calls] or None,
        "finish_reason": answer.finish_reason,
        "usage": answer.usage,
        "usd_spent": _usd(outcome) if outcome else None,
        "cached": bool(outcome and outcome.cached),
        "error": str(failure) if failure else None,
    }
    return as_json(members)


def _usd(outcome: Outcome) -> Decimal | None:
    try:
        return Decimal(0) if outcome.cached else Total(outcome.answers).sums["usd_spent"]
    except ProtocolError:  # the server sent something else than a number
        return None
