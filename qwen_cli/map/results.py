"""What is written for an item: a line, a record, a row of a table, or a file of its own."""

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from qwen_cli.answer.completion import Answer
from qwen_cli.cost.figures import as_json
from qwen_cli.cost.usage import Total
from qwen_cli.errors import LocalError, ProtocolError
from qwen_cli.key.redaction import without_secrets
from qwen_cli.map.one_item import ItemOutcome
from qwen_cli.map.order import Result
from qwen_cli.map.pace import NotSent
from qwen_cli.map.table import Table, cells_of
from qwen_cli.output.terminal import STDOUT, is_terminal
from qwen_cli.text import encode, visible, visible_json

Shown = Callable[[ItemOutcome, str | None], bytes]
"""What is written for an outcome, given the text of its answer; None if there is none."""

_LINE_BREAKS: Final = re.compile(r"\s*[\r\n]\s*|\t")
_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def as_text(_found: ItemOutcome, text: str | None) -> bytes:
    """The text as `ask` would print it."""
    return encode(text or "\n")


def as_preview(_found: ItemOutcome, text: str | None) -> bytes:
    """What would be sent, as it is printed."""
    return encode(_for_terminal(text or "\n", visible_json))


def as_line(found: ItemOutcome, text: str | None) -> bytes:
    """The text on one line, escaped as by jq's `@tsv`; JSON that was asked for stays JSON."""
    text = (text or "").removesuffix("\n")
    is_json = found.outcome is not None and found.outcome.is_json
    # A line break in JSON stands between tokens, never in a string.
    line = _LINE_BREAKS.sub(" ", text) if is_json else text.translate(_ESCAPES)
    return encode(_for_terminal(line, visible_json if is_json else visible) + "\n")


def as_nul_ended(_found: ItemOutcome, text: str | None) -> bytes:
    """The text, ended by NUL; ProtocolError if there is one in it."""
    text = (text or "").removesuffix("\n")
    if "\0" in text:
        raise ProtocolError("the answer contains a NUL, which would end it")
    return encode(_for_terminal(text) + "\0")


def as_it_came(data: bytes) -> bytes:
    """A part of the input that is printed; what a terminal would obey is made visible on one."""
    return encode(visible(data.decode(errors="replace").replace("\r\n", "\n"))) if is_terminal(STDOUT) else data


def _for_terminal(text: str, escape: Callable[[str], str] = visible) -> str:
    return escape(text) if is_terminal(STDOUT) else text


def as_record(found: ItemOutcome, _text: str | None = None) -> bytes:
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
        "status": None if isinstance(failure, NotSent) else failure.status if failure else 0,
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
    return encode(without_secrets(as_json(members)))


def _usd(found: ItemOutcome) -> Decimal | None:
    if found.outcome is None:
        return None
    return Decimal(0) if found.outcome.cached else Total(found.outcome.answers).sums["usd_spent"]


def as_row(found: ItemOutcome, text: str | None, *, table: Table, properties: Sequence[str]) -> bytes:
    """The record with the text in a cell of its own, or with a cell for each of these properties of the JSON."""
    value = found.outcome.verdict.value if found.outcome and text is not None else None
    cells = cells_of(value, properties) if properties else [(text or "").removesuffix("\n")]
    return as_it_came(table.with_cells(found.data, cells))


class Results(NamedTuple):
    """How the outcomes of a run are written, by the main thread."""

    text: Callable[[ItemOutcome], str | None]
    """What is printed of an item that is answered; None if nothing is."""
    shown: Shown
    """What goes to standard output."""
    filed: Shown | None = None
    """What goes into the file of an item, if each answer has its own."""

    def settle(self, found: ItemOutcome) -> tuple[ItemOutcome, Result]:
        """Write the answer to its file, if it has one; the outcome after that, and what goes to standard output."""
        text = self.text(found)
        if text is not None and self.filed is not None and found.file is not None:
            try:
                found.file.write(self.filed(found, text))
                found.file.commit()
            except LocalError as error:  # it was paid for: it is printed instead
                found = found._replace(failure=error)
            else:
                return found, Result(b"")
        elif self.filed is not None:
            return found, Result(b"", is_answer=False)
        try:
            data = self.shown(found, text)
        except ProtocolError as error:
            text, found = None, found._replace(failure=error)
            data = self.shown(found, None)
        is_record = self.shown is as_record and not isinstance(found.failure, NotSent)
        return found, Result(data, is_answer=text is not None or is_record)
