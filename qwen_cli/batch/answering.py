"""One item, from its bytes to what has become of it; asking and judging are those of `ask`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from qwen_cli.api.cache import Cache
from qwen_cli.api.checks import Expectation
from qwen_cli.api.client import Client
from qwen_cli.api.exchange import Exchange, Outcome
from qwen_cli.batch import results
from qwen_cli.batch.items import Item, parse_item
from qwen_cli.batch.prompts import Prompts
from qwen_cli.batch.results import Format
from qwen_cli.batch.tally import ItemOutcome
from qwen_cli.batch.templates import Template
from qwen_cli.errors import QwenError
from qwen_cli.output.results import Output, open_target
from qwen_cli.output.stderr import Notes
from qwen_cli.output.terminal import encode
from qwen_cli.request.prompt import STDIN

Body = dict[str, Any]


class Asking(NamedTuple):
    """What is asked about every item, how it is sent and judged, and how its answer is printed."""

    prompts: Prompts
    fields: Body
    """The request body but for its messages."""
    jsonl: bool
    client: Client | None
    preview: Callable[[Body], str] | None
    """Makes what is printed instead of sending; there is no client then."""
    notes: Notes
    expectation: Expectation
    reask: int
    cache: Cache | None
    printing: Callable[[Outcome, Output], None]
    file_name: Template | None
    form: Format


class _MemoryOutput(Output):
    """An output that keeps what is written to it."""

    def __init__(self) -> None:
        self.name = "memory"
        self.terminal = False
        self.data = bytearray()

    def write(self, data: bytes) -> None:
        self.data += data


@dataclass
class _Attempt:
    """What is known of an item so far."""

    item: Item | None = None
    outcome: Outcome | None = None
    text: str = ""


def process(asking: Asking, number: int, data: bytes | None) -> ItemOutcome:
    """Answer an item; whatever keeps it from being answered is part of the outcome."""
    attempt = _Attempt()
    failure = None
    try:
        attempt.item = parse_item(number, data, jsonl=asking.jsonl)
        if not attempt.item.is_blank:
            _answer(asking, attempt, attempt.item)
    except QwenError as error:
        failure = error
    result = b""
    if asking.file_name is None:
        result = _result(asking, number, attempt, failure)
    if attempt.outcome is None:
        return ItemOutcome(number, result, failure)
    allowed = attempt.outcome.judgement.allowed
    paid = [] if attempt.outcome.cached else attempt.outcome.answers
    return ItemOutcome(number, result, failure, paid, str(allowed) if allowed else None)


def _answer(asking: Asking, attempt: _Attempt, item: Item) -> None:
    body = {"model": asking.fields["model"], "messages": asking.prompts.messages(item)} | asking.fields
    if asking.file_name is None:
        attempt.text = _text(asking, attempt, body)
        return
    name = asking.file_name.fill(item.value)
    # An item is the name of a file whatever it looks like, never standard output.
    with open_target("./-" if name == STDIN else name) as output:
        attempt.text = _text(asking, attempt, body)
        record = results.record(item.number, item, attempt.outcome, None, asking.form)
        output.write(record if asking.form.records else encode(attempt.text))
        output.commit()


def _text(asking: Asking, attempt: _Attempt, body: Body) -> str:
    """What `ask` would print for that request; raises what it would fail with."""
    if asking.preview is not None:
        return asking.preview(body) + "\n"
    assert asking.client is not None
    exchange = Exchange(asking.client, body, asking.notes, asking.expectation, asking.reask, cache=asking.cache)
    attempt.outcome = outcome = exchange.ask()
    if outcome.judgement.failure is not None:
        raise outcome.judgement.failure
    output = _MemoryOutput()
    asking.printing(outcome, output)
    return output.data.decode()


def _result(asking: Asking, number: int, attempt: _Attempt, failure: QwenError | None) -> bytes:
    if asking.preview is not None and failure is None:
        return encode(attempt.text or "\n")
    if asking.form.records:
        return results.record(number, attempt.item, attempt.outcome, failure, asking.form)
    return results.line(attempt.text, asking.form)
