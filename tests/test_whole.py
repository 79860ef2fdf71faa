"""Status 0 means a whole answer; anything less is printed, reported, and kept out of `-o`."""

from dataclasses import dataclass

import pytest

from tests.api_server import FIN, RESET, ApiServer, Reply, Step, events, head, http_chunk, reply, stream
from tests.bodies import Json, chunk, chunks, completion, event, event_stream, tool_call
from tests.program import Program


@dataclass(frozen=True)
class Partial:
    """An answer that isn't whole, both as a body and as a stream; what is printed of it, and a word of the reason."""

    body: Json
    chunks: list[Json]
    shown: str
    reason: str


PARTIAL = [
    pytest.param(
        Partial(
            completion("Half an ans", finish_reason="length"),
            chunks("Half an", " ans", finish_reason="length"),
            "Half an ans\n",
            "--max-tokens",
        ),
        id="cut at the token limit",
    ),
    pytest.param(
        Partial(
            completion("Well, ", finish_reason="content_filter"),
            chunks("Well, ", finish_reason="content_filter"),
            "Well, \n",
            "filter",
        ),
        id="cut by the content filter",
    ),
    pytest.param(
        Partial(
            completion(None, refusal="I can't help with that."),
            [chunk(delta={"refusal": "I can't "}), chunk(delta={"refusal": "help with that."}), *chunks()],
            "",
            "I can't help with that.",
        ),
        id="a refusal",
    ),
    pytest.param(Partial(completion(None), chunks(), "", "no content"), id="null content"),
    pytest.param(Partial(completion(""), chunks(""), "", "no content"), id="empty content"),
    pytest.param(
        Partial(
            completion(None, reasoning="Let me think", finish_reason="length"),
            chunks(reasoning=["Let me", " think"], finish_reason="length"),
            "",
            "--max-tokens",
        ),
        id="reasoning that took all the tokens",
    ),
    pytest.param(
        Partial(
            completion("All of it?", finish_reason=None),
            chunks("All of", " it?", finish_reason=None),
            "All of it?\n",
            "finish",
        ),
        id="no finish reason",
    ),
]


def missing_content() -> Json:
    """A response whose message has no `content` at all."""
    body = completion()
    del body["choices"][0]["message"]["content"]
    return body


@pytest.mark.parametrize("partial", PARTIAL)
class TestIncomplete:
    def test_ask_prints_what_there_is_and_ends_with_8(self, qwen: Program, api: ApiServer, partial: Partial) -> None:
        api.answer(reply(partial.body))
        result = qwen.call("ask", "hi")
        assert (result.status, result.text) == (8, partial.shown)
        assert partial.reason in result.message

    def test_stream_prints_what_there_is_and_ends_with_8(self, qwen: Program, api: ApiServer, partial: Partial) -> None:
        api.answer(events(partial.chunks))
        result = qwen.call("stream", "hi")
        assert (result.status, result.text) == (8, partial.shown)
        assert partial.reason in result.message

    def test_json_passes_the_body_and_ends_with_8(self, qwen: Program, api: ApiServer, partial: Partial) -> None:
        answer = reply(partial.body)
        api.answer(answer)
        result = qwen.call("json", "hi")
        body = b"".join(step for step in answer if isinstance(step, bytes)).partition(b"\r\n\r\n")[2]
        assert (result.status, result.stdout) == (8, body + b"\n")
        assert partial.reason in result.message

    def test_json_stream_passes_the_chunks_and_ends_with_8(
        self, qwen: Program, api: ApiServer, partial: Partial
    ) -> None:
        api.answer(events(partial.chunks))
        result = qwen.call("json", "--stream", "hi")
        assert (result.status, result.stdout.count(b"\n")) == (8, len(partial.chunks))
        assert partial.reason in result.message

    @pytest.mark.parametrize("command", ["ask", "stream", "json"])
    def test_the_file_of_o_stays_as_it_was(self, qwen: Program, api: ApiServer, partial: Partial, command: str) -> None:
        qwen.file("answer", "old")
        api.answer(events(partial.chunks) if command == "stream" else reply(partial.body))
        result = qwen.call(command, "-o", "answer", "hi")
        assert result.status == 8
        assert qwen.files() == {"answer": b"old"}
        if command != "json":
            assert result.text == partial.shown

    def test_allow_incomplete_takes_it(self, qwen: Program, api: ApiServer, partial: Partial) -> None:
        api.answer(reply(partial.body), events(partial.chunks))
        for command in ("ask", "stream"):
            result = qwen.call(command, "--allow-incomplete", "hi")
            assert (result.status, result.text) == (0, partial.shown)


def test_allow_incomplete_lets_the_file_be_replaced(qwen: Program, api: ApiServer) -> None:
    qwen.file("answer", "old")
    api.answer(reply(completion("Half", finish_reason="length")))
    result = qwen("ask", "--allow-incomplete", "-o", "answer", "hi")
    assert (result.status, result.text, qwen.files()) == (0, "", {"answer": b"Half\n"})


def test_a_message_without_content_is_not_whole(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(missing_content()))
    result = qwen("ask", "hi")
    assert (result.status, result.stdout) == (8, b"")
    assert "no content" in result.message


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(events(chunks("Whole.")), id="with a finish reason, usage and [DONE]"),
        pytest.param(events(chunks("Whole."), done=False), id="without [DONE]"),
        pytest.param(events(chunks("Whole.", usage=False), done=False), id="without usage and [DONE]"),
        pytest.param(events([chunk("Whole.", finish_reason="stop")], done=False), id="in one chunk"),
        pytest.param(stream(event_stream(chunks("Whole."))), id="in one HTTP chunk"),
        pytest.param(
            (head(200, {"content-type": "text/event-stream"}) + event_stream(chunks("Whole.")), FIN),
            id="ended by the end of the connection",
        ),
        pytest.param(
            stream(event_stream(chunks("Whole."), done=False).rstrip(b"\n")), id="without the last blank line"
        ),
    ],
)
def test_a_stream_with_a_finish_reason_is_whole(qwen: Program, api: ApiServer, answer: Reply) -> None:
    api.answer(answer)
    result = qwen.call("stream", "hi")
    assert (result.status, result.text, result.stderr) == (0, "Whole.\n", "")


@pytest.mark.parametrize("streaming", [False, True], ids=["as a body", "as a stream"])
def test_a_tool_call_is_a_whole_answer(qwen: Program, api: ApiServer, streaming: bool) -> None:
    call = tool_call("weather", '{"city": "Paris"}')
    body = completion(None, tool_calls=[call], finish_reason="tool_calls")
    first = tool_call("weather", '{"ci', index=0)
    second: Json = {"index": 0, "function": {"arguments": 'ty": "Paris"}'}}
    pieces = [chunk(delta={"tool_calls": [first]}), chunk(delta={"tool_calls": [second]})]
    api.answer(events([*pieces, *chunks(finish_reason="tool_calls")]) if streaming else reply(body))
    result = qwen("stream" if streaming else "ask", "hi")
    assert (result.status, result.stderr) == (0, "")
    assert result.text == '{"id":"call_1","name":"weather","arguments":{"city":"Paris"}}\n'


def pieces_then(*endings: Step, whole: bool = False) -> Reply:
    """Two chunks of content, then what the test wants."""
    return stream(event(chunk("One ")), event(chunk("two")), 0.05, *endings, whole=whole)


@pytest.mark.parametrize("command", ["ask", "json"])
@pytest.mark.parametrize("ending", [FIN, RESET], ids=["an orderly close", "a reset"])
def test_a_body_cut_in_the_middle_is_a_network_failure(
    qwen: Program, api: ApiServer, command: str, ending: Step
) -> None:
    qwen.file("answer", "old")
    api.answer((head(200, {"content-length": 400}) + b'{"choices": [{"message": {"content": "Ha', 0.05, ending))
    result = qwen(command, "-o", "answer", "hi")
    assert (result.status, qwen.files()) == (6, {"answer": b"old"})
    assert "cut" in result.message


@pytest.mark.parametrize("command", ["stream", "json"])
@pytest.mark.parametrize(
    ("answer"),
    [
        pytest.param(pieces_then(FIN), id="an orderly close between chunks"),
        pytest.param(pieces_then(RESET), id="a reset between chunks"),
        pytest.param(pieces_then(b"data: {", FIN), id="a close within an event"),
        pytest.param(
            (*stream(event(chunk("One two")), whole=False), b"ff\r\ndata: {", 0.05, FIN), id="within an HTTP chunk"
        ),
    ],
)
def test_a_cut_stream_keeps_what_arrived_and_is_a_network_failure(
    qwen: Program, api: ApiServer, command: str, answer: Reply
) -> None:
    api.answer(answer, answer)
    arguments = (command, "--stream", "hi") if command == "json" else (command, "hi")
    result = qwen.call(*arguments)
    assert result.status == 6
    assert "cut" in result.message
    if command == "stream":
        assert result.text == "One two\n"
    else:
        assert b"two" in result.stdout
    qwen.file("answer", "old")
    assert qwen.call(*arguments, "-o", "answer").status == 6
    assert qwen.files() == {"answer": b"old"}


def test_a_stream_whose_connection_closes_without_length_or_finish_reason_is_not_whole(
    qwen: Program, api: ApiServer
) -> None:
    api.answer((head(200, {"content-type": "text/event-stream"}) + event(chunk("One")), FIN))
    result = qwen("stream", "hi")
    assert (result.status, result.text) == (8, "One\n")
    assert "finish reason" in result.message


@pytest.mark.parametrize("command", ["ask", "json"])
def test_a_body_that_is_complete_is_an_answer_although_its_transfer_is_cut(
    qwen: Program, api: ApiServer, command: str
) -> None:
    body = b'{"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}'
    api.answer((head(200, {"content-length": len(body) + 10}) + body, FIN))
    result = qwen(command, "hi")
    assert (result.status, result.stdout) == (0, b"Hi\n" if command == "ask" else body + b"\n")
    assert "the response is complete, but not its transfer: the connection to 127.0.0.1" in result.message


def test_a_body_that_is_cut_is_a_network_failure(qwen: Program, api: ApiServer) -> None:
    body = b'{"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}'
    api.answer((head(200, {"content-length": len(body)}) + body[:-1], FIN))
    result = qwen("ask", "hi")
    assert (result.status, result.stdout) == (6, b"")
    assert "was cut before its response was complete" in result.message


def test_a_content_length_that_is_too_short_never_passes_as_an_answer(qwen: Program, api: ApiServer) -> None:
    body = b'{"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}'
    api.answer((head(200, {"content-length": len(body) - 3}) + body, FIN))
    result = qwen("ask", "hi")
    assert (result.status, result.stdout) == (9, b"")
    assert "not JSON" in result.message


def test_an_http_chunk_that_lies_about_its_length_is_a_failure(qwen: Program, api: ApiServer) -> None:
    api.answer((*stream(event(chunk("One")), whole=False), http_chunk(event(chunk("two")))[:-2] + b"!!", 0.05, FIN))
    result = qwen("stream", "hi")
    assert result.status in (6, 9)
    assert result.text.startswith("One")
    assert result.message
