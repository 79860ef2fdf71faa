"""A run over all items: workers answer them, the main thread writes the results in order, and decides when to stop."""

import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from qwen_cli.errors import CacheMiss, CredentialsError, Killed, NetworkError, QwenError
from qwen_cli.map.budget import Budget
from qwen_cli.map.one_item import ItemOutcome
from qwen_cli.map.order import Result, Window
from qwen_cli.map.pace import Governor, NotSent
from qwen_cli.map.tally import Tally
from qwen_cli.map.workers import Workers
from qwen_cli.output.result import ATOMIC, Output
from qwen_cli.output.terminal import STDOUT
from qwen_cli.signals import die_of, not_ignored

_TICK: Final = 0.1
"""Seconds between two looks at the progress and at signals."""

_NO_ACCIDENT: Final = 4
"""So many failures of the network in a row are that of the network, not of single items."""

_LAST_WORDS: Final = 0.6
"""Seconds that an interrupted run has for what is answered already."""

_INTERRUPTS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Limits(NamedTuple):
    """When a run ends before its input does."""

    workers: int
    fail_fast: bool


class Run:
    """One run; `failure` is what stopped it, if anything did.

    `process` answers an item, in any thread; `settle` makes the result of an outcome, in the main one.
    """

    def __init__(
        self,
        items: Iterator[tuple[int, Any]],
        process: Callable[[int, Any], ItemOutcome],
        settle: Callable[[ItemOutcome], tuple[ItemOutcome, Result]],
        output: Output,
        *,
        tally: Tally,
        governor: Governor,
        budget: Budget,
        limits: Limits,
    ) -> None:
        self._process = process
        self._settle = settle
        self._output = output
        self._tally = tally
        self._governor = governor
        self._budget = budget
        self._limits = limits
        self._window = Window()
        self._workers = Workers(items, self._answer, self._window)
        self._deciding = threading.Lock()
        self._network_failures = 0
        """How many items in a row failed because of the network."""
        self._held = b""
        """Lines without an answer that are only written if one with an answer follows."""
        self._interrupted: int | None = None
        self._deadline: float | None = None
        self._reader_left: float | None = None
        self.failure: QwenError | None = None

    # In any thread.

    def _answer(self, number: int, data: Any) -> ItemOutcome:
        found = self._process(number, data)
        if found.outcome is not None and not found.outcome.cached:
            self._budget.spend(found.outcome.answers)
        with self._deciding:
            failure = found.failure
            if not isinstance(failure, NotSent):
                is_network = isinstance(failure, NetworkError) and not isinstance(failure, CacheMiss)
                self._network_failures = self._network_failures + 1 if is_network else 0
                if failure is not None and self.failure is None and self._stops_all(failure):
                    self.failure = type(failure)(f"item {number}: {failure}")
            if self.failure is not None or self._budget.is_at_its_end:
                self._stop()
        return found

    def _stops_all(self, failure: QwenError) -> bool:
        """Whether the other items would fail in the same way, or one failure is enough."""
        return (
            isinstance(failure, CredentialsError)
            or self._limits.fail_fast
            or self._governor.is_exhausted
            or self._network_failures >= max(self._limits.workers, _NO_ACCIDENT)
        )

    def _stop(self) -> None:
        """Start nothing more; what is under way is finished."""
        self._governor.stop()
        self._workers.stop()

    # In the main thread.

    def finish(self, progress: Callable[[], None]) -> None:
        """Answer all items, or those until something stops the run; `progress` is called now and then."""
        for number in not_ignored(_INTERRUPTS):
            signal.signal(number, self._interrupt)
        self._workers.start(self._limits.workers)
        try:
            while not self._workers.are_over and self._interrupted is None:
                self._take(_TICK)
                self._write_ready()
                self._notice_reader()
                progress()
            if self._interrupted is not None:
                self._stop()
                while self._workers.has_done and not self._is_late():
                    self._take(0)
                for item, data in self._workers.abandoned():
                    self._settle_outcome(ItemOutcome(item, data, failure=NotSent("the run was stopped")))
            self._write_ready()
        except _NobodyReads:
            pass
        finally:
            self._stop()
        if self._interrupted is not None:
            raise Interrupted(self._interrupted)

    def reader_left(self) -> None:
        """Nobody reads the results any more."""
        self._reader_left = self._reader_left or time.monotonic()

    def _notice_reader(self) -> None:
        """Die of it, unless the last result was written when the reader left."""
        if self._reader_left is not None and time.monotonic() - self._reader_left > _TICK:
            raise Killed(signal.SIGPIPE)

    def _interrupt(self, number: int, _frame: object) -> None:
        """Write what is answered, then die; at once at the second time."""
        if self._interrupted is not None:
            die_of(number)
        self._deadline = time.monotonic() + _LAST_WORDS
        self._interrupted = number

    def _is_late(self) -> bool:
        return self._deadline is not None and time.monotonic() > self._deadline

    def _take(self, timeout: float) -> None:
        """Settle the next outcome, if there is one in time; stop if there is no more to be read."""
        try:
            found = self._workers.take(timeout)
        except QwenError as error:
            with self._deciding:
                self.failure = self.failure or error
                self._stop()
        else:
            if found is not None:
                self._settle_outcome(found)

    def _settle_outcome(self, found: ItemOutcome) -> None:
        found, result = self._settle(found)
        if isinstance(found.failure, NotSent):
            self._tally.unsent += 1
        else:
            self._tally.add(found)
            if found.failure is not None and self.failure is not found.failure:
                self._report(found.number, found.failure)
        self._window.put(found.number, result)

    def _report(self, number: int, failure: QwenError) -> None:
        """Report a failure, unless it is the one that stopped the run, with which that ends."""
        if self.failure is None or str(self.failure) != f"item {number}: {failure}":
            self._tally.report(number, failure)

    def _write_ready(self) -> None:
        for result in self._window.take():
            self._write_result(result)

    def _write_result(self, result: Result) -> None:
        if self._workers.is_stopped and not result.is_answer:
            self._held += result.data
        else:
            data, self._held = self._held + result.data, b""
            self._write(data)

    def _write(self, data: bytes) -> None:
        """Write in pieces that a pipe takes at once, so that a signal need not wait for a reader."""
        for start in range(0, len(data), ATOMIC):
            while not _is_writable(_TICK):
                if self._is_late():
                    raise _NobodyReads
                self._notice_reader()
            self._output.write(data[start : start + ATOMIC])

    def count_unsent(self) -> tuple[int, bool]:
        """How many items were not sent, and whether that is all of them."""
        count, is_all = self._workers.count_unsent()
        return self._tally.unsent + count, is_all


class Interrupted(Killed):
    """A run that a signal has ended, with all written that was answered."""


class _NobodyReads(Exception):
    """The reader of the results takes nothing, and time is up."""


def _is_writable(timeout: float) -> bool:
    poll = select.poll()
    poll.register(STDOUT, select.POLLOUT)
    return bool(poll.poll(timeout * 1000))
