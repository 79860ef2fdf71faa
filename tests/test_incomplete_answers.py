"""Status 0 means a complete answer; anything less is printed, reported, and kept out of `-o`."""

from dataclasses import dataclass

import pytest

from tests.api_server import FIN, ApiServer, Reply, events, head, reply, stream
from tests.bodies import Json, chunk, chunks, completion, event_stream
from tests.program import READERS, Program, is_streamed


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
    result = qwen.call("ask", "--allow-incomplete", "-o", "answer", "hi")
    assert (result.status, result.text, qwen.files()) == (0, "", {"answer": b"Half\n"})


def test_a_message_without_content_is_not_whole(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(missing_content()))
    result = qwen.call("ask", "hi")
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


@pytest.mark.parametrize("arguments", READERS, ids=" ".join)
@pytest.mark.parametrize("reason", ["error", "abort", "network_error", "insufficient_system_resource", ""])
def test_a_finish_reason_that_is_not_known_to_be_complete_ends_with_8(
    qwen: Program, api: ApiServer, reason: str, arguments: tuple[str, ...]
) -> None:
    qwen.file("answer", "old")
    answer = (
        events(chunks("Half", finish_reason=reason))
        if is_streamed(arguments)
        else reply(completion("Half", finish_reason=reason))
    )
    api.answer(answer)
    result = qwen.call(*arguments, "-o", "answer", "hi")
    assert (result.status, qwen.files()) == (8, {"answer": b"old"})
    assert "Half" in result.text
    assert (f"'{reason}'" if reason else "without a finish reason") in result.message


@pytest.mark.parametrize(("flag", "status"), [("--code", 9), ("--choice=a", 9), ("--schema=s.json", 0)])
def test_allow_incomplete_never_makes_a_choice_or_code_of_nothing(
    qwen: Program, api: ApiServer, flag: str, status: int
) -> None:
    qwen.file("s.json", '{"type": "object"}')
    api.answer(reply(completion('{"a": ', finish_reason="length")))
    flags = [flag, "--choice=b"] if "choice" in flag else [flag]
    assert qwen.call("ask", "--allow-incomplete", *flags, "hi").status == status
