"""The result of an item: a line, a record, or the text for a file of its own."""

from decimal import Decimal
from typing import Any, Final

from qwen_cli.answer.completion import Answer
from qwen_cli.cost.figures import as_json
from qwen_cli.cost.usage import Total
from qwen_cli.errors import ProtocolError
from qwen_cli.key.redaction import without_secrets
from qwen_cli.map.one_item import ItemOutcome
from qwen_cli.text import visible

_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def line(text: str, *, terminal: bool) -> str:
    """The output of `ask` on one line, escaped as by jq's `@tsv`."""
    text = text.removesuffix("\n").translate(_ESCAPES)
    return (visible(text) if terminal else text) + "\n"


def nul_ended(text: str, *, terminal: bool) -> str:
    """The output of `ask`, ended by NUL; ProtocolError if there is one in it."""
    text = text.removesuffix("\n")
    if "\0" in text:
        raise ProtocolError("the answer contains a NUL, which would end it")
    return (visible(text) if terminal else text) + "\0"


def record(found: ItemOutcome) -> str:
    """Everything known about an item, as a JSON object on one line."""
    item, outcome, failure = found.item, found.outcome, found.failure
    answer = outcome.answers[-1] if outcome and outcome.answers else Answer()
    expectation = found.request and found.request.expectation
    content: str | None = None
    if outcome is not None:
        is_selected = expectation is not None and expectation.needs_content
        content = outcome.verdict.text if is_selected else answer.content
    members: dict[str, Any] = {
        "index": found.number,
        "input": None if item is None else item.text if item.members is None else item.members,
        "status": failure.status if failure else 0,
        "content": content,
        "value": outcome.verdict.value if outcome else None,
        "reasoning": answer.reasoning or None,
        "tool_calls": [call.as_object() for call in answer.tool_calls] or None,
        "finish_reason": answer.finish_reason,
        "usage": answer.usage,
        "usd_spent": _usd(found),
        "cached": bool(outcome and outcome.cached),
        "error": str(failure) if failure else None,
    }
    return without_secrets(as_json(members))


def _usd(found: ItemOutcome) -> Decimal | None:
    if found.outcome is None:
        return None
    return Decimal(0) if found.outcome.cached else Total(found.outcome.answers).sums["usd_spent"]
