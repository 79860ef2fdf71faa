"""`filter`: the items for which the answer is yes, byte for byte as they came."""

import os
import signal
from collections.abc import Sequence
from subprocess import PIPE

import pytest

from tests.api_server import ApiServer, Request, Step, reply
from tests.bodies import completion, error
from tests.echo import asked
from tests.program import Program


def says(request: Request) -> Sequence[Step]:
    """Yes where there is a `y` in the item, no where there is an `n`; `!` is refused, `?` gets prose."""
    item = asked(request).rpartition("\n\n")[2]
    if "!" in item:
        return reply(error(400), status=400)
    return reply(completion("I wonder." if "?" in item else '{"choice":"yes"}' if "y" in item else '{"choice":"no"}'))


def test_prints_the_lines_for_which_the_answer_is_yes(qwen: Program, api: ApiServer) -> None:
    api.always(says)
    result = qwen("filter", "Is it?", input="y1\nn2\ny3\n")
    assert (result.status, result.text, result.stderr) == (0, "y1\ny3\n", "")
    body = next(request.json for request in api.requests if "y1" in asked(request))
    assert asked(api.requests[0]).startswith("Is it?\n\n")
    assert body["response_format"]["json_schema"]["schema"]["properties"]["choice"]["enum"] == ["yes", "no"]


@pytest.mark.parametrize(
    ("arguments", "data", "printed"),
    [
        ([], b"y\ty\r\nn\r\n\n  y\\ \ny", b"y\ty\r\n  y\\ \ny"),
        (["--not"], b"y\r\nn\r\nn", b"n\r\nn"),
        (["-0"], b"y\n1\0n\0y\r\n\0y", b"y\n1\0y\r\n\0y"),
        (["--jsonl"], b'{"a": "y"}\n{ "a":1 }\r\n{"b": "y" }', b'{"a": "y"}\n{"b": "y" }'),
        (["--csv"], b'\xef\xbb\xbfa,b\r\n"y",1\r\nx,2\r\n"1\n2","y""y"', b'a,b\r\n"y",1\r\n"1\n2","y""y"'),
    ],
)
def test_bytes_come_out_as_they_went_in(
    qwen: Program, api: ApiServer, arguments: list[str], data: bytes, printed: bytes
) -> None:
    api.always(says)
    result = qwen.call("filter", *arguments, "Is it?", input=data)
    assert (result.status, result.stderr) == (0, "")
    assert result.stdout == printed


def test_placeholders_stand_for_members_and_columns(qwen: Program, api: ApiServer) -> None:
    api.always(says)
    assert qwen.call("filter", "--csv", "{a}", input="a,b\ny,n\nn,y\n").text == "a,b\ny,n\n"
    assert qwen.call("filter", "--jsonl", "{a}", input='{"a":"n","b":"y"}\n{"a":"y"}\n').text == '{"a":"y"}\n'


def test_ends_with_10_if_nothing_was_printed(qwen: Program, api: ApiServer) -> None:
    api.always(says)
    assert (result := qwen.call("filter", "Is it?", input="n\nn\n")).status == 10
    assert (result.stdout, result.stderr) == (b"", "")
    assert qwen.call("filter", "Is it?", input="").status == 10
    assert qwen.call("filter", "--not", "Is it?", input="y\n").status == 10
    assert (result := qwen.call("filter", "--csv", "Is it?", input="a\nn\n")).status == 10
    assert result.text == "a\n"


@pytest.mark.parametrize("arguments", [[], ["--not"]])
def test_an_item_that_fails_is_not_printed_either_way(qwen: Program, api: ApiServer, arguments: list[str]) -> None:
    api.always(says)
    result = qwen.call("filter", *arguments, "Is it?", input=b"y\n!\n?\n\xff\nn\n")
    assert result.status == 11
    assert result.text == ("n\n" if arguments else "y\n")
    assert 'item 3: the answer is none of the choices (yes, no): "I wonder."' in result.stderr
    assert "item 4: it is not UTF-8" in result.stderr
    assert "3 of 5 items failed: 1 with status 4, 1 with status 7, 1 with status 9" in result.stderr


def test_lines_are_printed_while_the_input_goes_on(qwen: Program, api: ApiServer) -> None:
    api.always(says)
    with qwen.start("filter", "Is it?", input=PIPE) as running:
        running.write(b"y1\nn\n")
        running.wait_for(b"y1\n")
        running.write(b"y2\n")
        running.wait_for(b"y1\ny2\n")
        running.close_input()
        result = running.finish()
    assert (result.status, result.text) == (0, "y1\ny2\n")


def test_a_reader_that_has_enough_ends_it(qwen: Program, api: ApiServer) -> None:
    api.always(says)
    reader, writer = os.pipe()
    with qwen.start("filter", "Is it?", input=PIPE, stdout=writer) as running:
        os.close(writer)
        running.write(b"y\n" * 5)
        assert os.read(reader, 1) == b"y"
        os.close(reader)
        assert running.finish().status == 128 + signal.SIGPIPE


def test_the_budget_the_cache_and_asking_again_are_those_of_map(qwen: Program, api: ApiServer) -> None:
    priced = {"meta": {"usage": {"usd_spent": 0.02}}}
    api.answer(reply(completion("hm", **priced)), reply(completion('{"choice":"yes"}', **priced)))
    result = qwen.call(
        "filter", "-P", "1", "--reask", "1", "--max-usd", "0.03", "--cache", "kept", "Is it?", input="a\nb\n"
    )
    assert (result.status, result.text) == (12, "a\n")
    assert result.message == "stopped at --max-usd after 0.04 USD; 1 item was not sent"


def test_a_preview_shows_requests_but_not_by_a_variable(qwen: Program, api: ApiServer) -> None:
    result = qwen.call("filter", "--dry-run", "Is it?", input="a\n")
    assert result.status == 0
    assert '"Is it?\\n\\na"' in result.text
    result = qwen.call("filter", "Is it?", input="a\n", env={"QWEN_CLI_DRY_RUN": "1"})
    assert (result.status, result.stdout) == (2, b"")
    assert "QWEN_CLI_DRY_RUN is set, and 'filter' answers with its status" in result.message
    assert not api.requests


@pytest.mark.parametrize("option", [["--schema", "s.json"], ["--choice", "a"], ["--response-format", "text"], ["-n"]])
def test_what_it_does_not_take_says_why(qwen: Program, option: list[str]) -> None:
    result = qwen.call("filter", *option, "Is it?")
    assert result.status == 2
    assert ("the answer is yes or no" in result.message) == (option != ["-n"])
