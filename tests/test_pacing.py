"""How fast `map` sends: decisions of `Rate` alone, against services that are simulated, so that no time passes."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen_cli.map.pace import Rate

ROUND_TRIP = 0.01


class Bucket:
    """A service that allows so many requests a second, with a burst of one second's worth."""

    def __init__(self, rate: float) -> None:
        self.rate = self.tokens = rate
        self.at = 0.0

    def takes(self, now: float) -> bool:
        self.tokens = min(self.rate, self.tokens + (now - self.at) * self.rate)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@dataclass
class Result:
    seconds: float
    sent: int
    refused: int


def run(items: int, workers: int, takes: Callable[[float], bool], retry_after: str | None) -> Result:
    """So many workers send until every item was taken."""
    rate = Rate(0.0)
    sent = refused = done = 0
    now = 0.0
    # When, a number that keeps them in order, and what the worker does then: None asks for its turn.
    events: list[tuple[float, int, int | None]] = [(0.0, worker, None) for worker in range(workers)]
    while done < items:
        now, worker, turn = heapq.heappop(events)
        assert now < 3600, "it has not settled within an hour"
        if turn is None:
            wait = rate.request(now)
            sent += not wait
            heapq.heappush(events, (now + (wait or ROUND_TRIP), worker, None if wait else rate.round))
        else:
            if takes(now):
                rate.answered()
                done += 1
            else:
                rate.refused(turn, now, retry_after)
                refused += 1
            heapq.heappush(events, (now, worker, None))
    return Result(now, sent, refused)


def test_a_limit_is_kept_to_with_few_refusals() -> None:
    """200 items at 64 workers against 20 a second: hardly longer than the limit allows, a third refused at most."""
    result = run(200, 64, Bucket(20).takes, "1")
    assert result.seconds <= 1.2 * (200 - 20) / 20 + 1
    assert result.refused <= result.sent / 3


@given(rate=st.integers(2, 200), workers=st.integers(1, 256), retry_after=st.sampled_from(["1", None]))
@settings(max_examples=30)
def test_every_limit_settles(rate: int, workers: int, retry_after: str | None) -> None:
    result = run(rate * 10, workers, Bucket(rate).takes, retry_after)
    assert result.seconds < 3 * 10 + 10
    assert result.refused <= result.sent / 2 + 2 * workers


@pytest.mark.parametrize("workers", [1, 8, 64])
def test_a_storm_that_passes_is_survived(workers: int) -> None:
    """Nothing is taken for 20 seconds: a few requests find out when it is over."""
    result = run(500, workers, lambda now: now > 20, None)
    assert result.seconds < 40
    assert result.refused < 64 + 20 * 8


def test_without_a_limit_nothing_waits() -> None:
    result = run(1000, 10, lambda _: True, None)
    assert result.seconds == pytest.approx(1000 / 10 * ROUND_TRIP, rel=0.1)


def test_the_service_decides_how_long_the_pause_is() -> None:
    rate = Rate(0.0)
    assert rate.request(0.0) == 0
    rate.refused(rate.round, 0.0, "30")
    assert rate.is_paused
    assert rate.request(1.0) == pytest.approx(29)
    assert rate.request(30.0) == 0
