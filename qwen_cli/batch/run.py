"""Many items at once: workers that take the next one, until the input ends or something stops them all."""

import threading
import time
from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

from qwen_cli import signals
from qwen_cli.batch.items import Source
from qwen_cli.batch.pacing import Governor
from qwen_cli.batch.tally import ItemOutcome, Tally
from qwen_cli.batch.window import Window
from qwen_cli.errors import QwenError

_TICK = 0.1
"""Seconds between two looks at the progress."""

_COUNTING = 0.5
"""Seconds that counting what was not sent may take."""


class Limits(NamedTuple):
    """What stops a run before its input ends."""

    workers: int
    fail_fast: bool
    max_usd: Decimal | None


class Run:
    """One run over the items of a source. `process` answers one item; it is called by many threads."""

    def __init__(
        self,
        source: Source,
        process: Callable[[int, bytes | None], ItemOutcome],
        write: Callable[[bytes], None],
        tally: Tally,
        governor: Governor,
        limits: Limits,
    ) -> None:
        self._source = source
        self._process = process
        self._window = Window(write)
        self._tally = tally
        self._governor = governor
        self._limits = limits
        self._reading = threading.Lock()
        self._changed = threading.Condition()
        self._workers = limits.workers
        self._under_way = 0
        self._is_draining = False
        self._failure: BaseException | None = None
        self.unsent = 0
        """How many items were read and not sent."""

    def finish(self, progress: Callable[[], None] | None) -> BaseException | None:
        """Work until the input ends; what stopped it, if anything did. `progress` is called now and then."""
        signals.before_dying(self._window.break_off)
        for _ in range(self._limits.workers):
            threading.Thread(target=self._work, daemon=True).start()
        with self._changed:
            while not self._is_over:
                self._changed.wait(None if progress is None else _TICK)
                if progress is not None:
                    progress()
        if self._failure is not None:
            self._window.break_off()
        return self._failure

    @property
    def _is_over(self) -> bool:
        if self._failure is not None or not self._workers:
            return True
        return self._is_draining and not self._under_way

    @property
    def is_out_of_budget(self) -> bool:
        """Whether it has stopped at `max_usd`."""
        return self._is_draining

    def count_unsent(self) -> tuple[int, bool]:
        """How many items were not sent, and whether these are all: more may come of what is no file."""
        if not self._reading.acquire(timeout=_COUNTING):
            return self.unsent, False  # still waiting for input
        end = time.monotonic() + _COUNTING
        counter = threading.Thread(target=self._skip, args=(end,), daemon=True)
        counter.start()
        counter.join(_COUNTING)
        return self.unsent, not counter.is_alive() and self._has_ended

    _has_ended = False

    def _skip(self, end: float) -> None:
        while time.monotonic() < end:
            if self._source.read() is None:
                self._has_ended = True
                return
            self.unsent += 1

    def _work(self) -> None:
        try:
            while self._window.enter() and (read := self._begin()) is not None:
                number, data = read
                outcome = self._process(number, data)
                if self._failure is not None:
                    break
                self._settle(outcome)
                if self._failure is not None:
                    break
                self._window.put(number, outcome.result)
                with self._changed:
                    self._under_way -= 1
                    if self._is_draining:
                        self._changed.notify_all()
        except BaseException as error:  # the main thread raises it
            self._stop(error)
        with self._changed:
            self._workers -= 1
            self._changed.notify_all()

    def _begin(self) -> tuple[int, bytes | None] | None:
        """The next item, counted as under way; None at the end, and once nothing more is to be started."""
        with self._reading:
            if self._is_draining or self._failure is not None:
                return None
            read = self._source.read()
            with self._changed:
                if read is None:
                    return None
                if self._is_draining or self._failure is not None:
                    self.unsent += 1
                    return None
                self._under_way += 1
            return read

    def _settle(self, outcome: ItemOutcome) -> None:
        """Count what has come of an item, and stop the run where it says that the others cannot do better."""
        self._tally.add(outcome)
        if self._limits.max_usd is not None and self._tally.usd >= self._limits.max_usd:
            self._is_draining = True
            self._window.close()
        if outcome.failure is not None and self._stops_all(outcome):
            self._stop(_numbered(outcome.number, outcome.failure))
        else:
            self._tally.tell(outcome)

    def _stops_all(self, outcome: ItemOutcome) -> bool:
        return (
            outcome.is_fatal
            or self._limits.fail_fast
            or self._governor.is_exhausted
            or self._tally.network_failures >= self._limits.workers
        )

    def _stop(self, failure: BaseException) -> None:
        with self._changed:
            if self._failure is None:
                self._failure = failure
            self._changed.notify_all()
        self._window.close()


def _numbered(number: int, failure: QwenError) -> QwenError:
    return type(failure)(f"item {number}: {failure}")
