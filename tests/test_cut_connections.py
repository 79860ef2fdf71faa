"""A connection that ends in the middle of an answer: what arrived is kept, and no cut passes for the end."""

import pytest

from tests.api_server import FIN, RESET, ApiServer, Reply, Step, head, http_chunk, stream
from tests.bodies import chunk, chunks, event
from tests.program import Program


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
    result = qwen.call("stream", "hi")
    assert (result.status, result.text) == (8, "One\n")
    assert "finish reason" in result.message


@pytest.mark.parametrize("command", ["ask", "json"])
def test_a_body_that_is_complete_is_an_answer_although_its_transfer_is_cut(
    qwen: Program, api: ApiServer, command: str
) -> None:
    body = b'{"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}'
    api.answer((head(200, {"content-length": len(body) + 10}) + body, FIN))
    result = qwen.call(command, "hi")
    assert (result.status, result.stdout) == (0, b"Hi\n" if command == "ask" else body + b"\n")
    assert "the response is complete, but not its transfer: the connection to 127.0.0.1" in result.message


def test_a_body_that_is_cut_is_a_network_failure(qwen: Program, api: ApiServer) -> None:
    body = b'{"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}'
    api.answer((head(200, {"content-length": len(body)}) + body[:-1], FIN))
    result = qwen.call("ask", "hi")
    assert (result.status, result.stdout) == (6, b"")
    assert "was cut before its response was complete" in result.message


def test_a_content_length_that_is_too_short_never_passes_as_an_answer(qwen: Program, api: ApiServer) -> None:
    body = b'{"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}'
    api.answer((head(200, {"content-length": len(body) - 3}) + body, FIN))
    result = qwen.call("ask", "hi")
    assert (result.status, result.stdout) == (9, b"")
    assert "not JSON" in result.message


def test_an_http_chunk_that_lies_about_its_length_is_a_failure(qwen: Program, api: ApiServer) -> None:
    api.answer((*stream(event(chunk("One")), whole=False), http_chunk(event(chunk("two")))[:-2] + b"!!", 0.05, FIN))
    result = qwen.call("stream", "hi")
    assert result.status in (6, 9)
    assert result.text.startswith("One")
    assert result.message


class TestCutWithoutLength:
    """A connection that closes without a length or HTTP chunks: the close may be the end, or a cut."""

    HEAD = head(200, {"content-type": "text/event-stream"})

    @pytest.mark.parametrize("arguments", [("stream",), ("json", "--stream")], ids=" ".join)
    @pytest.mark.parametrize(
        "rest", [b"data: {", b'data: {"choices": [{"del', b"data: [DON", b"data: {}trailing", b"dat"]
    )
    def test_inside_an_event_before_the_finish_reason_is_incomplete(
        self, qwen: Program, api: ApiServer, rest: bytes, arguments: tuple[str, ...]
    ) -> None:
        qwen.file("answer", "old")
        answer = (self.HEAD + event(chunk("One ")) + event(chunk("two")) + rest, 0.05, FIN)
        api.answer(answer, answer, answer)
        result = qwen.call(*arguments, "hi")
        assert result.status == 8
        assert "finish reason" in result.message
        assert result.text == "One two\n" if arguments == ("stream",) else result.text.count("\n") == 2
        assert qwen.call(*arguments, "-o", "answer", "hi").status == 8
        assert qwen.files() == {"answer": b"old"}
        assert qwen.call(*arguments, "--allow-incomplete", "hi").status == 0

    @pytest.mark.parametrize("arguments", [("stream",), ("json", "--stream")], ids=" ".join)
    def test_inside_the_usage_after_the_finish_reason_is_complete_with_a_note(
        self, qwen: Program, api: ApiServer, arguments: tuple[str, ...]
    ) -> None:
        *whole, last = chunks("Hello.")
        api.answer((self.HEAD + b"".join(map(event, whole)) + event(last)[:-40], 0.05, FIN))
        result = qwen.call(*arguments, "hi")
        assert result.status == 0
        assert "complete, but its usage may be missing" in result.message

    def test_inside_an_event_with_an_error_is_that_error(self, qwen: Program, api: ApiServer) -> None:
        api.answer((self.HEAD + event(chunk("One")) + b'data: {"error": {"message": "Broken"}}', FIN))
        result = qwen.call("stream", "hi")
        assert (result.status, result.text) == (9, "One\n")
        assert "Broken" in result.message

    @pytest.mark.parametrize("start", [b"", b"HT", b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK\r\n", HEAD[:-2], HEAD[:30]])
    @pytest.mark.parametrize("command", ["ask", "stream", "json"])
    def test_inside_the_header_is_a_network_failure(
        self, qwen: Program, api: ApiServer, start: bytes, command: str
    ) -> None:
        api.answer((start, 0.05, FIN))
        result = qwen.call(command, "hi")
        assert (result.status, result.stdout) == (6, b"")
        assert "cut" in result.message
