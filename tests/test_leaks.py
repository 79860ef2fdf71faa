"""Nothing of the model's or the server's is obeyed, and the key goes where it belongs and nowhere else."""

import contextlib
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE

import pytest

from tests.api_server import EVENT_STREAM, SILENCE, ApiServer, Reply, Request, Step, events, head, http_chunk, reply
from tests.bodies import Json, chunk, chunks, completion, error, event, tool_call
from tests.control_characters import EVERYTHING, obeyed
from tests.keyring_daemon import Keyring
from tests.program import KEY, TERMINAL, Program, wait_until


def test_on_a_terminal_nothing_of_an_answer_is_obeyed(qwen: Program, api: ApiServer) -> None:
    api.answer(events([*(chunk(character) for character in "top\n\t" + EVERYTHING), *chunks("end")]))
    result = qwen("stream", "hi", terminal=["stdout"])
    assert result.status == 0
    assert obeyed(result.terminal) == []
    # A pseudo-terminal may draw the tab as spaces.
    assert re.match(rb"top\r\n(\t|  +)", result.terminal)
    assert result.terminal.endswith(b"end\r\n")


SHOWN: list[tuple[str, str, Json | list[Json]]] = [
    ("a whole answer", "ask", completion(EVERYTHING)),
    ("reasoning", "ask -r", completion("x", reasoning=EVERYTHING)),
    ("reasoning that is streamed", "stream -r", [chunk(delta={"reasoning_content": EVERYTHING}), *chunks("x")]),
    ("a tool call", "ask", completion(None, tool_calls=[tool_call(EVERYTHING, EVERYTHING, id=EVERYTHING)])),
    ("a response", "json", completion(EVERYTHING, model=EVERYTHING)),
    ("a response as it is", "json --no-pretty", completion(EVERYTHING, model=EVERYTHING)),
    ("chunks", "json --stream", [chunk(EVERYTHING), *chunks("x")]),
    ("indented chunks", "json --stream --pretty", [chunk(EVERYTHING), *chunks("x")]),
    ("a currency", "cost --balance", {"current_balance": 1.5, "currency": EVERYTHING}),
    ("an answer that is cut", "ask --allow-incomplete", completion(EVERYTHING, finish_reason="length")),
]


@pytest.mark.parametrize(("command", "payload"), [pytest.param(*rest, id=name) for name, *rest in SHOWN])
@pytest.mark.parametrize("escaped", [True, False], ids=["escaped in JSON", "as itself in JSON"])
def test_on_a_terminal_nothing_is_obeyed_of(
    qwen: Program, api: ApiServer, command: str, payload: Json | list[Json], *, escaped: bool
) -> None:
    """Whatever is printed of a response."""
    if isinstance(payload, list):
        api.answer(events([json.dumps(each, ensure_ascii=escaped) for each in payload]))
    else:
        api.answer(reply(body=json.dumps(payload, ensure_ascii=escaped).encode()))
    result = qwen(*command.split(), *([] if "--balance" in command else ["hi"]), terminal=["stdout"])
    assert obeyed(result.terminal) == []
    assert result.terminal
    assert result.status == 0


@pytest.mark.parametrize("command", ["ask", "stream"])
def test_on_a_terminal_reasoning_beside_the_answer_is_not_obeyed(qwen: Program, api: ApiServer, command: str) -> None:
    streamed = events([chunk(delta={"reasoning_content": EVERYTHING}), *chunks("x")])
    api.answer(streamed if command == "stream" else reply(completion("x", reasoning=EVERYTHING)))
    result = qwen(command, "--show", "both", "hi", terminal=["stderr"])
    assert (result.status, result.text) == (0, "x\n")
    assert obeyed(result.terminal.replace(b"\x1b[2m", b"").replace(b"\x1b[0m", b"")) == []
    assert b"evil.invalid" in result.terminal


def test_into_a_pipe_the_answer_goes_as_it_is(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion(EVERYTHING)), events(chunks(EVERYTHING)))
    for command in ("ask", "stream"):
        assert qwen(command, "hi").text == EVERYTHING + "\n"


FOREIGN: list[tuple[str, str, Reply]] = [
    ("an error's message", "ask", reply(error(400, EVERYTHING), status=400)),
    ("an error's request id", "ask", reply(error(400, requestId=EVERYTHING), status=400)),
    ("an error that is plain text", "ask", reply(body=EVERYTHING.encode(), status=400)),
    ("an error in a stream", "stream", events([error(400, EVERYTHING, requestId=EVERYTHING)])),
    ("a refusal", "ask", reply(completion(None, refusal=EVERYTHING))),
    ("a finish reason", "ask", reply(completion(None, finish_reason=EVERYTHING))),
    ("a redirect", "ask", (head(302, {"location": "/\x1b[2J\x9b2J\x07", "content-length": 0}),)),
    ("a content type", "stream", (head(200, {"content-type": "text/\x9b2J", "content-length": 0}),)),
    ("a request id in a header", "ask -v", reply(completion(), headers={"x-inference-id": "a\x9b2Jb\x85c"})),
    ("an echo of the client's id", "ask -v", reply(completion(), headers={"x-client-request-id": "a\x9b2Jb"})),
    ("usage", "ask -u", reply(completion(usage={"prompt_tokens": EVERYTHING}))),
    ("the price", "ask -u", reply(completion(meta={"usage": {"usd_spent": EVERYTHING}}))),
    ("a note of a retry", "ask --retries 1", reply(error(503, EVERYTHING), status=503, headers={"retry-after": "0"})),
]


@pytest.mark.parametrize("terminal", [True, False], ids=["on a terminal", "in a pipe"])
@pytest.mark.parametrize(("command", "answer"), [pytest.param(*rest, id=name) for name, *rest in FOREIGN])
def test_on_standard_error_nothing_is_obeyed_of(
    qwen: Program, api: ApiServer, command: str, answer: Reply, *, terminal: bool
) -> None:
    """What a message quotes is on one line and can't be obeyed, even where a log shows it later."""
    api.always(answer)
    arguments = (*command.split(), "hi")
    calm = {"TERM": "dumb"}  # without a spinner
    result = qwen(*arguments, terminal=["stderr"], env=calm) if terminal else qwen.call(*arguments)
    shown = result.terminal if terminal else result.stderr.encode()
    assert obeyed(shown) == []
    assert all(line.startswith(b"qwen-cli: ") for line in shown.splitlines())
    assert shown.count(b"\n") <= 6


@pytest.mark.parametrize(
    "arguments",
    [
        ("ask", "-f", "name" + EVERYTHING.replace("\0", "")),
        ("ask", "-o", "no/name" + EVERYTHING.replace("\0", ""), "hi"),
        ("ask", "--temperature", "hot" + EVERYTHING.replace("\0", ""), "hi"),
        ("ask", "--flag" + EVERYTHING.replace("\0", "")),
        ("command" + EVERYTHING.replace("\0", ""),),
    ],
    ids=["a file", "a target", "a value", "a flag", "a command"],
)
def test_what_a_message_quotes_of_the_command_line_is_not_obeyed_either(
    qwen: Program, arguments: tuple[str, ...]
) -> None:
    result = qwen(*arguments)
    assert result.status in (2, 7)
    assert obeyed(result.stderr.encode()) == []
    assert result.message


@pytest.mark.parametrize("flag", ["--curl", "--dry-run"])
def test_on_a_terminal_a_request_that_is_shown_is_not_obeyed(qwen: Program, flag: str) -> None:
    qwen.file("evil", EVERYTHING.replace("\0", ""))
    result = qwen("ask", flag, "-f", "evil", terminal=["stdout"])
    assert result.status == 0
    assert obeyed(result.terminal) == []
    assert b"evil.invalid" in result.terminal


# The key.


@pytest.mark.parametrize("status", [401, 400, 500])
def test_an_api_that_quotes_the_key_does_not_get_it_printed(qwen: Program, api: ApiServer, status: int) -> None:
    quoting = error(status, f"Incorrect API key provided: {KEY}. Get one.", requestId=KEY)
    api.answer(reply(quoting, status=status, headers={"x-inference-id": KEY}), events([error(status, KEY)]))
    for command in ("ask", "stream"):
        result = qwen(command, "-v", "--retries", "0", "hi")
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
    result = qwen(*arguments)
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


@pytest.mark.parametrize("status", [302, 307])
@pytest.mark.parametrize("command", ["stream", "json", "cost --balance"])
def test_no_redirect_gets_the_key(qwen: Program, api: ApiServer, command: str, status: int) -> None:
    with ApiServer() as elsewhere:
        api.answer(reply({}, status=status, headers={"location": elsewhere.base_url}))
        result = qwen(*command.split(), *([] if "cost" in command else ["hi"]))
    assert result.status == 9
    assert (elsewhere.connections, result.stdout) == (0, b"")


def test_no_proxy_gets_what_goes_to_loopback(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello.")))
    with ApiServer() as proxy:
        address = f"http://127.0.0.1:{proxy.port}"
        names = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy")
        assert qwen("ask", "hi", env=dict.fromkeys(names, address)).text == "Hello.\n"
    assert proxy.connections == 0


def test_the_key_is_not_in_a_netrc_file_either(qwen: Program, api: ApiServer) -> None:
    """`~/.netrc` names another password for the host: the key that was given is the one that is sent."""
    netrc = qwen.home / ".netrc"
    netrc.write_text("machine 127.0.0.1 login evil password evil\n")
    netrc.chmod(0o600)
    api.answer(reply(completion("Hello.")))
    assert qwen("ask", "hi").status == 0
    netrc.unlink()
    assert api.request.headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("url", ["http://example.invalid/v1", "http://127.0.0.1.example.invalid/v1", "http://[::2]/v1"])
def test_plain_http_to_another_host_is_a_usage_error(qwen: Program, url: str) -> None:
    result = qwen("ask", "hi", env={"AIMLAPI_BASE_URL": url})
    assert (result.status, result.stdout) == (2, b"")
    assert "http" in result.message


@pytest.mark.parametrize("ending", ["\n", "\r\nX-Evil: 1", "\x00", "\u0085", " x", "é"], ids=repr)
def test_a_request_id_cannot_smuggle_anything(qwen: Program, api: ApiServer, ending: str) -> None:
    if "\0" not in ending:
        result = qwen.call("ask", "--request-id", f"id{ending}", "hi")
        assert (result.status, result.stdout) == (2, b"")
        assert "--request-id" in result.message
        result = qwen.call("ask", "hi", env={"QWEN_CLI_REQUEST_ID": f"id{ending}"})
        assert (result.status, result.stdout) == (2, b"")
        assert "QWEN_CLI_REQUEST_ID" in result.message
    assert api.requests == []


@pytest.mark.parametrize("ending", ["\n", "\r\nX-Evil: 1", "\u0085", " x", "é", "\x1b[2J"], ids=repr)
def test_a_key_cannot_smuggle_anything(qwen: Program, api: ApiServer, ending: str) -> None:
    result = qwen.call("ask", "hi", env={"AIMLAPI_API_KEY": KEY + ending})
    assert (result.status, result.stdout, api.requests) == (3, b"", [])
    assert "AIMLAPI_API_KEY" in result.message


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/v1\r\nX-Evil: 1", "http://127.0.0.1/v1 HTTP/1.1", "http://127.0.0.1/\x1b[2J"]
)
def test_a_base_url_cannot_smuggle_anything(qwen: Program, url: str) -> None:
    result = qwen("ask", "hi", env={"AIMLAPI_BASE_URL": url})
    assert (result.status, result.stdout) == (2, b"")
    assert obeyed(result.stderr.encode()) == []
    assert result.message


def test_a_request_id_that_is_one_is_sent(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello.")))
    assert qwen("ask", "--request-id", "build-7:a.B_c", "hi").status == 0
    assert api.request.headers["x-client-request-id"] == "build-7:a.B_c"


# The keyring.


STORED = "sk-stored-NEVER-PRINT-ME-55d1e0aa"
WITHOUT = {"AIMLAPI_API_KEY": None}


def test_a_stored_key_goes_to_the_host_it_was_stored_for_and_to_no_other(
    qwen: Program, api: ApiServer, keyring: Keyring
) -> None:
    changes = {**keyring.environment, **WITHOUT}
    stored = qwen("key", "set", input=STORED + "\n", env=changes, secret=STORED)
    assert (stored.status, stored.stdout) == (0, b"")
    api.answer(reply(completion("Hello.")))
    assert qwen("ask", "-v", "hi", env=changes, secret=STORED).text == "Hello.\n"
    assert api.request.headers["authorization"] == f"Bearer {STORED}"
    with ApiServer() as other:
        other.answer(reply(completion("Hello.")))
        assert qwen("ask", "hi", env=changes, server=other, secret=STORED).status == 0
        assert "authorization" not in other.request.headers
    status = qwen("key", "status", env=changes, secret=STORED)
    assert STORED[-4:] in status.text
    assert qwen("key", "delete", env=changes, secret=STORED).status == 0
    assert STORED[-4:] not in qwen("key", "status", env=changes, secret=STORED).text


def test_a_key_typed_at_the_hidden_prompt_is_not_shown(qwen: Program, api: ApiServer, keyring: Keyring) -> None:
    changes = {**keyring.environment, **WITHOUT}
    with qwen.start("key", "set", env=changes, terminal=TERMINAL, secret=STORED) as running:
        running.wait_for(b": ", "terminal")
        running.type(STORED.encode() + b"\n")
        assert running.finish().status == 0
    api.answer(reply(completion("Hello.")))
    assert qwen("ask", "hi", env=changes, secret=STORED).status == 0
    assert api.request.headers["authorization"] == f"Bearer {STORED}"


def test_no_keyring_at_all_ends_with_3_and_says_what_to_do(qwen: Program) -> None:
    result = qwen("ask", "hi", env={**WITHOUT, "AIMLAPI_BASE_URL": "https://api.invalid/v1"})
    assert (result.status, result.stdout) == (3, b"")
    assert "AIMLAPI_API_KEY" in result.message


# Sizes.


def flood(request: Request) -> Iterator[Step]:
    """A response that never ends: spaces, as an event stream where one was asked for."""
    yield head(200, EVENT_STREAM if request.json.get("stream") else {"transfer-encoding": "chunked"})
    while True:
        yield http_chunk(b" " * (1 << 20))


@pytest.mark.parametrize("command", ["ask", "stream", "cost"])
def test_a_response_without_end_stops_at_the_stated_limit(qwen: Program, api: ApiServer, command: str) -> None:
    api.answer(flood)
    result = qwen(command, "hi", timeout=60)
    assert (result.status, result.stdout) == (9, b"")
    assert "MiB" in result.message
    assert result.peak_memory < 300 << 20
    assert api.request.closed.wait(2)


MANY = "x" * 100_000

FLOODS: list[tuple[str, str, bytes]] = [
    ("an event of lines without end", "stream", b"data: " + MANY.encode() + b"\n"),
    ("a field without end", "json --stream", b"x" * 100_000),
    ("a refusal", "stream", event(chunk(delta={"refusal": MANY}))),
    ("a refusal in JSON", "json --stream", event(chunk(delta={"refusal": MANY}))),
    ("a tool call", "stream", event(chunk(delta={"tool_calls": [{"index": 0, "function": {"arguments": MANY}}]}))),
    ("content that is held against a format", "stream --response-format json_object", event(chunk(MANY))),
]


@pytest.mark.parametrize(("command", "piece"), [pytest.param(*rest, id=name) for name, *rest in FLOODS])
def test_a_stream_without_end_stops_at_the_stated_limit_of(
    qwen: Program, api: ApiServer, command: str, piece: bytes
) -> None:
    """What has to be kept until the end is bounded, so memory is."""

    def endless(_: Request) -> Iterator[Step]:
        yield head(200, EVENT_STREAM)
        while True:
            yield http_chunk(piece)

    api.answer(endless)
    with Path("/dev/null").open("wb") as out:
        result = qwen(*command.split(), "hi", stdout=out, timeout=60)
    assert result.status == 9
    assert "MiB" in result.message
    assert result.peak_memory < 400 << 20
    assert api.request.closed.wait(2)


def test_a_stream_that_is_only_printed_is_not_kept(qwen: Program, api: ApiServer) -> None:
    many = json.dumps(chunk("x" * 1000))
    api.answer(events([*[many] * 20_000, *chunks("end")]))
    result = qwen("stream", "hi", timeout=60)
    assert (result.status, len(result.stdout)) == (0, 20_000_000 + 4)
    # The body is kept for the verdict, and read as text and as JSON at the end.
    assert result.peak_memory < 300 << 20


def test_json_streams_a_large_response_through(qwen: Program, api: ApiServer) -> None:
    size = 60 << 20
    before, after = json.dumps(completion("CONTENT")).encode().split(b"CONTENT")

    def large(_: Request) -> Iterator[Step]:
        yield head(200, {"content-length": len(before) + size + len(after)}) + before
        for _megabyte in range(size >> 20):
            yield b"x" * (1 << 20)
        yield after

    api.answer(large)
    with (qwen.cwd / "out").open("wb") as out:
        result = qwen("json", "hi", stdout=out, timeout=60)
    assert (result.status, result.stderr) == (0, "")
    assert (qwen.cwd / "out").stat().st_size == len(before) + size + len(after) + len("\n")
    # The body is kept for the verdict, and read as text and as JSON at the end.
    assert result.peak_memory < 300 << 20


def test_json_is_out_before_the_last_byte_is_in(qwen: Program, api: ApiServer) -> None:
    body = json.dumps(completion("Hello." * 2000)).encode()
    api.answer((head(200, {"content-length": len(body)}) + body[:6000], 1.0, body[6000:]))
    with qwen.start("json", "hi", input=PIPE) as running:
        running.close_input()
        running.wait_for(b"Hello.")
        first = time.monotonic()
        wait_until(lambda: not running.alive, "the end", timeout=10)
        assert time.monotonic() - first > 0.3
        assert running.finish().stdout == body + b"\n"
