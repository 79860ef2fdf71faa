"""One item, from its bytes to what has become of it; asking and judging are those of `ask`."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

from qwen_cli.api.exchange import Exchange, Outcome
from qwen_cli.batch import results
from qwen_cli.batch.items import Item, parse_item
from qwen_cli.batch.prompts import Prompts
from qwen_cli.batch.tally import ItemOutcome
from qwen_cli.batch.templates import Template
from qwen_cli.errors import QwenError
from qwen_cli.output.results import Output, open_target
from qwen_cli.output.terminal import encode
from qwen_cli.request.body import Body


class Job(NamedTuple):
    """What is asked about every item, how it is sent and judged, and how its answer is printed."""

    prompts: Prompts
    fields: Body
    """The request body but for its messages."""
    exchange: Exchange | Callable[[Body], str]
    """Asks, with the body of each item; or makes the text that is printed instead of sending that body."""
    print_outcome: Callable[[Outcome, Output], None]
    file_name: Template | None
    jsonl: bool
    nul: bool
    records: bool
    terminal: bool
    """Whether the results go to one."""

    def process(self, number: int, data: bytes | None) -> ItemOutcome:
        """Answer an item; whatever keeps it from being answered is part of the outcome."""
        item: Item | None = None
        outcome: Outcome | None = None
        failure: QwenError | None = None
        text = "\n"
        try:
            item = parse_item(number, data, jsonl=self.jsonl)
            if not item.is_blank:
                body = {"model": self.fields["model"], "messages": self.prompts.messages(item)} | self.fields
                with self._open_file(item) as file:
                    if isinstance(self.exchange, Exchange):
                        outcome = self.exchange._replace(body=body).ask()
                        text = self._printed(outcome)
                    else:
                        text = f"{self.exchange(body)}\n"
                    if file is not None:
                        file.write(encode(self._format(number, item, text, outcome, None)))
                        file.commit()
        except QwenError as error:
            failure = error
        result = b"" if self.file_name else encode(self._format(number, item, text, outcome, failure))
        allowed = outcome and outcome.judgement.allowed
        paid = [] if outcome is None or outcome.cached else outcome.answers
        return ItemOutcome(number, result, failure, paid, str(allowed) if allowed else None)

    def _open_file(self, item: Item) -> AbstractContextManager[Output | None]:
        return nullcontext() if self.file_name is None else open_target(self.file_name.fill_path(item.value))

    def _printed(self, outcome: Outcome) -> str:
        """What `ask` would print; raises what it would fail with."""
        if outcome.judgement.failure is not None:
            raise outcome.judgement.failure
        output = _MemoryOutput()
        self.print_outcome(outcome, output)
        return output.data.decode()

    def _format(
        self, number: int, item: Item | None, text: str, outcome: Outcome | None, failure: QwenError | None
    ) -> str:
        """The result as a record, a line or, for a file of its own and for a preview, the text as it is."""
        if not isinstance(self.exchange, Exchange):
            return text
        if self.records:
            selects = self.exchange.expectation.selects
            return results.record(number, item, outcome, failure, selects=selects)
        return text if self.file_name else results.line(text, nul=self.nul, terminal=self.terminal)


class _MemoryOutput(Output):
    """An output that keeps what is written to it."""

    def __init__(self) -> None:
        self.name = "memory"
        self.terminal = False
        self.data = bytearray()

    def write(self, data: bytes) -> None:
        self.data += data
