"""Many at once and many in a row: every answer right, none lost, nothing left behind."""

import gc
import sys
from types import GeneratorType

import pytest

from tests.api_server import ApiServer, Request, Step, events, reply
from tests.bodies import chunk, chunks, completion, error
from tests.program import Program, processes_of_session

AT_ONCE, IN_A_ROW = 16, 5


def echo(request: Request) -> list[Step]:
    """An answer that quotes the prompt."""
    return [0.05, *reply(completion(f"You said {request.json['messages'][-1]['content']}"))]


def test_many_at_once_each_get_their_answer(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    script = f'seq {AT_ONCE} | xargs -P 16 -I NUMBER "$@" -o NUMBER.txt NUMBER'
    with qwen.start("ask", "-n", script=script) as running:
        result = running.finish(timeout=60)
        left = processes_of_session(running.pid)
    assert (result.status, result.stdout, result.stderr) == (0, b"", "")
    assert qwen.files() == {f"{number}.txt": f"You said {number}\n".encode() for number in range(1, AT_ONCE + 1)}
    assert sorted(int(request.json["messages"][0]["content"]) for request in api.requests) == [*range(1, AT_ONCE + 1)]
    assert (left, api.open_connections) == ([], 0)


def test_nothing_is_left_for_the_garbage_collector_to_close(qwen: Program, api: ApiServer) -> None:
    """Python's own check of sockets and files that nobody closed, on the ways that end well and on those that don't."""
    api.answer(
        reply(completion("Hello.")),
        events(chunks("Hello.")),
        reply(completion("Hello.")),
        reply(error(400), status=400),
        events([chunk("Hello."), "{"]),
        reply(completion(None)),
    )
    watched = {"PYTHONWARNINGS": "ignore,always::ResourceWarning"}
    whole = "import sys; from qwen_cli.__main__ import main; sys.exit(main(sys.argv[1:]))"
    script = f'shift 3; exec {sys.executable} -c "{whole}" "$@"'  # the program itself ends before Python looks
    for arguments in (("ask",), ("stream",), ("json", "-o", "answer"), ("ask",), ("stream",), ("ask", "-o", "answer")):
        result = qwen(*arguments, "hi", env=watched, script=script)
        assert "ResourceWarning" not in result.stderr
        assert result.status in (0, 4, 8, 9)


@pytest.mark.parametrize("command", ["stream", "ask"])
def test_a_body_that_is_not_read_to_its_end_is_closed_at_once(qwen: Program, api: ApiServer, command: str) -> None:
    """Left to the garbage collector, it would be closed in the middle of anything, deep recursion for one."""
    gc.collect()
    gc.disable()
    try:
        api.answer(events(chunks("Hello.")))  # nothing behind [DONE] is read
        assert qwen.call(command, "hi").status == 0
        generators = [each for each in gc.get_objects() if isinstance(each, GeneratorType) and each.gi_frame]
        assert [each for each in generators if "ByteStream" in each.__qualname__] == []
    finally:
        gc.enable()


def test_many_in_a_row_leave_nothing_behind(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    script = f'for number in $(seq {IN_A_ROW}); do "$@" -o answer "$number" && cat answer || exit; done'
    with qwen.start("ask", "-n", script=script) as running:
        result = running.finish(timeout=60)
        left = processes_of_session(running.pid)
    assert (result.status, result.stderr) == (0, "")
    assert result.text == "".join(f"You said {number}\n" for number in range(1, IN_A_ROW + 1))
    assert qwen.files() == {"answer": f"You said {IN_A_ROW}\n".encode()}
    assert len(api.requests) == IN_A_ROW
    assert (left, api.open_connections) == ([], 0)
