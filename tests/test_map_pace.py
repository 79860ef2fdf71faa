"""How fast `map` sends: what `Rate` decides against simulated services, where no time passes, and against real ones."""

import heapq
import json
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from subprocess import PIPE

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen_cli.map.pace import Rate
from tests.api_server import ApiServer, Request, Step, reply
from tests.bodies import completion, error
from tests.echo import asked, echo
from tests.program import Program

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


def run(
    items: int, workers: int, takes: Callable[[float], bool], asked: float | None, *, arriving: float = 0.0
) -> Result:
    """So many workers send until every item was taken; the items are there from a time on."""
    rate = Rate(0.0)
    sent = refused = done = begun = 0
    now = arriving
    # When, a number that keeps them in order, and what the worker does then: None asks for its turn.
    events: list[tuple[float, int, int | None]] = [(now, worker, None) for worker in range(min(workers, items))]
    for _ in events:
        rate.begin(now)
        begun += 1
    while done < items:
        now, worker, turn = heapq.heappop(events)
        assert now < arriving + 3600, "it has not settled within an hour"
        if turn is None:
            wait = rate.wait(now)
            sent += not wait
            heapq.heappush(events, (now + (wait or ROUND_TRIP), worker, None if wait else rate.round))
            continue
        if takes(now):
            rate.answered(now)
            rate.end(now)
            done += 1
            if begun == items:
                continue
            begun += 1
            rate.begin(now)
            heapq.heappush(events, (now, worker, None))
        else:
            rate.refused(turn, now, asked)
            refused += 1
            heapq.heappush(events, (now + 0.025, worker, None))
    return Result(now - arriving, sent, refused)


def test_a_limit_is_kept_to_with_few_refusals() -> None:
    """200 items at 64 workers against 20 a second: hardly longer than the limit allows, a third refused at most."""
    result = run(200, 64, Bucket(20).takes, 1)
    assert result.seconds <= 1.3 * (200 - 20) / 20 + 1
    assert result.refused <= result.sent / 3


@given(rate=st.integers(2, 200), workers=st.integers(1, 256), asked=st.sampled_from([1, None]))
@settings(max_examples=15)
def test_every_limit_settles(rate: int, workers: int, asked: float | None) -> None:
    result = run(rate * 10, workers, Bucket(rate).takes, asked)
    assert result.seconds < 3 * 10 + 10
    assert result.refused <= result.sent / 2 + 2 * workers


@pytest.mark.parametrize("workers", [1, 8, 64])
def test_a_storm_that_passes_is_survived(workers: int) -> None:
    """Nothing is taken for 20 seconds: single requests find out when it is over."""
    result = run(500, workers, lambda now: now > 20, None)
    assert result.seconds < 40
    assert result.refused < 64 + 20 * 8


def test_without_a_limit_nothing_waits() -> None:
    result = run(1000, 10, lambda _: True, None)
    assert result.seconds == pytest.approx(1000 / 10 * ROUND_TRIP, rel=0.1)


@pytest.mark.parametrize("seed", range(20))
def test_refusals_by_chance_slow_nothing(seed: int) -> None:
    """One answer in ten is a refusal, whatever the rate; only if it is the very first does it cost a pause."""
    chance = random.Random(seed)
    without = run(1500, 8, lambda _: True, None)
    result = run(1500, 8, lambda _: chance.random() > 0.1, None)
    assert result.seconds < 2 * without.seconds + 1


@pytest.mark.parametrize("silence", [0.0, 60.0, 3600.0])
def test_silence_of_the_input_says_nothing_about_the_service(silence: float) -> None:
    """Ten are taken, then none for a second, then all; how long nothing was asked before does not matter."""
    taken = 0

    def takes(now: float) -> bool:
        nonlocal taken
        taken += 1
        return taken <= 10 or now > silence + 1

    assert run(40, 8, takes, 1, arriving=silence).seconds < 6


def test_silence_between_items_is_no_slowness_of_the_service() -> None:
    rate = Rate(0.0)
    rate.begin(0.0)
    assert rate.wait(0.0) == 0
    rate.answered(0.01)
    rate.end(0.01)
    for number in range(20):
        rate.begin(60.0)
        assert rate.wait(60.0) == 0
        if number < 10:
            rate.answered(60.01)
            rate.end(60.01)
    rate.refused(rate.round, 60.02, 1)
    assert rate.wait(60.5) == pytest.approx(0.52)
    assert rate.wait(61.02) == 0
    assert rate.wait(61.02) < 0.2


def test_the_service_decides_how_long_the_pause_is() -> None:
    rate = Rate(0.0)
    rate.begin(0.0)
    assert rate.wait(0.0) == 0
    rate.refused(rate.round, 0.0, 30)
    assert rate.is_paused(29.9)
    assert rate.wait(1.0) == pytest.approx(29)
    assert rate.wait(30.0) == 0


def test_a_refusal_of_an_earlier_round_makes_the_pause_longer_only_if_the_service_says_so() -> None:
    rate = Rate(0.0)
    for _ in range(3):
        rate.begin(0.0)
        assert rate.wait(0.0) == 0
    rate.refused(0, 0.0, 5)
    rate.refused(0, 0.1, None)
    assert rate.wait(5.0) == 0
    rate.refused(0, 5.0, 20)
    assert rate.wait(6.0) == pytest.approx(19)


def test_limits_of_the_service_are_waited_for(qwen: Program) -> None:
    """60 items at 64 at once, against 20 requests a second."""
    qwen.file("lines", "".join(f"{n}\n" for n in range(60)))
    script = '"$@" map -P 64 <lines >answers; status=$?; "$@" cost --period 1h --json >usage; exit $status'
    result = qwen(script=f'"$@" sandbox --rate 20 -- sh -c \'{script}\' sh "$@"', timeout=60)
    assert result.status == 0, result.stderr
    assert qwen.files()["answers"].count(b"\n") == 60
    assert json.loads(qwen.files()["usage"])["requests"] == 60


@pytest.mark.parametrize("status", [429, 503])
def test_a_storm_of_refusals_settles(qwen: Program, api: ApiServer, status: int) -> None:
    """Without a word on how long to wait, and more of them than --retries allows for one request.

    There are as many as requests at once, so that none is answered before the first of them is noticed.
    """
    api.answer(*[reply(error(status), status=status)] * 8)
    api.always(echo)
    result = qwen("map", "-P", "8", "--retries", "0", input="x\n" * 100, timeout=120)
    assert (result.status, result.text) == (0, "x\n" * 100)
    assert "requests again: HTTP" in result.message
    assert "raise --retries" not in result.message


def test_a_limit_that_never_ends_stops_the_run(qwen: Program, api: ApiServer) -> None:
    api.always(reply(error(429, "used up"), status=429))
    result = qwen("map", "--timeout", "1", input="x\n" * 100)
    assert result.status == 5
    assert "used up" in result.stderr.splitlines()[-1]


def test_an_item_that_is_refused_while_others_are_answered_is_given_up_alone(qwen: Program, api: ApiServer) -> None:
    def answer(request: Request) -> Sequence[Step]:
        return reply(error(503), status=503) if asked(request) == "bad" else echo(request)

    api.always(answer)
    result = qwen.call("map", "-P", "4", input="bad\n" + "x\n" * 400)
    assert (result.status, result.text) == (11, "\n" + "x\n" * 400)
    assert "item 1: HTTP 503" in result.stderr
    assert "1 of 401 items failed: 1 with status 5" in result.stderr


def test_patience_begins_with_the_first_refusal_not_with_the_last_answer(qwen: Program, api: ApiServer) -> None:
    """A quiet input is no refusing service: one 429 after a silence longer than --timeout is waited for."""
    api.answer(
        reply(completion("a")), reply(error(429), status=429, headers={"retry-after": 0}), reply(completion("b"))
    )
    with qwen.start("map", "--timeout", "1", input=PIPE) as running:
        running.write(b"a\n")
        running.wait_for(b"a\n")
        silence = threading.Event()
        silence.wait(1.5)
        running.write(b"b\n")
        running.close_input()
        result = running.finish()
    assert (result.status, result.text) == (0, "a\nb\n")
