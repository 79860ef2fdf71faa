"""`map`: an answer for every line of standard input, in the same order, whatever happens to some of them."""

import json
import random
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from subprocess import PIPE
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api_server import RESET, ApiServer, Request, Step, reply
from tests.bodies import completion, error, tool_call
from tests.program import TERMINAL, Program, require_tool


def asked(request: Request) -> str:
    """The last message of a request."""
    content: str = request.json["messages"][-1]["content"]
    return content


def echo(request: Request) -> Sequence[Step]:
    """An answer that repeats what was asked."""
    return reply(completion(asked(request)))


def echoing(delays: Callable[[str], float]) -> Callable[[Request], Iterable[Step]]:
    return lambda request: (delays(asked(request)), *echo(request))


def prompts(api: ApiServer) -> list[str]:
    return sorted(asked(request) for request in api.requests)


def records(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_every_line_is_answered_on_a_line_of_its_own(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    result = qwen("map", "Say {}!", input="one\ntwo\nthree\n")
    assert (result.text, result.stderr, result.status) == ("Say one!\nSay two!\nSay three!\n", "", 0)


def test_a_last_line_without_newline_counts_and_no_line_is_no_item(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    assert qwen("map", "{}", input="one\ntwo").text == "one\ntwo\n"
    assert qwen("map", "{}", input="").text == ""


def test_the_order_is_that_of_the_input_whatever_answers_take(qwen: Program, api: ApiServer) -> None:
    chance = random.Random(7)
    api.always(echoing(lambda _: chance.random() / 50))
    lines = "".join(f"{number}\n" for number in range(200))
    assert qwen("map", "-P", "16", input=lines).text == lines


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
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


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        (["Say", "{}", "and {}{}"], "Say x and xx"),
        (["Say something"], "Say something\n\nx"),
        ([], "x"),
        (["-s", "Be {}", "Hello"], "Hello"),
        (["{name} {{}}"], "{name} {x}"),
    ],
    ids=["in several places", "nowhere", "no prompt", "in the system message", "other braces are text"],
)
def test_the_item_stands_where_the_braces_are(qwen: Program, api: ApiServer, arguments: list[str], sent: str) -> None:
    api.always(echo)
    assert qwen("map", *arguments, input="x\n").status == 0
    assert asked(api.request) == sent


@pytest.mark.parametrize("item", ["--help", "-", "-n", "{}", "{name}", "@file", "a  b", " x ", "\\0"])
def test_an_item_is_text_and_nothing_else(qwen: Program, api: ApiServer, item: str) -> None:
    api.always(echo)
    assert qwen("map", "<{}>", input=f"{item}\n").status == 0
    assert asked(api.request) == f"<{item}>"


def test_an_item_can_be_the_name_of_a_file_that_is_read_and_of_one_that_is_written(
    qwen: Program, api: ApiServer
) -> None:
    api.always(echo)
    for name in ("a.md", "-", "b c.md"):
        qwen.file(name, f"text of {name}\n")
    names = "a.md\0-\0b c.md\0gone.md\0"
    result = qwen("map", "-0", "-f", "{}", "-o", "{}.summary", "Sum up", input=names)
    assert (result.status, result.stdout) == (11, b"")
    assert "item 4: cannot read gone.md: No such file or directory" in result.stderr
    files = qwen.files()
    assert {name for name in files if name.endswith(".summary")} == {"a.md.summary", "-.summary", "b c.md.summary"}
    assert files["-.summary"] == b"text of -\n\nSum up\n"


def test_a_failing_item_leaves_its_file_as_it_was(qwen: Program, api: ApiServer) -> None:
    api.always(reply(error(400), status=400))
    qwen.file("x.out", "old")
    assert qwen("map", "-o", "{}.out", "{}", input="x\n").status == 11
    assert qwen.files() == {"x.out": b"old"}


def test_one_file_for_all_answers_is_refused(qwen: Program) -> None:
    result = qwen("map", "-o", "answers", "{}", input="x\n")
    assert result.status == 2
    assert "-o needs {}" in result.message


@pytest.mark.parametrize("words", [["-"], ["-f", "-"], ["--messages", "@-"]], ids=" ".join)
def test_standard_input_is_for_the_items(qwen: Program, words: list[str]) -> None:
    result = qwen("map", *words, input="x\n")
    assert result.status == 2
    assert "cannot both read standard input" in result.message


def test_lines_are_escaped_as_jq_does(qwen: Program, api: ApiServer) -> None:
    jq = require_tool("jq")
    texts = ["a\tb", "c\nd\n\ne", "f\r\ng", "h\\i\\n", "j\u2028k", "é😀", '"quoted"']
    api.answer(*(reply(completion(text)) for text in texts))
    result = qwen("map", "-P", "1", input="x\n" * len(texts))
    expected = subprocess.run(
        [jq, "-r", "[.] | @tsv"], input="".join(map(json.dumps, texts)).encode(), stdout=PIPE, check=True
    )
    assert result.stdout == expected.stdout


def test_with_nul_answers_are_raw(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    assert qwen("map", "-0", "{}", input="a\nb\0c\\d\0\0e").stdout == b"a\nb\0c\\d\0\0e\0"


def test_a_blank_item_is_not_sent_and_its_line_is_empty(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    result = qwen("map", "Say {}", input="a\n\n  \nb\n")
    assert (result.text, result.status) == ("Say a\n\n\nSay b\n", 0)
    assert prompts(api) == ["Say a", "Say b"]
    first, blank, _, _ = records(qwen("map", "--json", "{}", input="a\n\n  \nb\n").text)
    assert (first["status"], first["content"], blank["status"], blank["content"]) == (0, "a", 0, None)


def test_a_record_says_all_that_is_known(qwen: Program, api: ApiServer) -> None:
    api.answer(
        reply(completion("one", reasoning="because")),
        reply(error(400, "no"), status=400),
        reply(completion(None, tool_calls=[tool_call()], finish_reason="tool_calls")),
    )
    one, two, three = records(qwen("map", "-P", "1", "--json", input="a\nb\nc\n").text)
    assert one == {
        "index": 1,
        "input": "a",
        "status": 0,
        "content": "one",
        "value": None,
        "reasoning": "because",
        "tool_calls": None,
        "finish_reason": "stop",
        "usage": one["usage"],
        "usd_spent": 0.00013,
        "cached": False,
        "error": None,
    }
    assert one["usage"]["total_tokens"] == 53
    assert (two["index"], two["status"], two["content"]) == (2, 4, None)
    assert "HTTP 400: no" in two["error"]
    assert three["tool_calls"] == [{"id": "call_1", "name": "weather", "arguments": {"city": "Paris"}}]


def test_a_record_may_be_nested_as_deep_as_what_was_read(qwen: Program, api: ApiServer) -> None:
    deep = json.loads('{"a":' * 480 + "1" + "}" * 480)
    api.answer(reply(completion("Hello.", usage=deep)))
    result = qwen("map", "--json", "--jsonl", "{p}", input=f"{json.dumps({'p': 'hi', 'x': deep})}\n")
    (record,) = records(result.text)
    assert (result.status, record["input"]["x"], record["usage"]) == (0, deep, deep)


def test_members_of_an_object_stand_for_their_names(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    lines = '{"name": "Ann", "First name": "x{name}", "n": [1, "é"]}\n'
    assert qwen("map", "--jsonl", "{name}/{First name}/{n}/{ x }/{}", input=lines).text == (
        'Ann/x{name}/[1,"é"]/{ x }/' + lines
    )


def test_a_name_with_a_space_needs_no_quotes(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    assert qwen("map", "--jsonl", "Hello", "{First", "name}", input='{"First name": "Ann"}\n').text == "Hello Ann\n"


def test_an_object_without_a_placeholder_is_asked_as_it_says(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    objects = [
        {"prompt": "P"},
        {"messages": [*messages, {"role": "user", "content": "M"}]},
        {"prompt": "Q"} | {"messages": messages},
    ]
    result = qwen("map", "--jsonl", "-P", "1", input="".join(f"{json.dumps(each)}\n" for each in objects))
    assert result.text == "P\nM\nQ\n"
    assert [len(request.json["messages"]) for request in api.requests] == [1, 3, 3]


def test_what_cannot_be_understood_fails_alone(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    lines = b'{"a": "1"}\n{"b": 2}\n[1]\nnot json\n{"a": "\xff"}\n{"a": "6"}\n'
    result = qwen("map", "--jsonl", "-P", "1", "{a}", input=lines)
    assert (result.text, result.status) == ("1\n\n\n\n\n6\n", 11)
    for message in (
        "item 2: it has no member 'a'",
        "item 3: it is not a JSON object",
        "item 4: it is not JSON",
        "item 5: it is not UTF-8: byte 0xff at offset 7",
        "4 of 6 items failed: 4 with status 7",
    ):
        assert message in result.stderr
    assert prompts(api) == ["1", "6"]


def test_a_line_beyond_all_measure_fails_alone_and_is_not_kept(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    result = qwen("map", "{}", input=b"a\n" + b"x" * (100 << 20) + b"\nb\n", timeout=60)
    assert (result.text, result.status) == ("a\n\nb\n", 11)
    assert "item 2: it is larger than 64 MiB" in result.stderr
    assert result.peak_memory < 300 << 20


def test_the_tenth_failure_of_a_kind_is_the_last_one_reported(qwen: Program, api: ApiServer) -> None:
    api.always(reply(error(400), status=400))
    result = qwen("map", input="x\n" * 50)
    assert result.status == 11
    assert result.stderr.count("item ") == 10
    assert "50 of 50 items failed: 50 with status 4" in result.stderr


def test_nothing_is_said_of_items_not_sent_where_all_were(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(error(401, "no"), status=401))
    assert "not sent" not in qwen("map", input="x\n").message


def test_items_may_be_typed_and_no_progress_is_drawn_between_them(qwen: Program, api: ApiServer) -> None:
    api.always(echoing(lambda _: 0.2))
    with qwen.start("map", terminal=TERMINAL) as running:
        running.wait_for(b"Control-D", "terminal")
        running.type(b"a\n\x04")
        result = running.finish()
    assert result.status == 0
    assert b"done" not in result.terminal


def test_a_dead_server_ends_the_run(qwen: Program, api: ApiServer) -> None:
    api.always([RESET])
    result = qwen("map", "-P", "4", input="x\n" * 10_000)
    assert result.status == 6
    assert len(api.requests) < 12
    assert int(result.stderr.splitlines()[-1].rpartition("; ")[2].split()[0]) > 9_980


def test_usage_is_printed_once_for_all(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    assert (
        "33 prompt + 126 completion (90 reasoning) = 159 tokens, 0.00039 USD"
        in qwen("map", "-u", input="a\nb\nc\n").message
    )


def test_a_preview_sends_nothing(qwen: Program) -> None:
    result = qwen("map", "--dry-run", "Say {}", input="a\nb\\\n", env={"AIMLAPI_API_KEY": None})
    assert [record["messages"][0]["content"] for record in records(result.text)] == ["Say a", "Say b\\"]


def test_a_preview_goes_where_the_answer_would(qwen: Program) -> None:
    result = qwen("map", "--dry-run", "--json", "-o", "{}.json", "Say {}", input="a\n")
    assert (result.text, result.status) == ("", 0)
    assert json.loads(qwen.files()["a.json"])["messages"][0]["content"] == "Say a"


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
    assert qwen("map", "-P", "4", input="x\n" * 100).status == 0
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


def test_a_reader_that_leaves_ends_it(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    result = qwen("map", script='{ "$@"; echo $? >status; } | head -3', input="x\n" * 100_000)
    assert result.text == "x\nx\nx\n"
    assert qwen.files()["status"] == b"141\n"
    assert len(api.requests) < 10_000


def test_a_pipe_that_nobody_reads_for_a_while_loses_nothing(qwen: Program, api: ApiServer) -> None:
    long = "y" * 5000
    api.always(lambda request: reply(completion(asked(request) + long)))
    lines = "".join(f"{n}\n" for n in range(1500))
    result = qwen("map", script='"$@" | (sleep 1; cat)', input=lines)
    assert result.text == lines.replace("\n", f"{long}\n")


def test_limits_of_the_service_are_waited_for(qwen: Program) -> None:
    """200 items at 64 at once, against 20 requests a second."""
    qwen.file("lines", "".join(f"{n}\n" for n in range(200)))
    script = '"$@" map -P 64 <lines >answers; status=$?; "$@" cost --period 1h --json >usage; exit $status'
    result = qwen(script=f'"$@" sandbox --rate 20 -- sh -c \'{script}\' sh "$@"', timeout=60)
    assert result.status == 0, result.stderr
    assert qwen.files()["answers"].count(b"\n") == 200
    assert result.seconds < 12
    usage = json.loads(qwen.files()["usage"])
    assert usage["requests"] == 200


@pytest.mark.parametrize("status", [429, 503])
def test_a_storm_of_refusals_settles(qwen: Program, api: ApiServer, status: int) -> None:
    """Without a word on how long to wait, and more of them than --retries allows for one request."""
    api.answer(*[reply(error(status), status=status)] * 20)
    api.always(echo)
    result = qwen("map", "-P", "8", "--retries", "0", input="x\n" * 100, timeout=120)
    assert (result.status, result.text) == (0, "x\n" * 100)
    assert "requests again: HTTP" in result.message
    assert "raise --retries" not in result.message


def test_a_limit_that_never_ends_stops_the_run(qwen: Program, api: ApiServer) -> None:
    api.always(reply(error(429, "used up"), status=429))
    result = qwen("map", "--timeout", "1", input="x\n" * 100)
    assert result.status == 5
    assert "used up" in result.stderr.splitlines()[-1]


def test_progress_stays_while_answers_go_to_a_file(qwen: Program, api: ApiServer) -> None:
    api.always(echoing(lambda _: 0.03))
    with open(qwen.file("lines", "a\n" * 20), "rb") as lines, open(qwen.file("answers"), "wb") as answers:
        result = qwen("map", "-P", "1", input=lines, stdout=answers, terminal=["stderr"])
    erased, *drawn, end = result.terminal.decode().split("\r\x1b[2K")
    assert (erased, end) == ("", "")
    assert len(drawn) > 2
    assert all("of 20 done" in figures for figures in drawn)


def test_progress_is_below_the_answers_on_a_terminal(qwen: Program, api: ApiServer) -> None:
    api.always(echoing(lambda _: 0.03))
    with open(qwen.file("lines", "a\n" * 20), "rb") as lines:
        result = qwen("map", "-P", "1", input=lines, terminal=["stdout", "stderr"])
    *shown, end = result.terminal.decode().split("\n")
    assert [each.rpartition("\x1b[2K")[2].strip("\r") for each in shown] == ["a"] * 20
    assert sum("of 20 done" in each for each in shown) > 2
    assert end.endswith("\r\x1b[2K") or not end


def test_progress_is_shown_on_a_terminal_and_gone_at_the_end(qwen: Program, api: ApiServer) -> None:
    api.always(echoing(lambda _: 0.3))
    with open(qwen.file("lines", "a\nb\n"), "rb") as lines:
        result = qwen("map", "-P", "1", input=lines, terminal=["stdout", "stderr"])
    shown = result.terminal.decode()
    assert "1 of 2 done" in shown
    assert "USD" in shown
    assert "left" in shown
    assert [line.rpartition("\x1b[2K")[2].strip("\r") for line in shown.split("\n")] == ["a", "b", ""]


@pytest.mark.parametrize("options", [("-q",), ()], ids=["quiet", "dumb"])
def test_no_progress_where_it_is_not_wanted(qwen: Program, api: ApiServer, options: tuple[str, ...]) -> None:
    api.always(echoing(lambda _: 0.2))
    term = {} if options else {"TERM": "dumb"}
    assert qwen("map", *options, input="a\n", terminal=["stderr"], env=term).terminal == b""


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

    few, many = peak(200), peak(4000)
    assert many < 1.2 * few
