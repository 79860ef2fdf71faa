"""Whatever stands in a header of the response, it is understood or ignored, and never a defect."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qwen_cli.connection.retries import delay, parse_retry_after
from tests.api_server import ApiServer, reply
from tests.bodies import completion
from tests.program import TERMINAL, Program

DATES = st.from_regex(r"([A-Z][a-z]{2}, )?[0-9]{1,12} (Jan|Feb|Foo) [0-9]{1,12}( [0-9:]{0,12})?( [+-]?[0-9A-Z]{0,6})?")


@example("0 JAN 3000000000 0:0")
@example("1 Jan 2100 0:0:0 +99999999999999999999")
@given(st.one_of(st.text(), DATES, st.from_regex(r"-?[0-9]{1,400}(\.[0-9]+)?")))
def test_any_retry_after_gives_a_wait_within_the_limit(value: str) -> None:
    seconds = parse_retry_after(value)
    assert seconds is None or seconds >= 0
    assert 0 <= delay(0, value) <= 60


@pytest.mark.parametrize("name", ["content-type", "x-inference-id", "location", "retry-after", "date"])
def test_bytes_that_are_no_text_in_a_header_are_no_obstacle(qwen: Program, api: ApiServer, name: str) -> None:
    api.answer(reply(completion("Hello."), headers={name: "\udcff\udc80 ; x=\udce9"}))
    result = qwen("ask", "-v", "hi")
    assert (result.status, result.text) == (0, "Hello.\n")


def test_what_the_server_says_of_an_account_is_no_command_to_the_terminal(qwen: Program, api: ApiServer) -> None:
    row = {"model": "\x1b[2Jred\x9b31m\rhidden", "spend": 1.5, "requests": 2}
    api.answer(reply({"spend": 1.5, "requests": 2, "models": [row]}))
    result = qwen("cost", "--period", "7d", terminal=TERMINAL)
    assert result.status == 0
    assert b"\x1b[2J" not in result.terminal
    assert "\x9b".encode() not in result.terminal
    assert b"\\x1b[2Jred\\x9b31m" in result.terminal
