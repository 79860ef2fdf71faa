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
    matched = re.fullmatch(rf"({'|'.join(FAULTS)})(?:\*([1-9][0-9]{{0,8}}))?", text)
    if matched is None:
        raise ValueError(
            f"{text!r} is not one of {', '.join(FAULTS)}, nor one with the number of requests, as in 429*2"
        )
    return Fault(matched[1], int(matched[2]) if matched[2] else None)


class Failures:
    """Deals the faults out to requests in the order given, one each, and a 429 above a rate; any thread may use it."""

    def __init__(self, faults: Iterable[Fault], rate: float | None = None) -> None:
        kinds = (repeat(kind) if times is None else repeat(kind, times) for kind, times in faults)
        self._kinds = chain.from_iterable(kinds)
        # In whole nanoseconds, since rounding would add up.
        self._interval = int(1e9 / rate) if rate else 0
        self._next_turn = 0
        self._lock = threading.Lock()

    def take(self) -> tuple[str | None, float]:
        """The fault of the next request, None for none, and the seconds after which it may be sent again."""
        with self._lock:
            now = time.monotonic_ns()
            # The turns of a second that nobody took are not lost: so many requests may come at once.
            turn = max(self._next_turn, now - max(0, 10**9 - self._interval))
            if turn > now:
                return "429", (turn - now) / 1e9
            self._next_turn = turn + self._interval
            return next(self._kinds, None), 0
