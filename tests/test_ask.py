"""`ask` prints the answer once it is whole, and nothing else."""

import json
from pathlib import Path

import pytest

from tests.api_server import ApiServer, reply
from tests.bodies import completion, tool_call
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


@pytest.mark.parametrize("flags", [("-r",), ("--show", "reasoning")], ids=" ".join)
def test_prints_the_reasoning_instead_when_asked(qwen: Program, api: ApiServer, flags: tuple[str, ...]) -> None:
    api.answer(reply(completion("Hello.", reasoning="They greet me.\n")))
    result = qwen("ask", *flags, "hi")
    assert (result.status, result.text, result.stderr) == (0, "They greet me.\n", "")


def test_shows_both_each_on_its_own_stream(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello.", reasoning="They\ngreet me.")))
    result = qwen("ask", "--show", "both", "hi")
    assert (result.status, result.text, result.stderr) == (0, "Hello.\n", "They\ngreet me.\n")


def test_an_answer_without_reasoning_is_not_whole_when_reasoning_is_wanted(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello.")))
    result = qwen("ask", "-r", "hi")
    assert (result.status, result.text) == (8, "")
    assert result.message == "the answer has no reasoning"


def test_reads_a_body_with_unknown_fields_and_without_optional_ones(qwen: Program, api: ApiServer) -> None:
    choice = {"message": {"content": "Hello.", "audio": {"x": 1}, "new": None}, "finish_reason": "stop", "odd": []}
    api.answer(reply({"choices": [choice], "surprise": {"deep": [1]}}))
    result = qwen("ask", "hi")
    assert (result.status, result.text, result.stderr) == (0, "Hello.\n", "")


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        pytest.param('{"city": "Genève", "n": 1.50}', {"city": "Genève", "n": 1.5}, id="an object is parsed"),
        pytest.param("", {}, id="nothing is an empty object"),
        pytest.param({"city": "Oslo"}, {"city": "Oslo"}, id="an object is that object"),
        pytest.param('{"city": ', '{"city": ', id="broken JSON stays text"),
        pytest.param("NaN", "NaN", id="what JSON does not know stays text"),
        pytest.param("line\nbreak", "line\nbreak", id="a line break is escaped"),
    ],
)
def test_a_tool_call_is_one_json_object_on_one_line(
    qwen: Program, api: ApiServer, arguments: str, printed: object
) -> None:
    call = tool_call("weather", arguments)
    api.answer(reply(completion(None, tool_calls=[call], finish_reason="tool_calls")))
    result = qwen.call("ask", "hi")
    assert (result.status, result.stderr, result.text.count("\n")) == (0, "", 1)
    assert json.loads(result.text) == {"id": "call_1", "name": "weather", "arguments": printed}


def test_tool_calls_follow_the_content_a_line_each(qwen: Program, api: ApiServer) -> None:
    calls = [tool_call("a", "{}"), tool_call("b", "[1]", id="call_2")]
    api.answer(reply(completion("Let me look.", tool_calls=calls, finish_reason="tool_calls")))
    result = qwen("ask", "--no-newline", "hi")
    assert result.status == 0
    assert result.text == (
        'Let me look.\n{"id":"call_1","name":"a","arguments":{}}\n{"id":"call_2","name":"b","arguments":[1]}\n'
    )


def test_usage_is_one_line_of_tokens_and_usd_on_standard_error(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello.")))
    result = qwen("ask", "-u", "hi")
    assert (result.status, result.text) == (0, "Hello.\n")
    assert result.message == "11 prompt + 42 completion (30 reasoning) = 53 tokens, 0.00013 USD"


def test_usage_that_the_server_did_not_give_is_a_dash(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello.", usage=None, meta=None)))
    assert qwen("ask", "-u", "hi").message == "- prompt + - completion (- reasoning) = - tokens, - USD"


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
    assert "\\x1b[2J\\x07    b\\x0dc\\x9b\r\nd\\u202ee" in shown
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
