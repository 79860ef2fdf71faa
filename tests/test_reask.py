"""`--reask`: an answer that does not fit is asked for again."""

import json

from tests.api_server import ApiServer, reply
from tests.bodies import DOCUMENTED, completion, error
from tests.program import Program


def test_asking_again_says_what_was_wrong_and_adds_up(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("eggs")), reply(completion("spam")))
    result = qwen("ask", "--choice=spam", "--choice=ham", "--reask=2", "-u", "--save", "all.json", "hi")
    assert (result.status, result.text) == (0, "spam\n")
    again, usage = result.stderr.splitlines()
    assert "asking again, 1 of 2" in again
    assert "22 prompt + 84 completion (60 reasoning) = 106 tokens, 0.00026 USD" in usage
    messages = json.loads(api.requests[1].body)["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]
    assert "none of the choices" in messages[-1]["content"]
    assert "responses\t2\n" in qwen("cost", "--saved", "all.json").text


def test_asking_again_repeats_a_lone_surrogate_as_a_replacement_character(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(body=json.dumps(completion("a\ud800b")).encode()), reply(completion("spam")))
    result = qwen.call("ask", "--choice=spam", "--choice=ham", "--reask=1", "hi")
    assert (result.status, result.text) == (0, "spam\n")
    assert json.loads(api.requests[1].body)["messages"][2]["content"] == "a\ufffdb"


def test_what_was_paid_for_is_added_up_also_when_the_last_request_fails(qwen: Program, api: ApiServer) -> None:
    api.answer(*[reply(completion("eggs")), reply(error(400, "No more"), status=400)] * 2)
    flags = ("--choice=spam", "--choice=ham", "--reask=1")
    result = qwen.call("ask", *flags, "-u", "hi")
    assert (result.status, result.stdout) == (4, b"")
    _, usage, failure = result.stderr.splitlines()
    assert "= 53 tokens, 0.00013 USD" in usage
    assert "No more" in failure
    cost = qwen.call("cost", *flags, "-q", "hi")
    assert (cost.status, cost.text) == (4, DOCUMENTED)


def test_asking_again_ends_after_as_many_times_as_were_allowed(qwen: Program, api: ApiServer) -> None:
    api.answer(*[reply(completion("eggs"))] * 3)
    result = qwen.call("ask", "--choice=spam", "--choice=ham", "--reask=2", "-q", "hi")
    assert (result.status, result.stdout) == (9, b"")
