"""`ask` prints the answer once it is whole, and nothing else."""

import json
from pathlib import Path

import pytest

from tests.api_server import ApiServer, reply
from tests.bodies import completion
from tests.program import KEY, Program

RECORDED = Path(__file__).resolve().parents[2] / "shared" / "api" / "recorded-response.json"


def test_prints_the_content_and_one_newline_and_nothing_on_standard_error(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello.", reasoning="They greet me.")))
    result = qwen("ask", "hi")
    assert (result.status, result.stdout, result.stderr) == (0, b"Hello.\n", "")
    request = api.request
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.json == {
        "model": "alibaba/qwen3.6-35b-a3b",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": False,
    }


@pytest.mark.parametrize(
    ("content", "printed", "left_alone"),
    [
        pytest.param("a", b"a\n", b"a", id="none becomes one"),
        pytest.param("a\n", b"a\n", b"a\n", id="one stays one"),
        pytest.param("a\n\n\n", b"a\n", b"a\n\n\n", id="many become one"),
        pytest.param("\n\na \n", b"\n\na \n", b"\n\na \n", id="only those at the end count"),
        pytest.param("a\r\n", b"a\r\n", b"a\r\n", id="a carriage return is text"),
        pytest.param("a\u2028", "a\u2028\n".encode(), "a\u2028".encode(), id="a line separator is text"),
    ],
)
def test_ends_with_exactly_one_newline_or_as_the_model_sent_it(
    qwen: Program, api: ApiServer, content: str, printed: bytes, left_alone: bytes
) -> None:
    api.answer(*[reply(completion(content))] * 2)
    assert qwen.call("ask", "hi").stdout == printed
    assert qwen.call("ask", "--no-newline", "hi").stdout == left_alone


def test_sends_the_key_and_says_what_it_is(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion()))
    qwen("ask", "hi")
    headers = api.request.headers
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["content-type"] == "application/json"
    assert headers["user-agent"].startswith("qwen-cli/")
    assert "x-client-request-id" not in headers


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded response is not part of the project")
def test_reads_a_recorded_response_of_the_service(qwen: Program, api: ApiServer) -> None:
    body = RECORDED.read_bytes()
    message = json.loads(body)["choices"][0]["message"]
    api.answer(*[reply(body=body, headers={"content-type": "application/json"})] * 2)
    result = qwen("ask", "--show", "both", "hi")
    assert (result.status, result.text) == (0, message["content"].rstrip("\n") + "\n")
    assert result.stderr == message["reasoning_content"].rstrip("\n") + "\n"
    assert qwen("json", "hi").stdout == body.rstrip() + b"\n"
