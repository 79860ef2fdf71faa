"""`map`: an answer for every line of standard input, in the same order, whatever happens to some of them."""

import json
import random
import resource
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterable
from subprocess import PIPE

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api_server import SILENCE, ApiServer, Request, Step, reply
from tests.bodies import completion, error
from tests.echo import asked, echo, echoing, records
from tests.program import Program, require_tool, wait_until


def test_every_line_is_answered_on_a_line_of_its_own(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    result = qwen("map", "Say {}!", input="one\ntwo\nthree\n")
    assert (result.text, result.stderr, result.status) == ("Say one!\nSay two!\nSay three!\n", "", 0)


def test_a_last_line_without_newline_counts_and_no_line_is_no_item(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    assert qwen.call("map", "{}", input="one\ntwo").text == "one\ntwo\n"
    assert qwen.call("map", "{}", input="").text == ""


def test_the_order_is_that_of_the_input_whatever_answers_take(qwen: Program, api: ApiServer) -> None:
    chance = random.Random(7)
    api.always(echoing(lambda _: chance.random() / 50))
    lines = "".join(f"{number}\n" for number in range(200))
    assert qwen.call("map", "-P", "16", input=lines).text == lines


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.sampled_from(["", "good", "bad\\one", "cut", "refused", "slow"]), max_size=30), st.integers(1, 12))
def test_each_line_is_the_answer_of_the_same_line(qwen: Program, items: list[str], parallel: int) -> None:
    """Failures, blank items and late answers in any place leave every other answer where it belongs."""

    def answer(request: Request) -> Iterable[Step]:
        match asked(request).partition(":")[2]:
            case "refused":
                return reply(error(400), status=400)
            case "cut":
                return reply(completion("half", finish_reason="length"))
            case "slow":
                return (0.02, *echo(request))
        return echo(request)

    lines = [f"{number}:{item}" if item else "" for number, item in enumerate(items)]
    with ApiServer() as server:
        server.always(answer)
        result = qwen("map", "-P", str(parallel), input="".join(f"{line}\n" for line in lines), server=server)
    failing = ("cut", "refused")
    assert result.text.splitlines() == ["" if line.endswith(failing) else line.replace("\\", "\\\\") for line in lines]
    failed = [number for number, line in enumerate(lines, 1) if line.endswith(failing)]
    assert result.status == (11 if failed else 0)
    named = [int(line.split()[2].rstrip(":")) for line in result.stderr.splitlines() if "item " in line]
    assert set(named) <= set(failed)
    assert len(named) == sum(min(10, sum(line.endswith(kind) for line in lines)) for kind in failing)


def test_the_answers_are_those_of_ask(qwen: Program) -> None:
    """What xargs and a process for each get from the sandbox, one `map` gets too."""
    lines = "a\nb c\n-u\n"
    script = """
        while IFS= read -r line; do "$@" ask -n -- "Say $line twice" || exit; done <lines >asked &&
        "$@" map 'Say {} twice' <lines >mapped && cmp asked mapped
    """
    qwen.file("lines", lines)
    result = qwen(script=f'"$@" sandbox -- sh -c \'{script}\' sh "$@"'.replace("'Say {} twice'", '"Say {} twice"'))
    assert (result.status, result.stderr) == (0, "")
    assert b"-u" in qwen.files()["mapped"]


def test_lines_are_escaped_as_jq_does(qwen: Program, api: ApiServer) -> None:
    jq = require_tool("jq")
    texts = ["a\tb", "c\nd\n\ne", "f\r\ng", "h\\i\\n", "j\u2028k", "é😀", '"quoted"']
    api.answer(*(reply(completion(text)) for text in texts))
    result = qwen.call("map", "-P", "1", input="x\n" * len(texts))
    expected = subprocess.run(
        [jq, "-r", "[.] | @tsv"], input="".join(map(json.dumps, texts)).encode(), stdout=PIPE, check=True
    )
    assert result.stdout == expected.stdout


def test_with_nul_answers_are_raw(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    assert qwen.call("map", "-0", "{}", input="a\nb\0c\\d\0\0e").stdout == b"a\nb\0c\\d\0\0e\0"


def test_the_tenth_failure_of_a_kind_is_the_last_one_reported(qwen: Program, api: ApiServer) -> None:
    api.always(reply(error(400), status=400))
    result = qwen.call("map", input="x\n" * 50)
    assert result.status == 11
    assert result.stderr.count("item ") == 10
    assert "50 of 50 items failed: 50 with status 4" in result.stderr


def test_a_preview_sends_nothing(qwen: Program) -> None:
    result = qwen.call("map", "--dry-run", "Say {}", input="a\nb\\\n", env={"AIMLAPI_API_KEY": None})
    assert [record["messages"][0]["content"] for record in records(result.text)] == ["Say a", "Say b\\"]


def test_an_answer_is_printed_as_soon_as_its_turn_comes(qwen: Program, api: ApiServer) -> None:
    """As with `tail -f log | qwen-cli map`: neither a full block nor the end of input is awaited."""
    api.always(echo)
    with qwen.start("map", input=PIPE) as running:
        for line in (b"one\n", b"two\n"):
            running.write(line)
            running.wait_for(line)
        running.close_input()
        assert running.finish().status == 0


def test_connections_are_reused(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    assert qwen.call("map", "-P", "4", input="x\n" * 100).status == 0
    assert api.connections <= 5


def test_no_more_are_asked_at_once_than_allowed(qwen: Program, api: ApiServer) -> None:
    gate = threading.Event()
    api.always([gate, *reply(completion())])
    with qwen.start("map", "-P", "3", input="x\n" * 20) as running:
        api.wait_for_requests(3)
        time.sleep(0.1)
        assert len(api.requests) == 3
        gate.set()
        assert running.finish().status == 0


def test_a_pipe_that_nobody_reads_for_a_while_loses_nothing(qwen: Program, api: ApiServer) -> None:
    long = "y" * 5000
    api.always(lambda request: reply(completion(asked(request) + long)))
    lines = "".join(f"{n}\n" for n in range(1500))
    result = qwen("map", script='"$@" | (sleep 1; cat)', input=lines)
    assert result.text == lines.replace("\n", f"{long}\n")


def test_gnu_parallel_spreads_items_and_keeps_their_order(qwen: Program, api: ApiServer) -> None:
    require_tool("parallel")
    api.always(echo)
    lines = "".join(f"{n}\n" for n in range(100))
    result = qwen("map", script='parallel --will-cite --pipe -k -N 20 -S : "$@"', input=lines)
    assert (result.text, result.status) == (lines, 0), result.stderr
    for path in qwen.home.iterdir():
        shutil.rmtree(path)  # what GNU parallel keeps there


def test_memory_does_not_grow_with_the_number_of_items(qwen: Program) -> None:
    def peak(count: int) -> int:
        qwen.file("lines", "x\n" * count)
        with open(qwen.cwd / "lines", "rb") as lines, ApiServer() as server:
            server.always(echo)
            return qwen("map", input=lines, server=server, timeout=60).peak_memory

    few, many = peak(150), peak(1500)
    assert many < 1.2 * few


@pytest.mark.parametrize(
    ("size", "least", "most"), [(10, 1024, 1024), (1 << 20, 33, 200)], ids=["of results", "of their bytes"]
)
def test_one_answer_that_takes_long_does_not_let_the_others_fill_the_memory(
    qwen: Program, api: ApiServer, size: int, least: int, most: int
) -> None:
    """Beyond a limit, nothing is started until the turn of the first item is over."""
    long = reply(completion("x" * size))
    api.always(lambda request: [SILENCE] if asked(request) == "0" else long)
    with qwen.start("map", input="".join(f"{number}\n" for number in range(1200))) as running:
        api.wait_for_requests(least, timeout=60)
        time.sleep(0.5)  # whatever would be started too much is started meanwhile
        assert len(api.requests) <= most
        running.send(signal.SIGKILL)


IN_ASKING = """
import qwen_cli.map.items as items

parse = items.parse_line
items.parse_line = lambda number, data: 1 / 0 if b"broken" in data else parse(number, data)
"""
IN_WRITING = """
import qwen_cli.map.results as results

as_line = results.as_line
results.as_line = lambda found, text: 1 / 0 if text == "broken\\n" else as_line(found, text)
"""


@pytest.mark.parametrize("defect", [IN_ASKING, IN_WRITING], ids=["in asking", "in writing"])
def test_a_defect_in_one_item_is_that_items_failure(qwen: Program, api: ApiServer, defect: str) -> None:
    """Whatever else goes wrong while an item is processed."""
    api.always(echo)
    qwen.file("sitecustomize.py", defect)
    result = qwen("map", input="fine\nbroken\nfine\n", env={"PYTHONPATH": str(qwen.cwd)})
    assert (result.status, result.text) == (11, "fine\n\nfine\n")
    first, summary = result.stderr.splitlines()
    assert first.startswith("qwen-cli: item 2: internal error, please report it: ZeroDivisionError at ")
    assert summary == "qwen-cli: 1 of 3 items failed: 1 with status 1"


@pytest.mark.parametrize(("limit", "noted"), [(64, "20 requests at once instead of 50"), (26, "1 requests at once")])
def test_with_few_descriptors_fewer_are_asked_at_once(qwen: Program, api: ApiServer, limit: int, noted: str) -> None:
    api.always(echo)
    script = f'ulimit -n {limit}; exec "$@"'
    result = qwen("map", "-P", "50", input="x\n" * 200, script=script)
    assert (result.status, result.text) == (0, "x\n" * 200)
    assert noted in result.message
    assert f"only {limit} files may be open" in result.message


@pytest.mark.skipif(
    resource.getrlimit(resource.RLIMIT_AS)[1] != resource.RLIM_INFINITY, reason="a limit is set already"
)
def test_with_little_memory_there_are_fewer_threads(qwen: Program, api: ApiServer) -> None:
    """Each thread reserves 8 MiB, so that there is room for some of them only."""
    api.always(echo)
    result = qwen("map", "-P", "200", input="x\n" * 400, script='ulimit -v 900000; exec "$@"')
    assert (result.status, result.text) == (0, "x\n" * 400)


def test_an_answer_comes_out_while_a_later_one_is_awaited(qwen: Program, api: ApiServer) -> None:
    release = threading.Event()
    api.always(lambda request: (release, *echo(request)) if asked(request) == "slow" else echo(request))
    with qwen.start("map", input="fast\nslow\n") as running:
        running.wait_for(b"fast\n")
        wait_until(lambda: len(api.requests) == 2, "both are sent")
        release.set()
        assert running.finish().text == "fast\nslow\n"
