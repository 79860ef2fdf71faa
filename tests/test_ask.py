"""`ask` prints the answer once it is whole, and nothing else."""

import json
from pathlib import Path

import pytest

from tests.api_server import ApiServer, reply
from tests.bodies import completion
from tests.program import KEY, TERMINAL, Program

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


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8"])
def test_output_is_utf8_whatever_the_locale(qwen: Program, api: ApiServer, locale: str) -> None:
    api.answer(reply(completion("Žluťoučký 🐎", reasoning="Überlegung")))
    result = qwen(
        "ask", "--show", "both", "hi", env={"LC_ALL": locale, "PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}
    )
    assert (result.status, result.stdout, result.stderr) == (0, "Žluťoučký 🐎\n".encode(), "Überlegung\n")


def test_a_prompt_reaches_the_server_as_utf8_whatever_the_locale(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion()))
    qwen("ask", "Žluťoučký 🐎", env={"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})
    assert api.request.json["messages"][0]["content"] == "Žluťoučký 🐎"


def test_on_a_terminal_the_model_cannot_send_an_escape_sequence(qwen: Program, api: ApiServer) -> None:
    api.answer(*[reply(completion("a\x1b[2J\x07\tb\rc\x9b\nd\u202ee", reasoning="r\x1b]0;title\x07"))] * 2)
    shown = qwen("ask", "--show", "both", "hi", terminal=TERMINAL, env={"NO_COLOR": "1"}).terminal.decode()
    assert "\\x1b[2J\\x07\tb\\x0dc\\x9b\r\nd\\u202ee" in shown
    assert "r\\x1b]0;title\\x07" in shown
    assert "\x1b" not in shown
    piped = qwen("ask", "hi")
    assert piped.text == "a\x1b[2J\x07\tb\rc\x9b\nd\u202ee\n"


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
