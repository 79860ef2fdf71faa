"""`--chat`: a conversation in a file that grows by complete answers, and by nothing else."""

import base64
import fcntl
import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.api_server import ApiServer, events, reply
from tests.bodies import chunks, completion
from tests.program import WITHOUT_PRIVILEGE, Program, wait_until

EARLIER = [{"role": "user", "content": "I am Ada."}, {"role": "assistant", "content": "Hello, Ada."}]
GIF = b"GIF89a" + bytes(4)
CALL = {"id": "call_a", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}


def said(qwen: Program, name: str = "talk.json") -> Any:
    return json.loads((qwen.cwd / name).read_text())


def user(content: object) -> dict[str, object]:
    return {"role": "user", "content": content}


def assistant(content: object) -> dict[str, object]:
    return {"role": "assistant", "content": content}


def test_a_missing_file_begins_and_grows_by_question_and_answer(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("One.", reasoning="Hm.")), events(chunks("T", "wo.\n", reasoning=["Hm."])))
    assert qwen("ask", "--chat", "talk.json", "-s", "Be brief.", "1?").text == "One.\n"
    begun = [{"role": "system", "content": "Be brief."}, user("1?"), assistant("One.")]
    assert said(qwen) == begun
    assert qwen("stream", "--chat", "talk.json", "2?").text == "Two.\n"
    assert api.requests[1].json["messages"] == [*begun, user("2?")]
    assert said(qwen) == [*begun, user("2?"), assistant("Two.\n")]
    assert set(qwen.files()) == {"talk.json"}
    assert [line.rstrip(",") for line in (qwen.cwd / "talk.json").read_text().splitlines()][1:-1] == [
        json.dumps(message) for message in said(qwen)
    ]


@pytest.mark.parametrize("content", ["", "\n", "[]"])
def test_an_empty_file_begins_too(qwen: Program, api: ApiServer, content: str) -> None:
    qwen.file("talk.json", content)
    api.answer(reply(completion("One.")))
    assert qwen.call("ask", "--chat", "talk.json", "1?").status == 0
    assert said(qwen) == [user("1?"), assistant("One.")]


def test_it_is_what_messages_takes(qwen: Program, api: ApiServer) -> None:
    qwen.file("talk.json", json.dumps(EARLIER))
    api.answer(reply(completion("é \U0001f600 \0")))
    assert qwen.call("ask", "--chat", "talk.json", "2?").status == 0
    shown = qwen.call("ask", "--dry-run", "--messages", "@talk.json")
    assert json.loads(shown.text)["messages"] == [*EARLIER, user("2?"), assistant("é \U0001f600 \0")]


def test_a_lone_surrogate_of_the_answer_does_not_spoil_it(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(body=json.dumps(completion("a\ud800b")).encode()))
    assert qwen.call("ask", "--chat", "talk.json", "1?").status == 0
    assert said(qwen)[1] == assistant("a\ufffdb")


def test_images_are_kept(qwen: Program, api: ApiServer) -> None:
    qwen.file("a.gif", GIF)
    api.answer(reply(completion("A dot.")))
    assert qwen.call("ask", "--chat", "talk.json", "-i", "a.gif", "What?").status == 0
    url = "data:image/gif;base64," + base64.b64encode(GIF).decode()
    parts = [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": url}}]
    assert said(qwen) == [user(parts), assistant("A dot.")]


@pytest.mark.parametrize("command", ["ask", "stream"])
def test_tool_calls_are_kept_as_the_api_wants_them_back(qwen: Program, api: ApiServer, command: str) -> None:
    if command == "ask":
        api.answer(reply(completion(None, tool_calls=[CALL], finish_reason="tool_calls")))
    else:
        api.answer(events(chunks(finish_reason="tool_calls")[:-2] + _calls()))
    assert qwen.call(command, "--chat", "talk.json", "Rain?").status == 0
    assert said(qwen) == [user("Rain?"), assistant(None) | {"tool_calls": [CALL]}]
    result = {"role": "tool", "tool_call_id": "call_a", "content": "yes"}
    qwen.file("talk.json", json.dumps([*said(qwen), result]))
    api.answer(reply(completion("Yes.")))
    assert qwen.call("ask", "--chat", "talk.json").text == "Yes.\n"
    assert said(qwen)[2:] == [result, assistant("Yes.")]


def _calls() -> list[dict[str, Any]]:
    from tests.bodies import chunk

    return [chunk(delta={"tool_calls": [{"index": 0, **CALL}]}), chunk("", finish_reason="tool_calls")]


class TestSystemMessage:
    def test_the_same_is_fine(self, qwen: Program, api: ApiServer) -> None:
        begun = [{"role": "system", "content": "Be brief."}, *EARLIER]
        qwen.file("talk.json", json.dumps(begun))
        api.answer(reply(completion("2.")))
        assert qwen.call("ask", "--chat", "talk.json", "-s", "Be brief.", "2?").status == 0
        assert said(qwen) == [*begun, user("2?"), assistant("2.")]

    @pytest.mark.parametrize("begun", [EARLIER, [{"role": "system", "content": "Rhyme."}, *EARLIER]])
    def test_another_ends_with_2(self, qwen: Program, begun: list[Any]) -> None:
        qwen.file("talk.json", json.dumps(begun))
        result = qwen.call("ask", "--chat", "talk.json", "-s", "Be brief.", "2?")
        assert result.status == 2
        assert result.message.startswith("talk.json started without this system message; ")
        assert said(qwen) == begun


class TestFailure:
    """The file stands as it was; one that was not there is still not there."""

    @pytest.mark.parametrize("begun", [None, "", json.dumps(EARLIER)], ids=["missing", "empty", "begun"])
    @pytest.mark.parametrize(
        ("arguments", "answer", "status"),
        [
            ((), reply(completion("Cut", finish_reason="length")), 8),
            (("--allow-incomplete",), reply(completion("Cut", finish_reason="length")), 0),
            ((), reply(status=400, body=b"{}"), 4),
            ((), reply(body=b"{"), 9),
            (("-o", "gone/answer"), None, 7),
        ],
        ids=["cut", "cut, allowed", "refused", "garbage", "no place for the answer"],
    )
    def test_of_any_kind(
        self, qwen: Program, api: ApiServer, begun: str | None, arguments: tuple[str, ...], answer: Any, status: int
    ) -> None:
        if begun is not None:
            qwen.file("talk.json", begun)
        before = qwen.files()
        if answer is not None:
            api.answer(answer)
        assert qwen.call("ask", "--chat", "talk.json", *arguments, "1?").status == status
        assert qwen.files() == before

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_by_a_signal_leaves_nothing(self, qwen: Program, api: ApiServer, number: signal.Signals) -> None:
        release = threading.Event()
        api.answer([release])
        with qwen.start("ask", "--chat", "talk.json", "1?") as running:
            wait_until(lambda: bool(api.requests), "a request")
            running.send(number)
            assert running.finish().status == 128 + number
        release.set()
        assert qwen.files() == {}

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            ("{}", "talk.json is not a conversation: messages: {} is not of type"),
            ("null", "talk.json is not a conversation: "),
            ('[{"role": "x"}]', 'talk.json is not a conversation: messages.0.role: "x" is not one of '),
            ("[", "talk.json is not JSON: "),
            (b"\xff", "talk.json is not UTF-8: byte 0xff at offset 0"),
        ],
    )
    def test_to_be_a_conversation_ends_with_7(self, qwen: Program, content: str | bytes, reason: str) -> None:
        qwen.file("talk.json", content)
        result = qwen.call("ask", "--chat", "talk.json", "1?")
        assert result.status == 7
        assert result.message.startswith(reason)

    def test_to_be_writable_is_seen_before_anything_is_sent(self, qwen: Program) -> None:
        qwen.file("talk.json", json.dumps(EARLIER)).chmod(0o444)
        result = qwen("ask", "--chat", "talk.json", "2?", script=WITHOUT_PRIVILEGE)
        assert (result.status, result.message) == (7, "cannot write talk.json: Permission denied")
        assert qwen.call("ask", "--chat", "gone/talk.json", "2?").status == 7
        assert qwen.call("ask", "--chat", "/dev/null", "2?").message.startswith("/dev/null is not a regular file")
        os.mkfifo(qwen.cwd / "pipe")  # which nobody reads: to open it would wait for ever
        assert qwen.call("ask", "--chat", "pipe", "2?").message == "pipe is not a regular file"

    def test_usage(self, qwen: Program) -> None:
        for arguments, reason in (
            (("--chat", "a", "--messages", json.dumps(EARLIER), "hi"), "--messages and --chat cannot be combined"),
            (("--chat", "a", "-o", "./a", "hi"), "--output and --chat cannot be the same file"),
            (("--chat", "-", "hi"), "--chat needs a file name"),
            (("--chat", "a"), "nothing to ask"),
        ):
            result = qwen.call("ask", *arguments)
            assert result.status == 2
            assert reason in result.message
        assert qwen.files() == {}


@pytest.mark.parametrize("flag", ["--dry-run", "--curl"])
@pytest.mark.parametrize("begun", [[], EARLIER], ids=["missing", "begun"])
def test_a_preview_shows_it_writes_nothing_and_awaits_nobody(qwen: Program, flag: str, begun: list[Any]) -> None:
    if begun:
        qwen.file("talk.json", json.dumps(begun)).chmod(0o444)
    before = qwen.files()
    with (qwen.cwd / "talk.json" if begun else Path("/dev/null")).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        result = qwen("ask", flag, "--chat", "talk.json", "2?", script=WITHOUT_PRIVILEGE)
    assert result.status == 0
    body = result.text if flag == "--dry-run" else result.text.split("\n")[-3]
    assert json.loads(body)["messages"] == [*begun, user("2?")]
    assert qwen.files() == before


class TestTurns:
    @pytest.mark.parametrize("begun", [None, json.dumps(EARLIER)], ids=["missing", "begun"])
    def test_of_many_processes_lose_nothing(self, qwen: Program, api: ApiServer, begun: str | None) -> None:
        """Each request holds all that was said before it, and the file in the end all of it."""
        if begun is not None:
            qwen.file("talk.json", begun)
        number = len(EARLIER) if begun else 0
        api.answer(*[reply(completion("Yes."))] * 5)
        script = 'for n in 1 2 3 4 5; do "$@" "$n" & done; wait'
        assert qwen("ask", "--chat", "talk.json", script=script).status == 0
        lengths = [len(request.json["messages"]) for request in api.requests]
        assert lengths == [number + 1 + 2 * turn for turn in range(5)]
        assert sorted(m["content"] for m in said(qwen)[number:] if m["role"] == "user") == [*"12345"]
        assert set(qwen.files()) == {"talk.json"}

    def test_the_next_one_waits_with_a_note_and_goes_on_from_what_came(self, qwen: Program, api: ApiServer) -> None:
        path = qwen.file("talk.json", json.dumps(EARLIER))
        api.answer(reply(completion("Yes.")))
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            with qwen.start("ask", "--chat", "talk.json", "3?") as running:
                running.wait_for(b"waiting for another process to finish with talk.json", "stderr")
                assert not api.requests
                qwen.file("new", json.dumps([*EARLIER, user("2?"), assistant("2.")]))
                os.replace(qwen.cwd / "new", path)
                fcntl.flock(file, fcntl.LOCK_UN)
                assert running.finish().status == 0
        assert [message["content"] for message in said(qwen)[2:]] == ["2?", "2.", "3?", "Yes."]

    def test_a_pipeline_of_two_does_not_wait_for_itself(self, qwen: Program, api: ApiServer) -> None:
        api.answer(reply(completion("One.")), reply(completion("Two.")))
        result = qwen("ask", "--chat", "talk.json", script='"$@" 1 | "$@" 2')
        assert (result.status, result.text) == (0, "Two.\n")
        assert [message["content"] for message in said(qwen)] == ["1", "One.", "One.\n\n2", "Two."]

    def test_a_symbolic_link_is_followed_and_the_mode_kept(self, qwen: Program, api: ApiServer) -> None:
        qwen.file("real.json", json.dumps(EARLIER)).chmod(0o600)
        (qwen.cwd / "talk.json").symlink_to("real.json")
        api.answer(reply(completion("Yes.")))
        assert qwen.call("ask", "--chat", "talk.json", "2?").status == 0
        assert (qwen.cwd / "talk.json").is_symlink()
        assert (qwen.cwd / "real.json").stat().st_mode & 0o777 == 0o600
        assert len(said(qwen, "real.json")) == 4
