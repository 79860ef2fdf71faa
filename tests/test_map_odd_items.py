"""Items of `map` that are odd, or meet odd conditions: each fails alone, or not at all."""

import json
import resource
import threading
from collections.abc import Sequence
from subprocess import PIPE

import pytest

from tests.api_server import ApiServer, Request, Step, reply
from tests.bodies import completion, error
from tests.program import Program, wait_until
from tests.test_map import asked, echo, records

NESTED = "[" * 300 + "]" * 300


def test_an_item_that_no_validator_survives_fails_alone(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    lines = f'{{"messages": {NESTED}}}\n{{"messages": [{{"role": "user", "content": {NESTED}}}]}}\n{{"prompt": "hi"}}\n'
    result = qwen("map", "--jsonl", input=lines)
    assert (result.status, result.text) == (11, "\n\nhi\n")
    assert "2 of 3 items failed: 2 with status 7" in result.stderr
    assert result.stderr.count("nested too deeply") == 2


def test_an_answer_that_no_validator_survives_fails_alone(qwen: Program, api: ApiServer) -> None:
    api.always(lambda request: reply(completion("[" * 1000 + "]" * 1000 if asked(request) == "deep" else "[1]")))
    result = qwen("map", "--schema", '{"type": "array"}', input="deep\nflat\n")
    assert (result.status, result.text.splitlines()[1]) == (11, "[1]")
    assert "1 with status 9" in result.stderr


def test_a_defect_in_one_item_is_that_items_failure(qwen: Program, api: ApiServer) -> None:
    """Whatever else goes wrong while an item is processed: here, the stack is too small for what the template nests."""
    api.always(echo)
    qwen.file("sitecustomize.py", DEFECT)
    result = qwen("map", input="fine\nbroken\nfine\n", env={"PYTHONPATH": str(qwen.cwd)})
    assert (result.status, result.text) == (11, "fine\n\nfine\n")
    first, summary = result.stderr.splitlines()
    assert first.startswith("qwen-cli: item 2: internal error, please report it: ZeroDivisionError at ")
    assert summary == "qwen-cli: 1 of 3 items failed: 1 with status 1"


DEFECT = """
import qwen_cli.map.items as items

parse = items.parse_line
items.parse_line = lambda number, data: 1 / 0 if b"broken" in data else parse(number, data)
"""


def test_without_a_placeholder_or_a_prompt_the_object_is_asked_about(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    assert qwen("map", "--jsonl", input='{"a": 1}\r\n').text == '{"a": 1}\n'
    assert qwen("map", "--jsonl", "Describe:", input='{"a": 1}\n').text == 'Describe:\\n\\n{"a": 1}\n'


def test_doubled_braces_are_braces(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    line = qwen("map", "--jsonl", 'Say {{"{a}"}} {{}} {{a}}', input='{"a": "x}}"}\n').text
    assert line == 'Say {"x}}"} {} {a}\n'
    assert qwen("map", "{{}} }}", input="x\n").text == "{x} }}\n", (
        "they are text where only the line can stand for itself"
    )


def test_a_carriage_return_ends_a_line_but_no_nul_ended_item(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    assert qwen("map", "--json", input="a\r\nb\r").text.count('"content":"a"') == 1
    assert [asked(request) for request in api.requests] == ["a", "b"]
    assert qwen("map", "-0", input="a\r\n\0b\n\0").stdout == b"a\r\0b\0"
    assert [asked(request) for request in api.requests[2:]] == ["a\r\n", "b\n"]


def test_an_answer_with_a_nul_fails_where_nul_ends_answers(qwen: Program, api: ApiServer) -> None:
    api.always(lambda request: reply(completion("x\0y" if asked(request) == "a" else "z")))
    result = qwen("map", "-0", input="a\0b\0")
    assert (result.status, result.stdout) == (11, b"\0z\0")
    assert "item 1: the answer contains a NUL, which would end it" in result.stderr
    assert qwen("map", input="a\n").stdout == b"x\0y\n"


# Files of answers


@pytest.mark.parametrize("name", ["../up", "a/b", "/abs", "..", ".", ""])
def test_a_member_leads_to_no_other_folder(qwen: Program, api: ApiServer, name: str) -> None:
    api.always(echo)
    lines = json.dumps({"id": name, "prompt": "x"}) + "\n" + json.dumps({"id": "ok", "prompt": "y"}) + "\n"
    result = qwen("map", "--jsonl", "-o", "{id}", input=lines)
    assert (result.status, qwen.files()) == (11, {"ok": b"y\n"})
    assert "item 1: its id cannot be a part of a file's name" in result.stderr
    assert len(api.requests) == 1


def test_two_items_with_one_file_are_noticed_before_the_second_is_sent(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    result = qwen("map", "-P", "1", "-o", "{}.txt", "{}", input="a\n./a\na\nb\n")
    assert (result.status, result.stdout) == (11, b"")
    assert len(api.requests) == 3
    assert "item 3: another item's answer goes into a.txt already" in result.stderr
    assert qwen.files()["b.txt"] == b"b\n"


def test_a_file_that_was_not_written_may_be_anothers(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(error(400), status=400), reply(completion("second")))
    result = qwen("map", "-P", "1", "-o", "{}.txt", "{}", input="a\na\n")
    assert (result.status, qwen.files()) == (11, {"a.txt": b"second\n"})


def test_an_answer_whose_file_cannot_be_written_is_printed(qwen: Program, api: ApiServer) -> None:
    def answer(request: Request) -> Sequence[Step]:
        if asked(request) == "Say a":
            (qwen.cwd / "out").rmdir()
        return echo(request)

    (qwen.cwd / "out").mkdir()
    api.always(answer)
    result = qwen("map", "-P", "1", "-o", "out/{}", "Say {}", input="a\n")
    assert (result.status, result.text) == (11, "Say a\n")
    assert "item 1: cannot write out/a: No such file or directory" in result.stderr


# Few of everything


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


# A service that refuses


def test_an_item_that_is_refused_while_others_are_answered_is_given_up_alone(qwen: Program, api: ApiServer) -> None:
    def answer(request: Request) -> Sequence[Step]:
        return reply(error(503), status=503) if asked(request) == "bad" else echo(request)

    api.always(answer)
    result = qwen("map", "-P", "4", input="bad\n" + "x\n" * 400)
    assert (result.status, result.text) == (11, "\n" + "x\n" * 400)
    assert "item 1: HTTP 503" in result.stderr
    assert "1 of 401 items failed: 1 with status 5" in result.stderr


def test_patience_begins_with_the_first_refusal_not_with_the_last_answer(qwen: Program, api: ApiServer) -> None:
    """A quiet input is no refusing service: one 429 after a silence longer than --timeout is waited for."""
    api.answer(
        reply(completion("a")), reply(error(429), status=429, headers={"retry-after": 0}), reply(completion("b"))
    )
    with qwen.start("map", "--timeout", "1", input=PIPE) as running:
        running.write(b"a\n")
        running.wait_for(b"a\n")
        silence = threading.Event()
        silence.wait(1.5)
        running.write(b"b\n")
        running.close_input()
        result = running.finish()
    assert (result.status, result.text) == (0, "a\nb\n")


def test_a_failure_among_records_has_its_record(qwen: Program, api: ApiServer) -> None:
    api.always(lambda request: reply(error(400), status=400) if asked(request) == "b" else echo(request))
    found = records(qwen("map", "--json", input="a\nb\nc\n").text)
    assert [(record["index"], record["status"], record["content"]) for record in found] == [
        (1, 0, "a"),
        (2, 4, None),
        (3, 0, "c"),
    ]


def test_an_answer_comes_out_while_a_later_one_is_awaited(qwen: Program, api: ApiServer) -> None:
    release = threading.Event()
    api.always(lambda request: (release, *echo(request)) if asked(request) == "slow" else echo(request))
    with qwen.start("map", input="fast\nslow\n") as running:
        running.wait_for(b"fast\n")
        wait_until(lambda: len(api.requests) == 2, "both are sent")
        release.set()
        assert running.finish().text == "fast\nslow\n"
