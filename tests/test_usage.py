"""`-u`: tokens and USD in one line on standard error."""

import json

from tests.api_server import ApiServer, events, reply
from tests.bodies import chunks, completion
from tests.echo import echo
from tests.program import Program


def test_usage_is_one_line_of_tokens_and_usd_on_standard_error(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello.")))
    result = qwen("ask", "-u", "hi")
    assert (result.status, result.text) == (0, "Hello.\n")
    assert result.message == "11 prompt + 42 completion (30 reasoning) = 53 tokens, 0.00013 USD"


def test_usage_that_the_server_did_not_give_is_a_dash(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello.", usage=None, meta=None)))
    assert qwen.call("ask", "-u", "hi").message == "- prompt + - completion (- reasoning) = - tokens, - USD"


def test_usage_may_be_left_out_of_the_request(qwen: Program, api: ApiServer) -> None:
    api.answer(events(chunks("Hello.", usage=False)))
    assert qwen.call("stream", "--no-include-usage", "hi").status == 0
    assert api.request.json["stream_options"] == {"include_usage": False}


def test_the_usage_line_takes_its_figures_from_the_last_chunks(qwen: Program, api: ApiServer) -> None:
    api.answer(events(chunks("Hello.")))
    result = qwen.call("stream", "--usage", "hi")
    assert (result.status, result.text) == (0, "Hello.\n")
    assert result.message == "11 prompt + 42 completion (30 reasoning) = 53 tokens, 0.00013 USD"


def test_usage_is_printed_beside_the_body(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello.")))
    result = qwen.call("json", "--usage", "hi")
    assert (result.status, json.loads(result.stdout)) == (0, completion("Hello."))
    assert result.message == "11 prompt + 42 completion (30 reasoning) = 53 tokens, 0.00013 USD"


def test_usage_is_printed_once_for_all(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    assert (
        "33 prompt + 126 completion (90 reasoning) = 159 tokens, 0.00039 USD"
        in qwen.call("map", "-u", input="a\nb\nc\n").message
    )
