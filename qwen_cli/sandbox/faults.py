"""The failures that the sandbox simulates: in a given order, or above a rate."""

import re
import threading
import time
from collections.abc import Iterable
from itertools import chain, repeat
from typing import NamedTuple

FAULTS = ("429", "500", "503", "slow", "cut", "garbage", "length", "invalid", "fenced", "think", "noformat")


class Fault(NamedTuple):
    """One of `FAULTS`, and how many requests it affects; None for all from then on."""

    kind: str
    times: int | None = None


def parse_fault(text: str) -> Fault:
    """Parse `KIND` or `KIND*TIMES`; ValueError names what is allowed."""
    kind, star, times = text.partition("*")
    if kind not in FAULTS:
        raise ValueError(f"{kind!r} is not one of {', '.join(FAULTS)}")
    if not star:
        return Fault(kind)
    if not re.fullmatch("0*[1-9][0-9]{0,8}", times):
        raise ValueError(f"{text!r}: the number of requests after the * must be 1 or more")
    return Fault(kind, int(times))


class FaultSchedule:
    """Deals the faults out to requests in the order given, one each; any thread may use it."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        kinds = (repeat(kind) if times is None else repeat(kind, times) for kind, times in faults)
        self._kinds = chain.from_iterable(kinds)
        self._lock = threading.Lock()

    def take(self) -> str | None:
        """The fault of the next request, None for none."""
        with self._lock:
            return next(self._kinds, None)


class RateLimit:
    """A token bucket: `rate` requests a second, and as many at once after a quiet second; any thread may use it."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._tokens = self._burst = max(1.0, rate)
        self._filled = time.monotonic()
        self._lock = threading.Lock()

    def take(self) -> float:
        """Let a request through and return 0, or return the seconds until the next one may pass."""
        with self._lock:
            now = time.monotonic()
            self._tokens = min(self._burst, self._tokens + (now - self._filled) * self._rate)
            self._filled = now
            if self._tokens < 1:
                return (1 - self._tokens) / self._rate
            self._tokens -= 1
            return 0
