"""Forms of responses that were seen of real servers, and lose no answer, and get no untrue status."""

import json
from collections.abc import Sequence

import pytest

from tests.api_server import ApiServer, Request, Step, events, reply
from tests.bodies import Json, chunk, chunks, completion, event
from tests.program import Program

UNASKED = b"".join(event(each) for each in [*chunks("One ", "two"), "[DONE]"])


def unasked(body: bytes = UNASKED) -> Sequence[Step]:
    """A stream that nobody asked for, whatever its label."""
    return reply(body=body, headers={"content-type": "text/plain"})


def test_a_stream_that_nobody_asked_for_is_printed_and_kept_by_every_command(qwen: Program, api: ApiServer) -> None:
    api.always(unasked())
    raw = UNASKED.rstrip() + b"\n"
    assert qwen("ask", "--save", "raw", "hi").text == "One two\n"
    assert qwen.files()["raw"] == raw
    result = qwen("json", "-o", "raw.json", "hi")
    assert (result.status, qwen.files()["raw.json"]) == (0, raw)
    assert qwen("json", "hi").stdout == raw
    assert qwen("map", "--cache", "kept", input="a\n").text == "One two\n"
    assert qwen("map", "--cache", "kept", "--cache-only", input="a\n").text == "One two\n"


def test_a_long_one_ends_with_one_newline(qwen: Program, api: ApiServer) -> None:
    body = b"".join(event(each) for each in [*chunks(*["long "] * 200), "[DONE]"])
    api.answer(unasked(body))
    assert qwen.call("json", "hi").stdout == body.rstrip() + b"\n"


def test_one_that_ends_with_an_error_is_printed_too(qwen: Program, api: ApiServer) -> None:
    body = event(chunk("Half")) + event({"error": {"message": "away", "code": 500}})
    api.always(unasked(body))
    result = qwen.call("json", "hi")
    assert (result.status, result.stdout) == (5, body.rstrip() + b"\n")
    result = qwen.call("ask", "hi")
    assert (result.status, result.text) == (5, "Half\n")


def test_what_goes_wrong_after_the_finish_reason_is_a_note(qwen: Program, api: ApiServer) -> None:
    api.answer(events([*chunks("Done", usage=False), {"error": {"message": "no accounting", "code": 500}}]))
    result = qwen.call("stream", "hi")
    assert (result.status, result.text) == (0, "Done\n")
    assert "the answer is complete, but its usage may be missing: " in result.message
    assert "no accounting" in result.message


def test_an_error_beside_the_finish_reason_is_an_error(qwen: Program, api: ApiServer) -> None:
    last = chunk("", finish_reason="stop", error={"message": "away", "code": 500})
    api.answer(events([chunk("Half"), last]))
    assert qwen.call("stream", "hi").status == 5


def test_an_event_may_hold_a_message_instead_of_a_delta(qwen: Program, api: ApiServer) -> None:
    whole = {"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
    api.answer(events([{"choices": [whole]}]))
    assert qwen.call("stream", "hi").text == "Hello\n"


def test_a_message_that_repeats_the_deltas_is_not_printed_twice(qwen: Program, api: ApiServer) -> None:
    last = {"index": 0, "delta": {}, "message": {"content": "One two"}, "finish_reason": "stop"}
    api.answer(events([chunk("One "), chunk("two"), {"choices": [last]}]))
    assert qwen.call("stream", "hi").text == "One two\n"


@pytest.mark.parametrize("command", ["ask", "stream"])
def test_a_tool_call_may_come_without_an_array(qwen: Program, api: ApiServer, command: str) -> None:
    call = {"id": "1", "function": {"name": "f", "arguments": {"a": 1}}}
    whole = reply(completion(None, tool_calls=call, finish_reason="tool_calls"))
    streamed = events([chunk(delta={"tool_calls": call}), chunk("", finish_reason="tool_calls")])
    api.answer(streamed if command == "stream" else whole)
    assert qwen.call(command, "hi").text == '{"id":"1","name":"f","arguments":{"a":1}}\n'


def test_bytes_that_are_not_utf_8_are_replaced(qwen: Program, api: ApiServer) -> None:
    body = json.dumps(completion("caf?")).encode().replace(b"?", b"\xe9")
    api.answer(reply(body=body))
    assert qwen.call("ask", "hi").text == "caf\ufffd\n"


def test_an_event_that_tells_of_success_is_no_error(qwen: Program, api: ApiServer) -> None:
    success = {"code": 0, "message": "Success", "choices": [], "usage": {"total_tokens": 3}}
    api.answer(events([*chunks("Hi", usage=False), success]))
    result = qwen.call("stream", "-u", "hi")
    assert (result.status, result.text) == (0, "Hi\n")
    assert "= 3 tokens" in result.message


def test_what_a_filter_says_of_the_prompt_is_no_response(qwen: Program, api: ApiServer) -> None:
    first = {"id": "", "choices": [], "prompt_filter_results": [{"prompt_index": 0}]}
    api.answer(events([first, *chunks("Hi")]))
    assert qwen.call("stream", "--save", "raw", "hi").text == "Hi\n"
    assert qwen.call("cost", "--saved", "raw").text.startswith("responses\t1\n")


WORDS: list[tuple[str, int, Json, int, str]] = [
    ("errors in an array", 400, {"success": False, "errors": [{"code": 5, "message": "bad input"}]}, 4, "bad input"),
    ("errors in an array, with 200", 200, {"errors": [{"message": "bad input"}], "result": None}, 9, "bad input"),
    ("a base response", 200, {"choices": None, "base_resp": {"status_code": 1, "status_msg": "no luck"}}, 9, "no luck"),
    ("an error message of its own", 200, {"error_code": 17, "error_msg": "limit reached"}, 9, "limit reached"),
    ("a code for a filter", 400, {"error": {"message": "no", "code": "content_filter"}}, 8, "HTTP 400: no"),
    ("a moderation", 403, {"error": {"message": "flagged", "metadata": {"reasons": ["x"]}}}, 8, "HTTP 403: flagged"),
    ("a kind", 200, {"error": "overloaded", "error_type": "overloaded"}, 5, "overloaded"),
    ("a full stop", 404, {"message": "No such model."}, 4, "No such model (request inf-7d2c); check --model"),
]


@pytest.mark.parametrize(
    ("status", "body", "expected", "words"), [pytest.param(*each[1:], id=each[0]) for each in WORDS]
)
def test_the_servers_own_words_decide_and_are_shown(
    qwen: Program, api: ApiServer, status: int, body: Json, expected: int, words: str
) -> None:
    api.answer(reply(body, status=status))
    result = qwen.call("ask", "--retries", "0", "hi")
    assert result.status == expected
    assert words in result.message


def test_an_array_as_an_event_is_what_went_wrong(qwen: Program, api: ApiServer) -> None:
    api.answer(events([[{"error": {"code": 503, "message": "The model is overloaded"}}], "[DONE]"], done=False))
    result = qwen.call("stream", "--retries", "0", "hi")
    assert result.status != 0
    assert "The model is overloaded" in result.message


def test_one_prompt_that_is_moderated_does_not_stop_a_run(qwen: Program, api: ApiServer) -> None:
    flagged = {"error": {"message": "flagged", "code": 403, "metadata": {"reasons": ["x"]}}}

    def answer(request: Request) -> Sequence[Step]:
        is_bad = request.json["messages"][-1]["content"] == "bad"
        return reply(flagged, status=403) if is_bad else reply(completion("ok"))

    api.always(answer)
    result = qwen.call("map", "-P", "1", input="a\nbad\nb\n")
    assert (result.status, result.text) == (11, "ok\n\nok\n")


BUSY: list[tuple[str, Json]] = [
    ("a number", {"error": {"message": "Slow down", "code": 429}}),
    ("a name", {"code": "Throttling.RateQuota", "message": "Slow down", "request_id": "r"}),
]


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in BUSY])
@pytest.mark.parametrize("command", ["ask", "stream", "map"])
def test_a_refusal_that_waiting_would_satisfy_is_asked_again_although_its_status_is_200(
    qwen: Program, api: ApiServer, command: str, body: Json
) -> None:
    refused = events([body]) if command == "stream" else reply(body)
    answered = events(chunks("Hi")) if command == "stream" else reply(completion("Hi"))
    api.answer(refused, answered)
    result = qwen(command, *(["hi"] if command != "map" else []), input="hi\n" if command == "map" else None)
    assert (result.status, result.text) == (0, "Hi\n")
    if command != "map":
        assert "Slow down" in result.message
        assert "retrying in" in result.message


def test_it_is_not_asked_again_once_something_was_paid_for_or_printed(qwen: Program, api: ApiServer) -> None:
    busy = {"error": {"message": "Slow down", "code": 429}}
    api.answer(events([chunk("Half"), busy]), reply(busy))
    result = qwen.call("stream", "hi")
    assert (result.status, result.text) == (5, "Half\n")
    result = qwen.call("json", "hi")
    assert (result.status, result.text) == (5, json.dumps(busy) + "\n")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b'{"message": "Not Found"}'),
        (405, b"Method Not Allowed"),
        (200, b'{"error": "Unexpected endpoint or method"}'),
        (200, b"<!doctype html><title>A page</title>"),
    ],
)
@pytest.mark.parametrize("command", ["ask", "models"])
def test_a_base_url_without_a_path_is_suspected_first(
    qwen: Program, api: ApiServer, command: str, status: int, body: bytes
) -> None:
    api.answer(reply(body=body, status=status))
    origin = f"http://127.0.0.1:{api.port}"
    result = qwen.call(command, *(["hi"] if command == "ask" else []), "--base-url", origin)
    assert result.status in (4, 9)
    assert (f"most servers want {origin}/v1" in result.message) or (command == "models" and status == 200)


def test_the_url_of_the_chat_completions_is_a_base_url_too(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hi")))
    assert qwen.call("ask", "--base-url", f"{api.base_url}/chat/completions/", "hi").text == "Hi\n"
    assert api.request.path == "/v1/chat/completions"


def test_a_stream_without_anything_says_so(qwen: Program, api: ApiServer) -> None:
    api.answer(events([]), reply(body=b": nothing\n\n", headers={"content-type": "text/event-stream"}))
    for _ in range(2):
        result = qwen.call("stream", "hi")
        assert (result.status, result.message) == (8, "the server sent no answer")
