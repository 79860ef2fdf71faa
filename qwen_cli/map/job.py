"""One item, from its bytes to its outcome; it is sent and judged as by `ask`."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

from qwen_cli.errors import LocalError, QwenError
from qwen_cli.exchange import Exchange, Outcome
from qwen_cli.map import records
from qwen_cli.map.item_prompts import Prompts
from qwen_cli.map.items import Item, parse_item
from qwen_cli.map.placeholders import Template
from qwen_cli.map.tally import ItemOutcome
from qwen_cli.output.result import Output, open_target
from qwen_cli.output.terminal import encode
from qwen_cli.request.body import Body


class Job(NamedTuple):
    """What is the same for every item: what to ask about it, how to send and judge it, and how to print the answer."""

    prompts: Prompts
    fields: Body
    """The request body without its messages."""
    exchange: Exchange | Callable[[Body], str]
    """Used with the body of each item; for a preview, what makes the text to print instead of sending it."""
    print_outcome: Callable[[Outcome, Output], None]
    file_name: Template | None
    jsonl: bool
    nul: bool
    records: bool
    terminal: bool
    """Whether standard output is one."""

    def process(self, number: int, data: bytes | None) -> ItemOutcome:
        """Answer an item; a failure is part of the outcome."""
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
                        failure = outcome.judgement.failure
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
        """What `ask` would print. Raises what is wrong with the answer; one that is only not kept is not lost."""
        failure = outcome.judgement.failure
        if failure is not None and not isinstance(failure, LocalError):
            raise failure
        output = _MemoryOutput()
        self.print_outcome(outcome, output)
        return output.data.decode()

    def _format(
        self, number: int, item: Item | None, text: str, outcome: Outcome | None, failure: QwenError | None
    ) -> str:
        """The result: a record, a line, or the unchanged text for a file of its own and for a preview."""
        if not isinstance(self.exchange, Exchange):
            return text
        if self.records:
            selects = self.exchange.expectation.selects
            return records.record(number, item, outcome, failure, selects=selects)
        return text if self.file_name else records.line(text, nul=self.nul, terminal=self.terminal)


class _MemoryOutput(Output):
    """An output that keeps what is written to it."""

    def __init__(self) -> None:
        self.name = "memory"
        self.terminal = False
        self.data = bytearray()

    def write(self, data: bytes) -> None:
        self.data += data
