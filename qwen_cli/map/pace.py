"""Respect the rate limit of a service: all workers pause when it asks them to, then go on as fast as it allows."""

import threading
import time
from typing import Final

from qwen_cli.connection import retries
from qwen_cli.errors import QwenError
from qwen_cli.output.stderr import Notes

_UNLIMITED: Final = 1000.0
"""Requests a second: a higher rate counts as no limit."""

_DOUBLING: Final = 20.0
"""Seconds without a refusal after which the rate has doubled; it grows with their square, slowly at first."""

_PROBES: Final = 8
"""How many requests are sent to find out whether a service that refused everything accepts requests again."""

_LONGEST_BACKOFF: Final = 2.0
"""Seconds: the longest pause before these few, unless the service asks for a longer one."""

_CATCH_UP: Final = 0.1
"""Seconds: how much of a delay the next requests make up for."""


class Rate:
    """How fast requests may be sent. Pure: the time is always passed in, nothing waits.

    A *round* is what was sent from one pause to the next. The number of requests in it that were not refused, divided
    by its length including the pause that ended it, is the rate that the service allows. After a round in which all
    were refused, a few requests probe the service; from its first answer on, each answer doubles the rate.
    """

    def __init__(self, now: float) -> None:
        self.round = 0
        self._round_began = now
        self._sent = 0
        self._refused = 0
        self._resume_at: float | None = None
        self._rate: float | None = None
        self._rate_set_at = now
        self._is_probing = False
        self._follows_failure = False
        self._failed_rounds = 0
        self._next_at = now

    @property
    def is_paused(self) -> bool:
        return self._resume_at is not None

    def request(self, now: float) -> float:
        """Count a request as sent and return 0, or return the seconds to wait before trying again."""
        if self._resume_at is not None:
            if now < self._resume_at:
                return self._resume_at - now
            self._resume(now, self._resume_at)
        rate = None if self._is_probing and self._sent < _PROBES else self._limit(now)
        if rate is not None:
            if now < self._next_at:
                return self._next_at - now
            self._next_at = max(self._next_at, now - _CATCH_UP) + 1 / rate
        self._sent += 1
        return 0.0

    def _limit(self, now: float) -> float | None:
        """The maximum number of requests a second; None for no limit."""
        if self._rate is None:
            return None
        rate = self._rate
        if not self._is_probing:
            rate *= 1 + ((now - self._rate_set_at) / _DOUBLING) ** 2
        return rate if rate < _UNLIMITED else None

    def answered(self) -> None:
        """The service accepted a request."""
        self._failed_rounds = 0
        if self._is_probing and self._rate is not None:
            self._rate = min(self._rate * 2, _UNLIMITED)

    def refused(self, round_sent: int, now: float, retry_after: str | None) -> None:
        """The service refused a request that was sent in that round: pause."""
        asked = retries.parse_retry_after(retry_after)
        if round_sent != self.round:
            # Its round has had its pause: only the server can make that longer.
            if self._resume_at is not None:
                self._refused += round_sent == self.round - 1
                if asked is not None:
                    self._resume_at = max(self._resume_at, now + asked)
            return
        self.round += 1
        self._refused = 1
        pause = min(retries.delay(self._failed_rounds, None), _LONGEST_BACKOFF) if asked is None else asked
        self._resume_at = now + pause

    def _resume(self, now: float, resume_at: float) -> None:
        elapsed = max(resume_at - self._round_began, 0.001)
        passed = self._sent - self._refused
        if passed > 0:
            self._rate = passed / elapsed
            # A round that began while the service refused everything says little about what it allows.
            self._is_probing = self._follows_failure
            self._follows_failure = False
            self._failed_rounds = 0
        else:
            self._failed_rounds += 1
            self._rate = min(self._rate or _UNLIMITED, 1 / elapsed)
            self._is_probing = self._follows_failure = True
        self._rate_set_at = self._round_began = self._next_at = now
        self._sent = 0
        self._resume_at = None


class Governor(retries.Pace):
    """Makes all workers keep to one `Rate`; any thread may use it.

    `patience` is how many seconds of nothing but refusals are tolerated before the run stops.
    """

    def __init__(self, notes: Notes, patience: float) -> None:
        self._notes = notes
        self._patience = patience
        self._turnstile = threading.Lock()
        self._lock = threading.Lock()
        self._rate = Rate(time.monotonic())
        self._last_answer: float | None = None
        self._has_noted = False
        self.is_exhausted = False

    @property
    def is_paused(self) -> bool:
        return self._rate.is_paused

    def turn(self) -> int:
        with self._turnstile:  # one thread waits for its turn, the others for the turnstile
            while True:
                with self._lock:
                    now = time.monotonic()
                    if self._last_answer is None:
                        self._last_answer = now
                    wait = self._rate.request(now)
                    if not wait:
                        return self._rate.round
                time.sleep(wait)

    def answered(self) -> None:
        with self._lock:
            self._last_answer = time.monotonic()
            self._rate.answered()

    def limited(self, turn: int, failure: QwenError, retry_after: str | None) -> bool:
        with self._lock:
            now = time.monotonic()
            self._rate.refused(turn, now, retry_after)
            has_noted, self._has_noted = self._has_noted, True
            if now - (self._last_answer or now) > self._patience:
                self.is_exhausted = True
        if not has_noted:
            self._notes.note(f"waiting until the service accepts requests again: {failure.message}")
        if self.is_exhausted:
            raise failure
        return True
