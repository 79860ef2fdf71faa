"""Whatever ends a run of `map`: nothing more is started, and what was paid for is written."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterable
from subprocess import PIPE

import pytest

from tests.api_server import RESET, SILENCE, ApiServer, Request, Step, reply
from tests.bodies import completion, error
from tests.echo import asked, echo
from tests.program import Program, Running, wait_until

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


class Service:
    """Answers with what was asked, except for some items: slow ones wait for `released`, others are refused.

    Nothing else is answered before all the `slow` ones have come, which a run that has to stop would not send any more.
    """

    def __init__(self, refusals: dict[str, int], *, slow: int = 0) -> None:
        self.refusals = refusals
        self.released = threading.Event()
        self._lock = threading.Lock()
        self._missing = slow
        self._has_slow = threading.Event()

    def __call__(self, request: Request) -> Iterable[Step]:
        item = asked(request)
        with self._lock:
            self._missing -= item.startswith("slow")
            if self._missing <= 0:
                self._has_slow.set()
        if item.startswith("slow"):
            return [self.released, *echo(request)]
        status = self.refusals.get(item)
        return [self._has_slow, *(echo(request) if status is None else reply(error(status, "no"), status=status))]


STOPS = [
    pytest.param((), {"bad": 401}, 3, "HTTP 401: no", id="a rejected key"),
    pytest.param((), {"bad": 402}, 3, "top up", id="no credit"),
    pytest.param(("--fail-fast",), {"bad": 400}, 4, "HTTP 400: no", id="--fail-fast"),
    pytest.param(("--max-usd", "0.0005"), {}, 12, "stopped at --max-usd after 0.0", id="--max-usd"),
]


@pytest.mark.parametrize(("options", "refusals", "status", "message"), STOPS)
def test_what_is_under_way_is_finished_and_all_answers_are_written(
    qwen: Program, api: ApiServer, options: tuple[str, ...], refusals: dict[str, int], status: int, message: str
) -> None:
    """An answer that waited behind a slow one is not lost; items between answers without one have an empty line."""
    service = Service(refusals, slow=1)
    api.always(service)
    items = ["slow", "a", "b", "c", "bad", *(f"rest {number}" for number in range(100))]
    with qwen.start("map", "-P", "2", *options, input="".join(f"{item}\n" for item in items)) as running:
        api.wait_for_requests(5)
        time.sleep(0.3)  # whatever would be started too much is started meanwhile
        assert running.alive
        service.released.set()
        result = running.finish()
    assert result.status == status
    sent = {asked(request) for request in api.requests}
    answered = [item if item in sent and item not in refusals else "" for item in items]
    while not answered[-1]:
        answered.pop()
    assert result.text.splitlines() == answered
    assert answered[:4] == ["slow", "a", "b", "c"]
    last = result.stderr.splitlines()[-1]
    assert message in last
    assert f"{len(items) - len(sent)} items were not sent" in last
    assert len(sent) < 10


def test_the_item_that_stops_a_run_leaves_an_empty_line_between_answers_only(qwen: Program, api: ApiServer) -> None:
    api.answer(*(reply(completion(word)) for word in ("one", "two")), reply(error(400), status=400))
    result = qwen("map", "-P", "1", "--fail-fast", input="x\n" * 100)
    assert (result.text, result.status) == ("one\ntwo\n", 4)
    assert "item 3: HTTP 400" in result.message
    assert result.message.endswith("; 97 items were not sent")


def test_records_of_a_run_that_stops_are_json_lines(qwen: Program, api: ApiServer) -> None:
    api.always(Service({"bad": 401}))
    result = qwen("map", "-P", "1", "--json", input="a\nbad\nb\n")
    records = [json.loads(line) for line in result.text.splitlines()]
    assert [(record["input"], record["status"]) for record in records] == [("a", 0), ("bad", 3)]


def test_files_of_a_run_that_stops_are_whole_and_alone(qwen: Program, api: ApiServer) -> None:
    service = Service({"bad": 402}, slow=3)
    api.always(service)
    with qwen.start("map", "-P", "4", "-o", "{}", input="slow1\nslow2\nslow3\nbad\nrest\n") as running:
        api.wait_for_requests(4)
        time.sleep(0.2)
        service.released.set()
        assert running.finish().status == 3
    answered = {asked(request) for request in api.requests} - {"bad"}
    assert answered >= {"slow1", "slow2", "slow3"}
    assert qwen.files() == {name: f"{name}\n".encode() for name in answered}


class TestSignals:
    @pytest.fixture
    def running(self, qwen: Program, api: ApiServer) -> "Iterable[Running]":
        """A run that has answered two items, and waits for the third and the fifth while the fourth is done."""
        api.always(lambda request: [SILENCE] if asked(request) in "xy" else echo(request))
        with qwen.start("map", "-P", "2", input=PIPE) as started:
            started.write(b"one\ntwo\nx\nthree\ny\n")
            started.wait_for(b"two\n")
            api.wait_for_requests(5)  # of two workers, one waits for x, and the other is done with the fourth
            yield started

    @pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
    def test_write_what_is_answered_and_say_how_far_it_came(self, running: Running, number: signal.Signals) -> None:
        running.send(number)
        result = running.finish()
        assert (result.text, result.status) == ("one\ntwo\n\nthree\n", 128 + number)
        assert result.message == "stopped: 3 done"

    def test_say_what_was_spent_where_that_is_asked(self, qwen: Program, api: ApiServer) -> None:
        api.always(lambda request: [SILENCE] if asked(request) == "x" else echo(request))
        with qwen.start("map", "-u", "-P", "1", input=PIPE) as running:
            running.write(b"one\nx\n")
            running.wait_for(b"one\n")
            api.wait_for_requests(2)
            running.send(signal.SIGINT)
            usage, end = running.finish().stderr.splitlines()
        assert usage.endswith("53 tokens, 0.00013 USD")
        assert end.endswith("stopped: 1 done")

    def test_know_the_number_of_items_where_it_is_known(self, qwen: Program, api: ApiServer) -> None:
        api.always(lambda request: [SILENCE] if asked(request) == "x" else echo(request))
        qwen.file("items", "one\n" + "x\n" * 1999)
        with qwen.start("map", "-P", "2", script='exec "$@" <items') as running:
            running.wait_for(b"one\n")
            running.send(signal.SIGINT)
            result = running.finish()
        assert (result.text, result.message) == ("one\n", "stopped: 1 of 2,000 done")

    @pytest.mark.parametrize("count", [1, 3])
    def test_wait_for_no_reader(self, qwen: Program, api: ApiServer, count: int) -> None:
        """A pager that is not read fills the pipe."""
        api.always(reply(completion("y" * 20_000)))
        read, write = os.pipe()
        try:
            with qwen.start("map", input="x\n" * 300, stdout=write) as running:
                api.wait_for_requests(20)
                time.sleep(0.5)
                for _ in range(count):
                    running.send(signal.SIGINT)
                    time.sleep(0.1)
                assert running.finish().status == 130
        finally:
            os.close(read)
            os.close(write)

    def test_do_the_same_for_files(self, qwen: Program, api: ApiServer) -> None:
        api.always(lambda request: [SILENCE] if asked(request) in "xy" else echo(request))
        with qwen.start("map", "-P", "2", "-o", "{}.out", input=PIPE) as running:
            running.write(b"a\nx\nb\ny\n")
            api.wait_for_requests(4)
            running.send(signal.SIGTERM)
            assert running.finish().status == 143
        assert qwen.files() == {"a.out": b"a\n", "b.out": b"b\n"}


def test_the_last_reader_may_leave_after_the_last_line(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    result = qwen("map", "-P", "1", script='{ "$@"; echo $? >status; } | head -2', input="a\nb\n")
    assert (result.text, qwen.files()["status"]) == ("a\nb\n", b"0\n")


def test_nothing_is_said_of_items_not_sent_where_all_were(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(error(401, "no"), status=401))
    assert "not sent" not in qwen("map", input="x\n").message


def test_a_dead_server_ends_the_run(qwen: Program, api: ApiServer) -> None:
    api.always([RESET])
    result = qwen("map", "-P", "4", input="x\n" * 10_000)
    assert result.status == 6
    assert len(api.requests) < 12
    assert int(result.stderr.splitlines()[-1].rpartition("; ")[2].split()[0]) > 9_980


@pytest.mark.parametrize("parallel", [1, 2])
def test_single_answers_that_are_cut_do_not(qwen: Program, api: ApiServer, parallel: int) -> None:
    api.always(lambda request: [RESET] if asked(request) == "bad" else echo(request))
    result = qwen("map", "-P", str(parallel), input="a\nbad\nbad\nb\n")
    assert (result.text, result.status) == ("a\n\n\nb\n", 11)


def test_a_reader_that_leaves_ends_it(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    result = qwen("map", script='{ "$@"; echo $? >status; } | head -3', input="x\n" * 100_000)
    assert result.text == "x\nx\nx\n"
    assert qwen.files()["status"] == b"141\n"
    assert len(api.requests) < 10_000


def test_failures_of_the_network_with_answers_between_them_stop_nothing(qwen: Program, api: ApiServer) -> None:
    """Each item is over before the next one is there."""
    api.always(lambda request: [RESET] if asked(request) == "bad" else echo(request))
    shown = b""
    with qwen.start("map", "-P", "2", input=PIPE) as running:
        for item in (b"bad\n", b"a\n", b"bad\n", b"b\n", b"bad\n", b"c\n"):
            shown += item.replace(b"bad", b"")
            running.write(item)
            wait_until(lambda: running.output() == shown, "its line")  # noqa: B023 -- called at once
        running.close_input()
        assert running.finish().status == 11


def test_input_that_breaks_off_loses_no_answer(qwen: Program, api: ApiServer) -> None:
    """Whoever reads what a terminal prints gets an error once nobody is on it."""
    service = Service({})
    api.always(service)
    printed, terminal = os.openpty()
    with qwen.start("map", "-P", "2", input=printed) as running:
        os.write(terminal, b"slow one\nslow two\n")
        api.wait_for_requests(2)
        os.close(terminal)
        time.sleep(0.3)  # meanwhile it would end
        assert running.alive
        service.released.set()
        result = running.finish()
    os.close(printed)
    assert (result.status, result.text) == (7, "slow one\nslow two\n")
    assert "cannot read standard input: Input/output error" in result.stderr
