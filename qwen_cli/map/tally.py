"""The outcomes of the items: counted, reported by number, and summed up at the end."""

from collections import Counter
from typing import Final

from qwen_cli.errors import QwenError
from qwen_cli.map.one_item import ItemOutcome
from qwen_cli.output.stderr import Notes

_MAX_REPORTED: Final = 10
"""Failures of one status that are reported; more would only hide the others."""


class Tally:
    """How the items of a run have ended so far."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._reported: Counter[int] = Counter()
        self.failed: Counter[int] = Counter()
        self.done = 0
        self.cached = 0
        self.unsent = 0

    def add(self, found: ItemOutcome) -> None:
        """Count an outcome."""
        self.done += 1
        self.cached += found.outcome is not None and found.outcome.cached
        if found.failure is not None:
            self.failed[found.failure.status] += 1

    def report(self, number: int, failure: QwenError) -> None:
        """Report a failure by the number of its item, unless there were too many of its kind already."""
        status = failure.status
        self._reported[status] += 1
        if self._reported[status] <= _MAX_REPORTED:
            self._notes.report(f"item {number}: {failure}")
        elif self._reported[status] == _MAX_REPORTED + 1:
            self._notes.report(f"further failures with status {status} are counted but not reported")

    def summary(self) -> str:
        """How many items failed, by status."""
        kinds = ", ".join(f"{count} with status {status}" for status, count in sorted(self.failed.items()))
        return f"{self.failed.total()} of {self.done} items failed: {kinds}"
