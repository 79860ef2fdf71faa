"""Standard error: notes, as many as `-v` and `-q` want, and no obstacle where it is closed or full."""

import json

import pytest

from tests.api_server import ApiServer, events, reply
from tests.bodies import chunks, completion
from tests.program import Program


def test_verbose_prints_method_url_status_ids_and_timings(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello."), headers={"x-client-request-id": "build-7"}))
    result = qwen("ask", "-v", "--request-id", "build-7", "hi")
    assert (result.status, result.text) == (0, "Hello.\n")
    sent, received, *_, finished = result.stderr.splitlines()
    assert sent == f"qwen-cli: POST {api.base_url}/chat/completions"
    assert received.startswith("qwen-cli: HTTP 200 after ")
    assert "x-inference-id: inf-7d2c" in received
    assert "x-client-request-id: build-7" in received
    assert finished.startswith("qwen-cli: finished in ")
    assert finished.endswith(" s")


def test_quiet_leaves_out_notes_but_not_what_was_asked_for(qwen: Program, api: ApiServer) -> None:
    body = completion("Half", finish_reason="length")
    api.answer(*[reply(body)] * 3)
    assert "token limit" in qwen.call("ask", "--allow-incomplete", "hi").message
    assert qwen.call("ask", "--allow-incomplete", "-q", "hi").stderr == ""
    assert "tokens" in qwen.call("ask", "--allow-incomplete", "-q", "-u", "hi").message


def test_notes_never_mix_with_the_result(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello.")))
    assert json.loads(qwen("cost", "--json", "-v", "hi").stdout)["total_tokens"] == 53


@pytest.mark.parametrize("command", ["ask", "stream"])
def test_closed_standard_error_is_survived(qwen: Program, api: ApiServer, command: str) -> None:
    api.answer(*[events(chunks("Hello.")) if command == "stream" else reply(completion("Hello."))] * 2)
    result = qwen(command, "-v", "-u", "hi", script='exec "$@" 2>&-')
    assert (result.status, result.text) == (0, "Hello.\n")
    result = qwen(command, "-v", "-u", "-o", "answer", "hi", script='exec "$@" <&- 2>&-')
    assert (result.status, qwen.files()) == (0, {"answer": b"Hello.\n"})


def test_an_error_with_standard_error_closed_keeps_its_status(qwen: Program) -> None:
    assert qwen("ask", "--temperature", "9", "hi", script='exec "$@" 2>&-').status == 2
    assert qwen("ask", "-f", "missing", script='exec "$@" 2>&-').status == 7


def test_standard_error_that_is_full_is_no_obstacle(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello.")))
    result = qwen("ask", "-v", "-u", "hi", script='exec "$@" 2>/dev/full')
    assert (result.status, result.text) == (0, "Hello.\n")
