"""`-o` gives the new whole answer or leaves the old file, whatever happens, and leaves no litter."""

import json
import os
import signal
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api_server import (
    FIN,
    LAST_CHUNK,
    RESET,
    SILENCE,
    ApiServer,
    Reply,
    Request,
    Step,
    events,
    head,
    http_chunk,
    reply,
    stream,
)
from tests.bodies import chunk, chunks, completion, error, event, event_stream
from tests.program import SECONDS, WITHOUT_PRIVILEGE, Program, require_tool

OLD = {"answer": b"old"}


def test_a_whole_answer_replaces_the_file(qwen: Program, api: ApiServer) -> None:
    qwen.file("answer", "old")
    api.answer(reply(completion("new")), events(chunks("ne", "wer")))
    for command, content in (("ask", b"new\n"), ("stream", b"newer\n")):
        result = qwen(command, "-o", "answer", "hi")
        assert (result.status, result.stdout, result.stderr) == (0, b"", "")
        assert qwen.files() == {"answer": content}


FAILURES: list[tuple[str, str, Reply, int]] = [
    ("a refused request", "ask", reply(error(400), status=400), 4),
    ("a rejected key", "ask", reply(error(401), status=401), 3),
    ("a service that fails", "stream", reply(error(500), status=500), 5),
    ("a redirect", "ask", reply({}, status=302, headers={"location": "https://elsewhere.invalid/"}), 9),
    ("garbage", "json", reply(body=b"garbage"), 9),
    ("a body that is cut", "json", (head(200, {"content-length": 99}) + b'{"choices":', 0.05, FIN), 6),
    ("a stream that is reset", "stream", stream(event(chunk("new")), 0.05, RESET, whole=False), 6),
    ("a stream that falls silent", "stream", stream(event(chunk("new")), SILENCE, whole=False), 6),
    ("an error in the stream", "stream", events([chunk("new"), error(500)]), 5),
    ("an unparsable chunk", "json --stream", events([chunk("new"), "{"]), 9),
    ("an answer that is cut", "ask", reply(completion("new", finish_reason="length")), 8),
    ("a stream without its end", "stream", events([chunk("new")]), 8),
    ("JSON that was asked for and isn't", "ask --response-format json_object", reply(completion("new")), 9),
    ("a cost that is not known", "cost", reply(body=b""), 9),
]


@pytest.mark.parametrize("there", [True, False], ids=["over an old file", "where there was none"])
@pytest.mark.parametrize(("command", "answer", "status"), [pytest.param(*rest, id=name) for name, *rest in FAILURES])
def test_a_failure_leaves_things_as_they_were(
    qwen: Program, api: ApiServer, command: str, answer: Reply, *, status: int, there: bool
) -> None:
    if there:
        qwen.file("answer", "old")
    api.answer(answer)
    result = qwen.call(*command.split(), "--timeout", "0.5", "--retries", "0", "-o", "answer", "hi")
    assert result.status == status
    assert qwen.files() == (OLD if there else {})


@pytest.mark.parametrize("there", [True, False], ids=["over an old file", "where there was none"])
def test_the_end_of_the_process_leaves_them_so(qwen: Program, api: ApiServer, *, there: bool) -> None:
    if there:
        qwen.file("answer", "old")
    api.answer(events([chunk("new")]), reply(completion("new", finish_reason="length")))
    assert [qwen(command, "-o", "answer", "hi").status for command in ("stream", "ask")] == [8, 8]
    assert qwen.files() == (OLD if there else {})


@pytest.mark.parametrize(
    "arguments",
    [("--temperature", "9", "hi"), ("-f", "missing", "hi"), ("-n",), ("--no-such-flag",)],
    ids=["a bad value", "a missing file", "nothing to ask", "an unknown flag"],
)
def test_a_usage_error_leaves_the_file(qwen: Program, arguments: tuple[str, ...]) -> None:
    qwen.file("answer", "old")
    assert qwen.call("ask", "-o", "answer", *arguments).status in (2, 7)
    assert qwen.files() == OLD


@pytest.mark.parametrize(
    ("command", "number"),
    [
        ("ask", signal.SIGINT),
        ("stream", signal.SIGINT),
        ("json", signal.SIGINT),
        ("ask", signal.SIGTERM),
        ("stream", signal.SIGHUP),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_signal_in_the_middle_leaves_the_old_file_and_no_litter(
    qwen: Program, api: ApiServer, command: str, number: signal.Signals
) -> None:
    qwen.file("answer", "old")
    start = (head(200, {"content-length": 99}) + b'{"choices":', SILENCE)
    api.answer(stream(event(chunk("new")), SILENCE, whole=False) if command == "stream" else start)
    with qwen.start(command, "-o", "answer", "hi") as running:
        api.wait_for_requests()
        running.send(number)
        result = running.finish()
    assert (result.status, result.stdout, result.stderr) == (128 + number, b"", "")
    assert qwen.files() == OLD
    assert api.request.closed.wait(SECONDS)


def test_a_kill_leaves_the_old_file_and_the_next_run_does_not_mind(qwen: Program, api: ApiServer) -> None:
    qwen.file("answer", "old")
    api.answer(stream(event(chunk("lost")), SILENCE, whole=False), events(chunks("new")))
    with qwen.start("stream", "-o", "answer", "hi") as running:
        api.wait_for_requests()
        running.send(signal.SIGKILL)
        assert running.finish().status == 137
    left = qwen.files()
    assert left.pop("answer") == b"old"
    assert len(left) <= 1
    assert all(name.startswith(".") for name in left)
    assert qwen("stream", "-o", "answer", "hi").status == 0
    assert qwen.files() == {"answer": b"new\n", **left}


def test_a_device_that_is_full_ends_with_7(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("new")))
    result = qwen.call("ask", "-o", "/dev/full", "hi")
    assert result.status == 7
    assert "/dev/full" in result.message
    assert "No space left" in result.message


FLOOD = [chunk("x" * 1000)] * 200
"""200 kB of content."""


class TestAFullDisk:
    """A file system of 64 kB in the folder `disk`, which holds `answer` and nothing else."""

    SETUP = "mount -t tmpfs -o size=64k tmpfs disk && printf old >disk/answer && cd disk"
    LISTING = 'echo "<$?>"; cat answer; ls -A'

    @pytest.fixture
    def script(self, qwen: Program) -> str:
        require_tool("unshare")
        (qwen.cwd / "disk").mkdir()
        namespace = "unshare --mount" if os.geteuid() == 0 else "unshare --user --map-root-user --mount"
        script = f"""{namespace} sh -c '{self.SETUP} && "$@"; {self.LISTING}' sh "$@\""""
        if not qwen("--version", script=script).text.endswith("<0>\noldanswer\n"):
            pytest.skip("mounting a small disk is not permitted here")
        return script

    @pytest.mark.parametrize("command", ["ask", "stream", "json", "json --stream"])
    def test_leaves_the_old_file_and_no_litter(self, qwen: Program, api: ApiServer, command: str, script: str) -> None:
        streaming = "stream" in command
        api.answer(events([*FLOOD, *chunks()]) if streaming else reply(completion("x" * 200_000)))
        result = qwen(*command.split(), "-o", "answer", "hi", script=script)
        assert result.text.endswith("<7>\noldanswer\n")
        assert "No space left" in result.message

    @pytest.mark.parametrize("option", ["-o", "--save", "--chat", "--cache"])
    def test_does_not_cost_the_answer(self, qwen: Program, api: ApiServer, option: str, script: str) -> None:
        """It was paid for: it goes to standard output, and the status says that the file was not written."""
        answer = "x" * 200_000
        api.answer(reply(completion(answer)))
        file = "answers" if option == "--cache" else "new"
        result = qwen("ask", option, file, "hi", script=script)
        assert result.text.startswith(f"{answer}\n<7>\noldanswer\n")
        assert "new" not in result.text
        assert "No space left" in result.message

    def test_does_not_cost_a_body_that_arrives_in_pieces(self, qwen: Program, api: ApiServer, script: str) -> None:
        body = completion("x" * 1_000_000)
        api.answer(reply(body))
        result = qwen("json", "-o", "answer", "hi", script=script)
        printed, _, rest = result.text.partition("\n")
        assert json.loads(printed) == body
        assert rest == "<7>\noldanswer\n"
        assert "No space left" in result.message

    @pytest.mark.parametrize(
        ("command", "end"), [("stream", "xend\n"), ("json --stream", f"{json.dumps(chunks('end')[-1])}\n")]
    )
    def test_does_not_cut_a_stream(self, qwen: Program, api: ApiServer, command: str, end: str, script: str) -> None:
        api.answer(events([*FLOOD, *chunks("end")]))
        result = qwen(*command.split(), "-o", "answer", "hi", script=script)
        assert result.text.endswith(f"{end}<7>\noldanswer\n")
        assert len(result.text) > 200_000
        assert "No space left" in result.message

    @pytest.mark.parametrize("option", ["", "-o {}.txt"])
    def test_does_not_cost_an_answer_of_map(self, qwen: Program, api: ApiServer, option: str, script: str) -> None:
        api.always(reply(completion("Hello.", padding="x" * 200_000)))
        result = qwen("map", "-P", "1", "--cache", "answers", *option.split(), input="one\ntwo\n", script=script)
        printed, status, left = result.text.partition("<11>\n")
        assert (printed, status) == ("" if option else "Hello.\nHello.\n", "<11>\n")
        assert ("one.txt" in left, "two.txt" in left) == (bool(option), bool(option))
        assert "item 1: " in result.stderr
        assert "2 of 2 items failed: 2 with status 7" in result.stderr

    def test_leaves_an_old_receipt(self, qwen: Program, api: ApiServer, script: str) -> None:
        api.answer(reply(completion("x" * 200_000)))
        assert qwen("ask", "--save", "answer", "hi", script=script).text.endswith("<7>\noldanswer\n")


def test_a_limit_of_file_size_leaves_the_old_file_and_no_litter(qwen: Program, api: ApiServer) -> None:
    qwen.file("answer", "old")
    api.answer(events([*FLOOD, *chunks()]))
    result = qwen("stream", "-o", "answer", "hi", script='ulimit -f 8; exec "$@"')
    assert (result.status, qwen.files()) == (7, OLD)
    assert "too large" in result.message


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("missing/answer", "No such file or directory"),
        ("file/answer", "Not a directory"),
        (".", "Is a directory"),
        ("folder", "Is a directory"),
        ("a" * 300, "File name too long"),
        ("loop", "Too many levels of symbolic links"),
    ],
)
def test_a_target_that_cannot_be_written_ends_with_7_before_anything_is_sent(
    qwen: Program, api: ApiServer, target: str, reason: str
) -> None:
    qwen.file("file", "old")
    (qwen.cwd / "folder").mkdir()
    (qwen.cwd / "loop").symlink_to("loop")
    result = qwen.call("ask", "-o", target, "hi")
    assert (result.status, result.stdout, api.requests) == (7, b"", [])
    assert result.message == f"cannot write {target}: {reason}"


@pytest.mark.parametrize("options", ["-o answer", "-o answer --save response"])
def test_a_folder_that_is_gone_ends_with_7(qwen: Program, api: ApiServer, options: str) -> None:
    (qwen.cwd / "gone").mkdir()
    # As the console script does it: the current folder is no place to import from.
    qwen_cli = "from qwen_cli.__main__ import run; run()"
    script = f'cd gone && rmdir ../gone && exec "$1" -P -c "{qwen_cli}" ask {options} hi'
    result = qwen(script=script)
    assert (result.status, api.requests) == (7, [])
    assert "answer" in result.message


@pytest.mark.parametrize("target", ["folder/answer", "read-only"])
def test_a_target_without_permission_ends_with_7_before_anything_is_sent(
    qwen: Program, api: ApiServer, target: str
) -> None:
    """Even for root, once it has lost the capability to overrule permissions."""
    folder = qwen.cwd / "folder"
    folder.mkdir()
    folder.chmod(0o500)
    qwen.file("read-only", "old").chmod(0o400)
    result = qwen("ask", "-o", target, "hi", script=WITHOUT_PRIVILEGE)
    assert (result.status, api.requests) == (7, [])
    assert "Permission denied" in result.message
    assert (qwen.cwd / "read-only").read_bytes() == b"old"


def test_a_symbolic_link_is_followed(qwen: Program, api: ApiServer) -> None:
    elsewhere = qwen.cwd / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "target").write_bytes(b"old")
    (qwen.cwd / "link").symlink_to("elsewhere/target")
    api.answer(reply(completion("new")), reply(completion(None)))
    assert qwen.call("ask", "-o", "link", "hi").status == 0
    assert qwen.call("ask", "-o", "link", "hi").status == 8
    assert (qwen.cwd / "link").is_symlink()
    assert [path.name for path in elsewhere.iterdir()] == ["target"]
    assert (elsewhere / "target").read_bytes() == b"new\n"


def test_a_link_to_nothing_yet_makes_its_target(qwen: Program, api: ApiServer) -> None:
    (qwen.cwd / "link").symlink_to("target")
    api.answer(reply(completion("new")))
    assert qwen.call("ask", "-o", "link", "hi").status == 0
    assert (qwen.cwd / "link").is_symlink()
    assert (qwen.cwd / "target").read_bytes() == b"new\n"


@pytest.mark.parametrize("mode", [0o600, 0o755, 0o666])
def test_an_existing_file_keeps_its_mode(qwen: Program, api: ApiServer, mode: int) -> None:
    qwen.file("answer", "old").chmod(mode)
    api.answer(reply(completion("new")))
    assert qwen("ask", "-o", "answer", "hi", script='umask 027; exec "$@"').status == 0
    assert stat.S_IMODE((qwen.cwd / "answer").stat().st_mode) == mode


def test_a_new_file_gets_the_mode_that_the_umask_leaves(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("new")))
    assert qwen("ask", "-o", "answer", "hi", script='umask 027; exec "$@"').status == 0
    assert stat.S_IMODE((qwen.cwd / "answer").stat().st_mode) == 0o640


def test_devices_are_written_directly(qwen: Program, api: ApiServer) -> None:
    api.answer(*[reply(completion("new"))] * 4)
    assert qwen("ask", "-o", "/dev/stdout", "hi").text == "new\n"
    assert qwen("ask", "-o", "/dev/stderr", "hi").stderr == "new\n"
    assert qwen("ask", "-o", "/dev/null", "hi").status == 0
    assert Path("/dev/null").is_char_device()
    assert qwen("ask", "-o", "/dev/fd/3", "hi", script='"$@" 3>third').status == 0
    assert qwen.files() == {"third": b"new\n"}


def test_a_pipe_with_a_name_is_written_directly(qwen: Program, api: ApiServer) -> None:
    os.mkfifo(qwen.cwd / "pipe")
    api.answer(reply(completion("new")))
    result = qwen("ask", "-o", "pipe", "hi", script='cat pipe & "$@"; status=$?; wait; exit $status')
    assert (result.status, result.text) == (0, "new\n")
    assert stat.S_ISFIFO((qwen.cwd / "pipe").stat().st_mode)


def test_what_was_in_the_file_can_be_read_until_the_answer_is_whole(qwen: Program, api: ApiServer) -> None:
    file = qwen.file("answer", "old")
    seen: list[bytes] = []

    def look(_: object) -> list[Step]:
        seen.append(file.read_bytes())
        return [*reply(completion("new"))]

    api.answer(look)
    assert qwen.call("ask", "-f", "answer", "-o", "answer", "hi").status == 0
    assert seen == [b"old"]
    assert "old" in api.request.json["messages"][0]["content"]
    assert file.read_bytes() == b"new\n"


def test_a_large_answer_arrives_whole(qwen: Program, api: ApiServer) -> None:
    content = "0123456789abcdef" * 65536
    api.answer(
        reply(completion(content)),
        stream(event_stream(chunks(*[content[at : at + 4096] for at in range(0, 1 << 20, 4096)]))),
    )
    for command in ("ask", "stream"):
        assert qwen.call(command, "-o", "answer", "hi").status == 0
        assert qwen.files() == {"answer": content.encode() + b"\n"}


def test_a_folder_that_is_not_there_is_no_file(qwen: Program, api: ApiServer) -> None:
    result = qwen.call("ask", "-o", "newdir/", "hi")
    assert (result.status, api.requests, qwen.files()) == (7, [], {})
    assert result.message == "cannot write newdir/: Is a directory"


@pytest.mark.parametrize(
    ("number", "script"),
    [
        ("99999999999", 'exec "$@"'),
        ("9" * 3000, 'exec "$@"'),
        ("9", 'exec "$@"'),
        ("9", 'exec "$@" 9</dev/null'),
        ("1", 'exec "$@" >&-'),
    ],
    ids=["too large", "absurd", "not open", "open for reading", "closed standard output"],
)
def test_a_descriptor_that_cannot_be_written_is_found_out_before_anything_is_sent(
    qwen: Program, api: ApiServer, number: str, script: str
) -> None:
    result = qwen("ask", "-o", f"/dev/fd/{number}", "hi", script=script)
    assert (result.status, api.requests) == (7, [])
    assert "Bad file descriptor" in result.message


def test_no_descriptor_of_its_own_is_taken_for_the_callers(qwen: Program, api: ApiServer) -> None:
    """The connection that is dialled ahead is such a one."""
    for number in range(3, 8):
        result = qwen("ask", "-o", f"/dev/fd/{number}", "hi")
        assert (result.status, api.requests) == (7, []), number


def test_more_than_can_be_collected_is_printed(qwen: Program, api: ApiServer) -> None:
    chunk = b"x" * (1 << 20)

    def endless(_: Request) -> Iterator[Step]:
        yield head(200, {"transfer-encoding": "chunked"})
        yield http_chunk(b'{"choices": [{"message": {"content": "')
        for _number in range(257):
            yield http_chunk(chunk)
        yield http_chunk(b'"}, "finish_reason": "stop"}]}')
        yield LAST_CHUNK

    api.answer(endless)
    qwen.file("body", "old")
    result = qwen("json", "-o", "body", "hi", timeout=60)
    assert (result.status, qwen.files()) == (7, {"body": b"old"})
    assert "more than 256 MiB" in result.message
    assert len(result.stdout) > 256 << 20


@pytest.mark.parametrize("name", ["answer", "copy"])
def test_an_answer_is_not_lost_when_a_file_cannot_be_put_in_its_place_after_all(
    qwen: Program, api: ApiServer, name: str
) -> None:
    """It was paid for: it goes to standard output, and the status says that a file was not written."""
    asked = threading.Event()
    api.answer((asked, *reply(completion("Hello."))))
    with qwen.start("ask", "-o", "answer", "--save", "copy", "hi") as running:
        api.wait_for_requests()
        (qwen.cwd / name).mkdir()
        asked.set()
        result = running.finish()
    assert (result.status, result.text) == (7, "Hello.\n")
    assert name in result.message
    assert not (qwen.cwd / "answer").is_file()


class TestNames:
    """Standard output and the descriptors of the caller have names."""

    @pytest.fixture
    def answered(self, api: ApiServer) -> ApiServer:
        """A server that always has an answer."""
        api.always(reply(completion("new")))
        return api

    @pytest.mark.parametrize("name", ["/dev/stdout", "-", "/dev/fd/1"])
    def test_standard_output_has_names(self, qwen: Program, answered: ApiServer, name: str) -> None:
        result = qwen.call("ask", "-o", name, "hi")
        assert (result.status, result.text, qwen.files()) == (0, "new\n", {})
        assert len(answered.requests) == 1

    @pytest.mark.parametrize("folder", ["/dev/fd", "/proc/self/fd"])
    def test_a_descriptor_of_the_caller_is_written_where_it_stands(
        self, qwen: Program, answered: ApiServer, folder: str
    ) -> None:
        script = 'exec 3>all; echo before >&3; "$@" || exit; echo after >&3'
        result = qwen("ask", "-o", f"{folder}/3", "hi", script=script)
        assert (result.status, result.text, qwen.files()) == (0, "", {"all": b"before\nnew\nafter\n"})
        assert len(answered.requests) == 1

    def test_a_descriptor_that_is_closed_is_reported_before_anything_is_sent(self, qwen: Program) -> None:
        result = qwen.call("ask", "-o", "/dev/fd/9", "hi")
        assert (result.status, result.stdout) == (7, b"")
        assert result.message == "cannot write /dev/fd/9: Bad file descriptor"
