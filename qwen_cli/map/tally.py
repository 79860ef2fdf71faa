"""The outcomes of the items: counted, reported by number, and summed up at the end."""

import threading
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from qwen_cli.answer.completion import Answer
from qwen_cli.cost.usage import Total
from qwen_cli.errors import CacheMiss, CredentialsError, NetworkError, ProtocolError, QwenError
from qwen_cli.output.stderr import Notes

_MAX_REPORTED: Final = 10
"""Failures of one status that are reported; more would only hide the others."""


class ItemOutcome(NamedTuple):
    """The outcome of one item. `answers` are all that were paid for, fitting or not."""

    number: int
    result: bytes
    failure: QwenError | None = None
    answers: Sequence[Answer] = ()
    remark: str | None = None

    @property
    def is_fatal(self) -> bool:
        """Whether all other items would fail in the same way."""
        return isinstance(self.failure, CredentialsError)


class Tally:
    """The figures of a run so far; any thread may add to them."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._lock = threading.Lock()
        self._reported: Counter[int] = Counter()
        self.failed: Counter[int] = Counter()
        self.done = 0
        self.cost = Total()
        self.network_failures = 0
        """How many items in a row failed because of the network."""

    @property
    def usd(self) -> Decimal:
        return self.cost.sums["usd_spent"] or Decimal(0)

    def add(self, outcome: ItemOutcome) -> None:
        """Count an outcome."""
        with self._lock:
            self.done += 1
            for answer in outcome.answers:
                self._add_cost(answer)
            if outcome.failure is not None:
                self.failed[outcome.failure.status] += 1
            is_network = isinstance(outcome.failure, NetworkError) and not isinstance(outcome.failure, CacheMiss)
            self.network_failures = self.network_failures + 1 if is_network else 0

    def _add_cost(self, answer: Answer) -> None:
        try:
            self.cost.add(answer)
        except ProtocolError as error:
            self._notes.note(f"an answer does not count towards the cost: {error}")

    def report(self, outcome: ItemOutcome) -> None:
        """Report a failure by the number of its item, unless there were too many of its kind already."""
        if outcome.remark is not None:
            self._notes.note(f"item {outcome.number}: {outcome.remark}")
        if outcome.failure is None:
            return
        status = outcome.failure.status
        with self._lock:
            self._reported[status] += 1
            count = self._reported[status]
        if count <= _MAX_REPORTED:
            self._notes.report(f"item {outcome.number}: {outcome.failure}")
        if count == _MAX_REPORTED:
            self._notes.report(f"further failures with status {status} are counted but not reported")

    def summary(self) -> str:
        """How many items failed, by status."""
        kinds = ", ".join(f"{count} with status {status}" for status, count in sorted(self.failed.items()))
        return f"{self.failed.total()} of {self.done} items failed: {kinds}"
