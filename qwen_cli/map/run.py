"""Many items at once: each worker takes the next one, until the input ends or something stops the run."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal

from qwen_cli import signals
from qwen_cli.errors import QwenError
from qwen_cli.map.order import Window
from qwen_cli.map.pace import Governor
from qwen_cli.map.tally import ItemOutcome, Tally

_TICK = 0.1
"""Seconds between two updates of the progress."""

_COUNTING = 0.5
"""Seconds that counting the unsent items may take."""


class Run:
    """One run over numbered items. `process` answers one, in any thread; `write` writes the results, in order."""

    def __init__(
        self,
        items: Iterator[tuple[int, bytes | None]],
        process: Callable[[int, bytes | None], ItemOutcome],
        write: Callable[[bytes], None],
        tally: Tally,
        governor: Governor,
        *,
        workers: int,
        fail_fast: bool,
        max_usd: Decimal | None,
    ) -> None:
        self._items = items
        self._process = process
        self._window = Window(write)
        self._tally = tally
        self._governor = governor
        self._max_workers = self._workers = workers
        self._fail_fast = fail_fast
        self._max_usd = max_usd
        self._reading = threading.Lock()
        self._changed = threading.Condition()
        self._under_way = 0
        self._unsent = 0
        self._failure: BaseException | None = None
        self.is_out_of_budget = False

    def finish(self, progress: Callable[[], None]) -> BaseException | None:
        """Answer all items, or return the failure that stopped the run. `progress` is called now and then."""
        signals.before_dying(self._window.break_off)
        for _ in range(self._max_workers):
            threading.Thread(target=self._work, daemon=True).start()
        with self._changed:
            while not self._changed.wait_for(self._is_over, _TICK):
                progress()
        if self._failure is not None:
            self._window.break_off()
        return self._failure

    def _is_over(self) -> bool:
        is_drained = self.is_out_of_budget and not self._under_way
        return is_drained or self._failure is not None or not self._workers

    def count_unsent(self) -> tuple[int, bool]:
        """How many items were not sent, and whether that is all of them: a pipe may have more to come."""
        if not self._reading.acquire(timeout=_COUNTING):
            return self._unsent, False  # still waiting for input
        counter = threading.Thread(target=self._skip, daemon=True)
        counter.start()
        counter.join(_COUNTING)
        return self._unsent, not counter.is_alive()

    def _skip(self) -> None:
        with suppress(QwenError):
            for _ in self._items:
                self._unsent += 1

    def _work(self) -> None:
        try:
            while self._window.enter() and (read := self._begin()) is not None:
                outcome = self._process(*read)
                self._settle(outcome)
                if self._failure is not None:
                    break
                self._window.put(outcome.number, outcome.result)
                with self._changed:
                    self._under_way -= 1
                    if self.is_out_of_budget:
                        self._changed.notify_all()
        except BaseException as error:  # the main thread raises it
            self._stop(error)
        with self._changed:
            self._workers -= 1
            self._changed.notify_all()

    def _begin(self) -> tuple[int, bytes | None] | None:
        """The next item, counted as under way; None at the end, and once the run has stopped."""
        with self._reading:
            read = None if self._is_stopped else next(self._items, None)
            with self._changed:
                if read is not None and self._is_stopped:
                    self._unsent += 1
                    return None
                self._under_way += read is not None
            return read

    @property
    def _is_stopped(self) -> bool:
        return self.is_out_of_budget or self._failure is not None

    def _settle(self, outcome: ItemOutcome) -> None:
        """Count an outcome; stop the run if it means that the other items would fail as well."""
        if self._failure is not None:
            return
        self._tally.add(outcome)
        if self._max_usd is not None and self._tally.usd >= self._max_usd:
            self.is_out_of_budget = True
            self._window.close()
        if outcome.failure is not None and self._stops_all(outcome):
            self._stop(type(outcome.failure)(f"item {outcome.number}: {outcome.failure}"))
        else:
            self._tally.report(outcome)

    def _stops_all(self, outcome: ItemOutcome) -> bool:
        return (
            outcome.is_fatal
            or self._fail_fast
            or self._governor.is_exhausted
            or self._tally.network_failures >= self._max_workers
        )

    def _stop(self, failure: BaseException) -> None:
        with self._changed:
            if self._failure is None:
                self._failure = failure
            self._changed.notify_all()
        self._window.close()
