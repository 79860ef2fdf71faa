"""Only what costs nothing is tried again, at most `--retries` times, after the wait that the server asks for."""

import re
import signal
import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qwen_cli.connection import retries
from qwen_cli.connection.retries import delay, parse_retry_after
from tests.api_server import FIN, RESET, SILENCE, ApiServer, Reply, Step, events, head, reply, stream
from tests.bodies import chunk, chunks, completion, error, event
from tests.program import Program


def failure(status: int, **headers: str) -> Reply:
    """A refusal; `retry_after` gives the header."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return reply(error(status, "Not now"), status=status, headers=fields)


AT_ONCE = {"retry_after": "0"}


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the program would have waited before each retry, within this process, where it does not."""
    seconds: list[float] = []
    monkeypatch.setattr(time, "sleep", seconds.append)
    return seconds


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 520, 529])
def test_what_the_service_does_not_charge_for_is_tried_again(qwen: Program, api: ApiServer, status: int) -> None:
    api.answer(failure(status, **AT_ONCE), failure(status, **AT_ONCE), reply(completion("At last.")))
    result = qwen.call("ask", "hi")
    assert (result.status, result.text) == (0, "At last.\n")
    notes = result.stderr.splitlines()
    assert len(notes) == 2
    assert all(note.startswith("qwen-cli: ") and str(status) in note for note in notes)
    assert api.requests[0].body == api.requests[1].body == api.requests[2].body


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 501, 530])
def test_any_other_refusal_is_final(qwen: Program, api: ApiServer, status: int) -> None:
    api.answer(failure(status, **AT_ONCE))
    result = qwen.call("ask", "hi")
    assert result.status in (3, 4, 5)
    assert str(status) in result.message


@pytest.mark.usefixtures("waits")
def test_a_stream_is_tried_again_before_its_first_byte(qwen: Program, api: ApiServer) -> None:
    api.answer(failure(503, **AT_ONCE), events(chunks("At last.")))
    result = qwen.call("stream", "hi")
    assert (result.status, result.text) == (0, "At last.\n")


@pytest.mark.usefixtures("waits")
def test_a_retry_has_as_much_time_as_the_first_attempt(qwen: Program, api: ApiServer) -> None:
    """Reading the body of the failure is bounded by 1.5 s; the answer that follows takes longer."""
    api.answer(failure(503, **AT_ONCE), [2.5, *reply(completion("At last."))])
    result = qwen.call("ask", "hi")
    assert (result.status, result.text) == (0, "At last.\n")


@pytest.mark.usefixtures("waits")
def test_an_account_report_is_tried_again(qwen: Program, api: ApiServer) -> None:
    api.answer(failure(503, **AT_ONCE), reply({"current_balance": 1.5, "currency": "USD"}))
    result = qwen.call("cost", "--balance")
    assert result.status == 0
    assert "1.5" in result.text


@pytest.mark.usefixtures("waits")
def test_quiet_tries_again_without_a_word(qwen: Program, api: ApiServer) -> None:
    api.answer(failure(503, **AT_ONCE), reply(completion("At last.")))
    result = qwen.call("ask", "-q", "hi")
    assert (result.status, result.text, result.stderr) == (0, "At last.\n", "")


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("retries", [0, 1, 3])
def test_retries_bounds_the_number_of_tries(qwen: Program, api: ApiServer, retries: int) -> None:
    api.answer(*[failure(503, **AT_ONCE)] * (retries + 1))
    result = qwen.call("ask", "--retries", str(retries), "hi")
    assert (result.status, result.stdout) == (5, b"")
    assert len(result.stderr.splitlines()) == retries + 1


@pytest.mark.usefixtures("waits")
def test_retries_are_two_by_default(qwen: Program, api: ApiServer) -> None:
    api.answer(*[failure(503, **AT_ONCE)] * 3)
    assert qwen.call("ask", "hi").status == 5


def test_the_variable_of_retries_counts(qwen: Program, api: ApiServer) -> None:
    api.answer(failure(503))
    assert qwen.call("ask", "hi", env={"QWEN_CLI_RETRIES": "0"}).status == 5


def test_each_wait_is_longer_than_the_one_before(qwen: Program, api: ApiServer, waits: list[float]) -> None:
    api.answer(*[failure(503)] * 4)
    assert qwen.call("ask", "--retries", "3", "hi").status == 5
    assert len(waits) == 3
    assert 0.25 <= waits[0] <= 0.5 <= waits[1] <= 1 <= waits[2] <= 2


def test_the_server_decides_how_long_to_wait(qwen: Program, api: ApiServer) -> None:
    api.answer(failure(429, retry_after="1"), reply(completion("At last.")))
    result = qwen("ask", "hi")
    assert (result.status, result.text) == (0, "At last.\n")
    assert "retrying in 1.0 s" in result.message
    assert api.requests[1].at - api.requests[0].at >= 1  # the backoff would be half a second at most


def test_the_server_may_name_a_date(qwen: Program, api: ApiServer, waits: list[float]) -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=50), usegmt=True)
    api.answer(failure(429, retry_after=at), reply(completion("At last.")))
    assert qwen.call("ask", "hi").text == "At last.\n"
    assert 20 < waits[0] <= 50


@pytest.mark.parametrize(
    "value", ["61", "3600", "Fri, 31 Dec 2100 23:59:59 GMT", "9" * 400], ids=["more", "an hour", "a far date", "ages"]
)
def test_a_wait_is_capped_at_a_minute(value: str) -> None:
    assert retries.delay(0, value) == 60


def test_a_wait_that_is_capped_says_so_and_an_interrupt_ends_it_at_once(qwen: Program, api: ApiServer) -> None:
    api.answer(failure(429, retry_after="3600"))
    with qwen.start("ask", "hi") as running:
        running.wait_for(b"60.0 s", "stderr")
        running.send(signal.SIGINT)
        result = running.finish()
    assert (result.status, result.stdout) == (130, b"")


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("value", ["soon", "-5", "1.5e3", "", "\xb2", "Fri, 99 Foo 2100", "0x10"], ids=repr)
def test_a_retry_after_that_is_none_is_no_obstacle(qwen: Program, api: ApiServer, value: str) -> None:
    api.answer(failure(503, retry_after=value), reply(completion("At last.")))
    result = qwen.call("ask", "hi")
    assert (result.status, result.text) == (0, "At last.\n")


@pytest.mark.parametrize("asked", [None, "0", "1"])
def test_a_wait_is_never_below_the_backoff(asked: str | None) -> None:
    assert all(4 <= retries.delay(4, asked) <= 8 for _ in range(20))


def test_the_backoff_grows_and_has_jitter() -> None:
    waits = [[retries.delay(attempt, None) for _ in range(50)] for attempt in range(5)]
    assert all(len(set(each)) > 1 for each in waits)
    assert all(max(earlier) <= 2 * min(earlier) for earlier in waits)
    averages = [sum(each) / len(each) for each in waits]
    assert averages == sorted(averages)


@pytest.mark.parametrize("attempt", [4, 5, 10, 100_000])
def test_the_backoff_ends_at_eight_seconds(attempt: int) -> None:
    assert all(4 <= retries.delay(attempt, None) <= 8 for _ in range(50))


@pytest.mark.parametrize("zone", ["GMT", "-0000", "+0000", ""])
def test_a_date_is_in_utc_unless_it_names_a_zone(zone: str) -> None:
    in_30_seconds = datetime.now(UTC) + timedelta(seconds=30)
    asked = retries.parse_retry_after(f"{in_30_seconds:%a, %d %b %Y %H:%M:%S} {zone}".strip())
    assert asked is not None
    assert 25 < asked <= 30


@pytest.mark.parametrize("value", ["Fri, 31 Feb 2100 23:59:59 GMT", "Fri, 31 Dec 2100 25:61:61 GMT", "Fri, Dec"])
def test_a_date_that_does_not_exist_is_as_good_as_none(value: str) -> None:
    assert retries.parse_retry_after(value) is None


def test_a_date_that_has_passed_is_no_wait() -> None:
    assert retries.parse_retry_after("Fri, 31 Dec 1999 23:59:59 GMT") == 0


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        pytest.param((head(200, {"content-length": 99}) + b"{", 0.05, RESET), 6, id="a body that is reset"),
        pytest.param((head(200, {"content-length": 99}) + b"{", FIN), 6, id="a body that is cut"),
        pytest.param((FIN,), 6, id="a connection that closes without an answer"),
        pytest.param((RESET,), 6, id="a connection that is reset without an answer"),
        pytest.param((SILENCE,), 6, id="a read timeout"),
        pytest.param((head(200, {"content-length": 99}), SILENCE), 6, id="a read timeout after the header"),
        pytest.param(reply(body=b"garbage"), 9, id="garbage"),
        pytest.param(reply(completion(None)), 8, id="an answer without content"),
    ],
)
def test_nothing_that_may_have_cost_something_is_tried_again(
    qwen: Program, api: ApiServer, answer: Reply, status: int
) -> None:
    api.answer(answer)
    result = qwen.call("ask", "--timeout", "0.5", "--retries", "5", "hi")
    assert result.status == status
    assert result.message
    assert len(api.requests) == 1


def test_a_stream_is_not_tried_again_after_its_first_byte(qwen: Program, api: ApiServer) -> None:
    api.answer(stream(event(chunk("One")), 0.05, RESET, whole=False))
    result = qwen.call("stream", "--retries", "5", "hi")
    assert (result.status, result.text) == (6, "One\n")
    assert result.message


@pytest.mark.usefixtures("waits")
def test_a_refused_connection_is_tried_again(qwen: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    result = qwen.call("ask", "--retries", "2", "hi", env={"AIMLAPI_BASE_URL": f"http://127.0.0.1:{port}/v1"})
    assert (result.status, result.stdout) == (6, b"")
    assert len(result.stderr.splitlines()) == 3


def test_a_server_that_comes_up_during_the_wait_is_found(qwen: Program) -> None:
    with ApiServer(listening=False) as late:
        late.answer(reply(completion("At last.")))
        with qwen.start("ask", "hi", server=late) as running:
            running.wait_for(b"\n", "stderr")
            late.listen()
            result = running.finish()
    late.verify()
    assert (result.status, result.text) == (0, "At last.\n")


@pytest.mark.parametrize(
    ("command", "number"),
    [("ask", signal.SIGINT), ("ask", signal.SIGHUP), ("stream", signal.SIGTERM)],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_signal_ends_the_wait_at_once(qwen: Program, api: ApiServer, command: str, number: signal.Signals) -> None:
    qwen.file("answer", "old")
    api.answer(failure(503, retry_after="30"))
    with qwen.start(command, "-o", "answer", "hi") as running:
        running.wait_for(b"\n", "stderr")
        running.send(number)
        result = running.finish()
    assert result.status == 128 + number
    assert result.message
    assert qwen.files() == {"answer": b"old"}


DATES = st.from_regex(r"([A-Z][a-z]{2}, )?[0-9]{1,12} (Jan|Feb|Foo) [0-9]{1,12}( [0-9:]{0,12})?( [+-]?[0-9A-Z]{0,6})?")


@example("0 JAN 3000000000 0:0")
@example("1 Jan 2100 0:0:0 +99999999999999999999")
@given(st.one_of(st.text(), DATES, st.from_regex(r"-?[0-9]{1,400}(\.[0-9]+)?")))
def test_any_retry_after_gives_a_wait_within_the_limit(value: str) -> None:
    seconds = parse_retry_after(value)
    assert seconds is None or seconds >= 0
    assert 0 <= delay(0, value) <= 60


@pytest.mark.usefixtures("waits")
def test_a_note_about_a_retry_gives_no_advice(qwen: Program, api: ApiServer) -> None:
    api.answer(reply({"message": "Not now"}, status=503, headers={"retry-after": "0"}), reply(completion("Hello.")))
    result = qwen.call("ask", "hi")
    assert (result.status, result.text) == (0, "Hello.\n")
    assert re.fullmatch(r"[^;]*503[^;]*; retrying in [\d.]+ s \(1 of 2\)", result.message)


def test_what_is_left_over_from_a_response_is_not_taken_for_the_next_one(qwen: Program, api: ApiServer) -> None:
    """Even if it comes when the next request was sent already."""
    answered = reply(completion("Hello."))
    api.answer(answered, (b"}", 0.05, b"\n\n", *answered), answered)
    result = qwen.call("map", "-P", "1", "--retries", "0", input="a\nb\n")
    assert (result.status, result.text, result.stderr) == (0, "Hello.\n" * 2, "")


@pytest.mark.parametrize("ending", [FIN, RESET], ids=["closed", "reset"])
def test_a_kept_connection_that_ends_before_the_answer_is_no_attempt(
    qwen: Program, api: ApiServer, ending: Step
) -> None:
    """The server had given it up when the next request was on its way; a second server of that kind is asked, too."""
    answered = reply(completion("Hello."))
    api.answer(answered, (ending,), answered, (ending,), answered)
    result = qwen.call("map", "-P", "1", "--retries", "0", input="a\nb\nc\n")
    assert (result.status, result.text, result.stderr) == (0, "Hello.\n" * 3, "")
    assert api.connections == 3
