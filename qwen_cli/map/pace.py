"""How fast requests are sent: all pause when the service asks for it, then go on as fast as it answers."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from qwen_cli.connection import retries
from qwen_cli.errors import QwenError
from qwen_cli.output.stderr import Notes

_RECENT: Final = 32
"""How many of the last answers and refusals say whether the service has a limit."""

_NOW_AND_THEN: Final = 1 / 3
"""The share of refusals up to which they come by chance: slower requests would be refused as well."""

_TOO_FEW: Final = 5
"""So many refusals say nothing about a share."""

_DOUBLING: Final = 6.0
"""Seconds without a pause in which the rate doubles, or sooner if it was measured in less."""

_UNLIMITED: Final = 1000.0
"""Requests a second: a higher rate counts as no limit."""

_MAX_DOUBLINGS: Final = 2
"""Of the backoff: a pause is 2 seconds at most, unless the service asks for a longer one."""

_FIRST_OWN_WAIT: Final = 0.025
_LONGEST_OWN_WAIT: Final = 1.0
"""Seconds that a request waits which is refused by chance; they double with each refusal."""

_MAX_REFUSALS: Final = 10
"""How often one request is refused while others are answered, before it is given up."""


class Rate:
    """When the next request may be sent. Pure: the time is always passed in, nothing waits.

    A *round* is what is sent from one pause to the next. What the service answered in it, divided by the time in which
    there was something to ask, is the rate after the pause. A round in which nothing was answered is followed by one
    request at a time, and each answer doubles the rate.
    """

    def __init__(self, now: float) -> None:
        self.round = 0
        self._recent: deque[bool] = deque(maxlen=_RECENT)
        self._at = now
        self._pending = 0
        self._busy = 0.0
        """Seconds of the round in which a request was waiting for its turn or for its answer."""
        self._answered = 0
        self._resume_at = now
        self._next_at = now
        self._rate: float | None = None
        self._rate_at = now
        self._doubling = _DOUBLING
        self._is_probing = False
        self._empty_rounds = 0

    def begin(self, now: float) -> None:
        """A request is there to be sent."""
        self._tick(now)
        self._pending += 1

    def end(self, now: float) -> None:
        """It is answered, or given up."""
        self._tick(now)
        self._pending -= 1

    def _tick(self, now: float) -> None:
        if self._pending:
            self._busy += now - self._at
        self._at = now

    @property
    def is_alone(self) -> bool:
        """Whether one request is all that there is to ask."""
        return self._pending == 1

    def is_paused(self, now: float) -> bool:
        return now < self._resume_at

    def wait(self, now: float) -> float:
        """Count a request as sent and return 0, or return the seconds to wait before trying again."""
        if now < self._resume_at:
            return self._resume_at - now
        rate = self._limit(now)
        if rate is not None:
            if now < self._next_at:
                return self._next_at - now
            self._next_at = max(self._next_at, now - 1 / rate) + 1 / rate
        return 0.0

    def _limit(self, now: float) -> float | None:
        """The most requests a second; None for no limit."""
        if self._rate is None:
            return None
        rate: float = self._rate * 2 ** ((now - self._rate_at) / self._doubling)
        return rate if rate < _UNLIMITED else None

    def answered(self, now: float) -> None:
        """The service has accepted a request."""
        self._tick(now)
        self._recent.append(True)
        self._answered += 1
        self._empty_rounds = 0
        if self._is_probing and self._rate is not None:
            self._rate = min(self._rate * 2, _UNLIMITED)

    def refused(self, round_sent: int, now: float, asked: float | None) -> None:
        """The service refused a request that was sent in that round, and may have asked for a pause of some seconds."""
        self._tick(now)
        self._recent.append(False)
        if round_sent != self.round:
            # Its round has had its pause: only the service can make that longer.
            if asked is not None:
                self._resume_at = max(self._resume_at, now + asked)
            return
        if asked is None and self._answered and self._is_by_chance():
            return
        pause = max(asked or 0.0, retries.backoff(min(self._empty_rounds, _MAX_DOUBLINGS)))
        self._is_probing = not self._answered
        if self._is_probing:
            self._empty_rounds += 1
            self._rate = 1 / pause
        else:
            self._rate = self._answered / (self._busy + pause)
            self._doubling = min(self._busy + pause, _DOUBLING)
        self.round += 1
        self._resume_at = self._next_at = self._rate_at = now + pause
        self._recent.clear()
        self._answered, self._busy = 0, 0.0

    def _is_by_chance(self) -> bool:
        refused = self._recent.count(False)
        return refused <= max(_TOO_FEW, _NOW_AND_THEN * len(self._recent))


class NotSent(QwenError):
    """The run was stopped before this request was sent, or sent again."""


class Governor(retries.Pace):
    """Makes all workers keep to one `Rate`; any thread may use it.

    `patience` is how many seconds of nothing but refusals are tolerated before the run stops.
    """

    def __init__(self, notes: Notes, patience: float) -> None:
        self._notes = notes
        self._patience = patience
        self._lock = threading.Lock()
        self._turnstile = threading.Lock()
        self._stopped = threading.Event()
        self._rate = Rate(time.monotonic())
        self._refusing_since: float | None = None
        self._answers = 0
        self._has_noted = False
        self.is_exhausted = False
        """Whether the service has refused everything for longer than that."""

    @property
    def is_paused(self) -> bool:
        return self._rate.is_paused(time.monotonic())

    def stop(self) -> None:
        """Let nothing more be sent: whoever waits for a turn gets NotSent."""
        self._stopped.set()

    @contextmanager
    def turn(self) -> Iterator["_Turn"]:
        with self._lock:
            self._rate.begin(time.monotonic())
        try:
            yield _Turn(self)
        finally:
            with self._lock:
                self._rate.end(time.monotonic())

    def wait(self, own: float) -> int:
        """Wait `own` seconds, then until a request may be sent; the round in which it is."""
        self._sleep(own)
        with self._turnstile:  # one thread waits for its turn, the others for the turnstile
            while True:
                with self._lock:
                    wait = self._rate.wait(time.monotonic())
                    if not wait:
                        return self._rate.round
                self._sleep(wait)

    def _sleep(self, seconds: float) -> None:
        if self._stopped.wait(seconds):
            raise NotSent("the run was stopped")

    def answered(self) -> None:
        with self._lock:
            self._answers += 1
            self._refusing_since = None
            self._rate.answered(time.monotonic())

    def refused(self, round_sent: int, failure: QwenError, retry_after: str | None) -> tuple[int, bool]:
        """Slow down, or raise the failure if there were refusals for too long.

        Returns the number of answers so far, and whether no other request waits for one.
        """
        with self._lock:
            now = time.monotonic()
            self._rate.refused(round_sent, now, retries.parse_retry_after(retry_after))
            if self._refusing_since is None:
                self._refusing_since = now
            self.is_exhausted = self.is_exhausted or now - self._refusing_since > self._patience
            is_first_pause = self._rate.is_paused(now) and not self._has_noted
            self._has_noted = self._has_noted or is_first_pause
        if is_first_pause:
            self._notes.note(f"waiting until the service accepts requests again: {failure.message}")
        if self.is_exhausted:
            raise failure
        return self._answers, self._rate.is_alone


class _Turn(retries.Turn):
    """One request, which may be refused several times."""

    def __init__(self, governor: Governor) -> None:
        self._governor = governor
        self._round = 0
        self._wait = 0.0
        self._refusals = 0
        """Those of this request that others, which were answered, did not get."""
        self._answers = 0

    def wait(self) -> None:
        self._round = self._governor.wait(self._wait)

    def answered(self) -> None:
        self._governor.answered()

    def refused(self, failure: QwenError, retry_after: str | None, *, is_limit: bool) -> bool:
        answers, is_alone = self._governor.refused(self._round, failure, retry_after)
        self._refusals += answers > self._answers or (bool(answers) and is_alone and not is_limit)
        self._answers = answers
        if self._refusals > _MAX_REFUSALS:
            raise failure
        self._wait = min(max(self._wait * 2, _FIRST_OWN_WAIT), _LONGEST_OWN_WAIT)
        return True
