"""No key is ever shown: not by a message, a preview or a server that quotes it, nor on a command line."""

import contextlib
from pathlib import Path

import pytest

from qwen_cli.key.redaction import without_keys
from tests.api_server import SILENCE, ApiServer, events, reply
from tests.bodies import chunks, completion, error
from tests.echo import records
from tests.keyring_daemon import sent_key
from tests.program import KEY, Program


class TestNeverShown:
    """The harness looks for the key in every output of every run; these are the runs that come closest."""

    @pytest.mark.parametrize(
        "arguments",
        [("ask", "-v", "-u", "--show", "both", "hi"), ("json", "-v", "--pretty", "hi"), ("cost", "-v", "hi")],
        ids=" ".join,
    )
    def test_by_a_request(self, qwen: Program, api: ApiServer, arguments: tuple[str, ...]) -> None:
        api.answer(reply(completion("Hello.", reasoning="Hm.")))
        assert qwen.call(*arguments).status == 0
        assert sent_key(api) == f"Bearer {KEY}"

    def test_by_an_error_within_a_stream(self, qwen: Program, api: ApiServer) -> None:
        api.answer(events([*chunks("Hello.", usage=False)[:2], error(401, f"bad {KEY}")]))
        assert qwen.call("stream", "hi").status == 3


@pytest.mark.parametrize("status", [401, 400, 500])
def test_an_api_that_quotes_the_key_does_not_get_it_printed(qwen: Program, api: ApiServer, status: int) -> None:
    quoting = error(status, f"Incorrect API key provided: {KEY}. Get one.", requestId=KEY)
    api.answer(reply(quoting, status=status, headers={"x-inference-id": KEY}), events([error(status, KEY)]))
    for command in ("ask", "stream"):
        result = qwen.call(command, "-v", "--retries", "0", "hi")
        assert result.status in (3, 4, 5)
        assert str(status) in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("ask", "--curl", "hi"),
        ("ask", "--dry-run", "hi"),
        ("json", "--curl", "--stream", "hi"),
        ("key", "status"),
        ("ask", "--no-such-flag"),
        ("--help",),
    ],
    ids=" ".join,
)
def test_what_is_printed_without_sending_never_holds_the_key(qwen: Program, arguments: tuple[str, ...]) -> None:
    """The harness looks at every output; here is output to look at."""
    result = qwen.call(*arguments)
    assert result.stdout or result.stderr
    if "--curl" in arguments:
        assert "$AIMLAPI_API_KEY" in result.text


def test_the_key_is_in_no_command_line(qwen: Program, api: ApiServer) -> None:
    api.answer((SILENCE,))
    with qwen.start("ask", "-v", "hi") as running:
        api.wait_for_requests()
        lines = command_lines()
        assert b"qwen_cli" in lines[running.pid]
        assert not any(KEY.encode() in line for line in lines.values())


def command_lines() -> dict[int, bytes]:
    """The command line of every process there is."""
    lines = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):
                lines[int(folder.name)] = (folder / "cmdline").read_bytes()
    return lines


HEX_KEY = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"


@pytest.mark.parametrize("key", [KEY, HEX_KEY], ids=["a key that begins with sk-", "a key of digits and letters"])
@pytest.mark.parametrize(
    "words",
    [
        ["KEY"],
        ["KEY", "hi"],
        ["help", "KEY"],
        ["key", "KEY"],
        ["key", "set", "KEY"],
        ["key", "set", "--key=KEY"],
        ["key", "set", "--KEY"],
        ["ask", "--temperature", "KEY"],
        ["ask", "--messages", '[{"role": "user", "content": "a long text", KEY'],
        ["ask", "--logit-bias", "KEY=500"],
        ["ask", "--field", "KEY"],
        ["ask", "--request-id", "KEY KEY"],
        ["ask", "--verbose=KEY"],
        ["ask", "--base-url", "http://KEY/v1", "hi"],
        ["ask", "-f", "KEY"],
        ["ask", "--schema", "KEY"],
        ["cost", "--saved", "KEY"],
        ["sandbox", "--fault", "KEY"],
    ],
    ids=" ".join,
)
def test_an_argument_that_looks_like_a_key_is_not_shown(qwen: Program, words: list[str], key: str) -> None:
    result = qwen.call(*(word.replace("KEY", key) for word in words))
    assert result.status in (2, 7)
    assert key[4:16].casefold() not in result.message.casefold()


@pytest.mark.parametrize("words", [["ask", "--temperature", HEX_KEY], ["sandbox", "--", HEX_KEY]], ids=" ".join)
def test_a_process_does_not_show_it_either(qwen: Program, words: list[str]) -> None:
    result = qwen(*words)
    assert result.status in (2, 127)
    assert HEX_KEY not in result.message


@pytest.mark.parametrize(
    "name",
    [
        "alibaba/qwen3.6-35b-a3b",
        "Qwen3-235B-A22B-Instruct-2507",
        "task-list",
        f"{HEX_KEY}.json",
        f"/store/{HEX_KEY}/notes",
        "--presence-penalty",
        "meeting-notes-2026-11-24-afternoon",
    ],
)
def test_what_only_resembles_a_key_is_shown(name: str) -> None:
    assert without_keys(f"cannot read {name}: it is gone") == f"cannot read {name}: it is gone"


def test_what_key_set_is_given_as_an_argument_is_not_shown(qwen: Program) -> None:
    assert "hunter2" not in qwen.call("key", "set", "hunter2").message


def test_a_placeholder_is_no_secret(qwen: Program, api: ApiServer) -> None:
    """Local servers want any key, such as `x`: to leave that out of every message would only garble them."""
    api.answer(reply(error(400, "an example of xylography"), status=400))
    assert "an example of xylography" in qwen.call("ask", "hi", env={"AIMLAPI_API_KEY": "x"}).message


def test_a_quotation_that_ends_within_the_key_does_not_show_its_beginning(qwen: Program, api: ApiServer) -> None:
    long = "x" * 60
    api.answer(reply(body=f"{long} {KEY}".encode()), reply(body=f"{long} {KEY}".encode()))
    assert f"{long} [key]" in qwen.call("ask", "hi").message
    assert f"{long} [key]" in qwen.call("map", "--json", input="a\n").text


@pytest.mark.parametrize(
    "arguments", [("ask", "--dry-run"), ("ask", "--curl"), ("map", "--dry-run"), ("map", "--json")], ids=" ".join
)
def test_no_json_holds_a_key_that_json_escapes(qwen: Program, api: ApiServer, arguments: tuple[str, ...]) -> None:
    key = 'sk-"odd\\key"-0123456789'
    api.always(reply(completion(f"Your key is {key}.")))
    result = qwen(*arguments, input=f"Mine is {key}\n", env={"AIMLAPI_API_KEY": key}, secret=key)
    assert result.status == 0
    assert "Mine is [key]" in result.text
    assert "0123456789" not in result.text


def test_a_record_of_map_holds_no_key(qwen: Program, api: ApiServer) -> None:
    """Neither in the error nor in what the server has made of it."""
    api.answer(reply(error(400, f"bad {KEY}"), status=400), reply(completion(f"Your key is {KEY}.")))
    result = qwen.call("map", "-P", "1", "--json", input="a\nb\n")
    failed, answered = records(result.text)
    assert "bad [key]" in failed["error"]
    assert answered["content"] == "Your key is [key]."
