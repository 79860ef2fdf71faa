"""`map --csv`: a table in, the same table with the answers out."""

import csv
import io
import json
import signal
import threading
from collections.abc import Sequence
from subprocess import PIPE

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_cli.map.items import split
from qwen_cli.map.table import Table, read_records
from tests.api_server import ApiServer, Request, Step, reply
from tests.bodies import completion, error
from tests.echo import asked, echo
from tests.program import Program, wait_until

SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"kind": {"type": "string"}, "urgent": {"type": "boolean"}, "tags": {"type": "array"}},
        "required": ["kind"],
    }
)


def table(text: str | bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text if isinstance(text, str) else text.decode(), newline="")))


def test_the_table_is_printed_as_it_came_with_the_answers_in_a_column(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    lines = 'id,first name,"body"\n1,Ann,"Hello, ""you"""\n2,Bob,"two\nlines"\n"3",,plain\n'
    result = qwen("map", "--csv", "{first name}: {body}", input=lines)
    assert (result.status, result.stderr) == (0, "")
    assert result.text == (
        'id,first name,"body",answer\n'
        '1,Ann,"Hello, ""you""","Ann: Hello, ""you"""\n'
        '2,Bob,"two\nlines","Bob: two\nlines"\n'
        '"3",,plain,: plain\n'
    )


def test_a_byte_order_mark_is_dropped_and_line_ends_are_kept(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    result = qwen.call("map", "--csv", "{id}", input=b'\xef\xbb\xbf"id",x\r\n1,\r\n2,b')
    assert result.stdout == b'"id",x,answer\r\n1,,1\r\n2,b,2\r\n'


def test_a_schema_makes_a_column_for_each_property(qwen: Program, api: ApiServer) -> None:
    answers = {"a": '{"kind": "x, y", "urgent": true, "tags": ["é", 1]}', "b": '{"kind": "z"}', "c": "no JSON"}
    api.always(lambda request: reply(completion(answers[asked(request)])))
    result = qwen.call("map", "--csv", "--schema", SCHEMA, "{id}", input="id\na\nb\nc\n")
    assert result.status == 11
    assert "item 3: the answer is not JSON" in result.stderr
    assert table(result.text) == [
        ["id", "kind", "urgent", "tags"],
        ["a", "x, y", "true", '["é",1]'],
        ["b", "z", "", ""],
        ["c", "", "", ""],
    ]


def test_a_choice_goes_into_the_column_answer(qwen: Program, api: ApiServer) -> None:
    api.always(reply(completion('{"choice":"spam"}')))
    result = qwen.call("map", "--csv", "--choice", "spam", "--choice", "ham", "{id}", input="id\n1\n")
    assert result.text == "id,answer\n1,spam\n"


def test_the_whole_record_is_asked_about_as_json(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    assert table(qwen.call("map", "--csv", "Is {} new?", input="id,name,\n1,Ann,x\n").stdout)[1][3] == (
        'Is {"id":"1","name":"Ann"} new?'
    )


def test_without_a_placeholder_the_record_comes_last(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    result = qwen.call("map", "--csv", "--json", "Classify:", input="id,name,\n1,Ann,x\n")
    assert asked(api.requests[0]) == 'Classify:\n\n{"id":"1","name":"Ann"}'
    assert json.loads(result.text)["input"] == {"id": "1", "name": "Ann"}


@pytest.mark.parametrize(
    ("lines", "arguments", "status", "message"),
    [
        ("id,name\n1,x\n", ["{nmae}"], 2, "the table has no column 'nmae'; it has id, name"),
        ("id\n1\n", ["-o", "{no}.txt", "{id}"], 2, "the table has no column 'no'; it has id"),
        ("id,answer\n1,x\n", ["{id}"], 2, "the table has a column 'answer' already; rename it"),
        ("kind,id\n1,x\n", ["--schema", SCHEMA, "{id}"], 2, "the table has a column 'kind' already; rename it"),
        ("id, id\n1,x\n", ["{id}"], 2, "the table has two columns 'id'"),
        ("", ["{id}"], 7, "standard input is empty: a table begins with a header"),
        (b"caf\xe9\n1\n", ["{}"], 7, "the header of the table is not UTF-8: byte 0xe9 at offset 3"),
        ("\nid\n1\n", ["{id}"], 7, "the first line is blank: a table begins with a header"),
        (" , \n1,2\n", ["x"], 7, "the first line is blank: a table begins with a header"),
        ('"id\n1\n', ["{id}"], 7, "the header of the table: a quote is opened and never closed"),
        ("id\n1\n", ["--jsonl", "{id}"], 2, "--jsonl and --csv cannot be combined"),
        ("id\n1\n", ["-0", "{id}"], 2, "--null and --csv cannot be combined"),
    ],
)
def test_what_cannot_be_a_table_is_reported_before_anything_is_sent(
    qwen: Program, api: ApiServer, lines: str | bytes, arguments: list[str], status: int, message: str
) -> None:
    result = qwen.call("map", "--csv", *arguments, input=lines)
    assert (result.status, result.stdout) == (status, b"")
    assert result.message.startswith(message)
    assert not api.requests


def test_a_flawed_record_fails_alone_and_names_its_line(qwen: Program, api: ApiServer) -> None:
    """Its cells are there as they were, so that the table can be mended and run again."""
    api.always(echo)
    lines = b'id,body\n1,"a\nb"\n2\n3,x,y\n4,"z" z\n5,\xff\n6,ok\n'
    result = qwen.call("map", "--csv", "{body}", input=lines)
    assert result.status == 11
    assert result.stderr.splitlines()[:-1] == [
        "qwen-cli: item 2: its number of values is 1, and of columns 2 (line 4)",
        "qwen-cli: item 3: its number of values is 3, and of columns 2 (line 5)",
        "qwen-cli: item 4: a quoted value is followed by other text (line 6)",
        "qwen-cli: item 5: it (line 7) is not UTF-8: byte 0xff at offset 2; pipe it through 'iconv -f WINDOWS-1252 -t"
        " UTF-8', if that is its encoding",
    ]
    expected = b'id,body,answer\n1,"a\nb","a\nb"\n2,\n3,x,y,\n4,"z" z,\n5,\xff,\n6,ok,ok\n'
    assert result.stdout == expected


def test_blank_records_are_not_sent(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    result = qwen.call("map", "--csv", "{b}", input="a,b\n, \n\n1,2\n")
    assert (result.status, result.text) == (0, "a,b,answer\n, ,\n\n1,2,2\n")
    assert len(api.requests) == 1


def test_each_answer_can_go_into_a_file_named_by_a_column(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    result = qwen.call("map", "--csv", "-o", "{id}.txt", "{body}", input="id,body\na,1\n../b,2\n")
    assert (result.status, result.stdout) == (11, b"")
    assert "its id cannot be a part of a file's name: '../b'" in result.stderr
    assert qwen.files()["a.txt"] == b"1\n"


def test_a_file_that_is_read_line_by_line_gets_one_note(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    with open(qwen.file("people.CSV", "a,b\n1,2\n"), "rb") as lines:
        result = qwen("map", "{}", input=lines)
    assert result.text == "a,b\n1,2\n"
    assert result.message == "the lines of people.CSV are taken as they are: --csv reads it as a table"
    with open(qwen.cwd / "people.CSV", "rb") as lines:
        assert qwen("map", "--csv", "{b}", input=lines).stderr == ""


def test_progress_counts_records_not_lines(qwen: Program, api: ApiServer) -> None:
    api.always(lambda request: (0.3, *echo(request)))
    with open(qwen.file("t.csv", 'a\n"1\n2\n3"\n4\n'), "rb") as lines:
        result = qwen("map", "-P", "1", "--csv", "{a}", input=lines, terminal=["stderr"])
    assert b"1 of 2 done" in result.terminal


def test_records_are_answered_as_they_come(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    with qwen.start("map", "--csv", "{a}", input=PIPE) as running:
        running.write(b"a,b\n")
        running.wait_for(b"a,b,answer\n")
        running.write(b'"1\n')
        running.write(b'2",\n')
        running.wait_for(b'"1\n2",,"1\n2"\n')
        running.close_input()
        result = running.finish()
    assert (result.status, result.text) == (0, 'a,b,answer\n"1\n2",,"1\n2"\n')


def test_a_column_may_have_any_name(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    result = qwen.call("map", "--csv", 'Is {# of items} {$} in {"a": 1} { }?', input="# of items,$\n3,x\n")
    assert table(result.stdout)[1] == ["3", "x", 'Is 3 x in {"a": 1} { }?']


def test_the_terminal_is_told_before_it_is_read(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    with qwen.start("map", "--csv", "{a}", terminal=["stdin", "stderr"]) as running:
        running.wait_for(b"reading standard input from the terminal; end it with Control-D", "terminal")
        running.type(b"a\n1\n\x04")
        assert running.finish().stdout == b"a,answer\n1,1\n"


def test_what_an_interrupt_leaves_unanswered_keeps_its_record(qwen: Program, api: ApiServer) -> None:
    release = threading.Event()
    api.always(lambda request: (release, *echo(request)) if asked(request) == "2" else echo(request))
    with qwen.start("map", "-P", "2", "--csv", "{id}", input="id,x\n1,a\n2,b\n3,c\n") as running:
        wait_until(lambda: len(api.requests) == 3, "all are sent")
        running.wait_for(b"1,a,1\n")
        running.send(signal.SIGINT)
        result = running.finish()
    release.set()
    assert result.status == 130
    assert result.text == "id,x,answer\n1,a,1\n2,b,\n3,c,3\n"


def test_a_run_is_taken_up_again_with_the_cache(qwen: Program, api: ApiServer) -> None:
    def answer(request: Request) -> Sequence[Step]:
        is_refused = asked(request) == "2" and len(api.requests) < 4
        return reply(error(400), status=400) if is_refused else echo(request)

    api.always(answer)
    lines = "id\n1\n2\n3\n"
    first = qwen("map", "-P", "1", "--csv", "--cache", "kept", "{id}", input=lines)
    assert (first.status, first.text) == (11, "id,answer\n1,1\n2,\n3,3\n")
    second = qwen("map", "-P", "1", "--csv", "--cache", "kept", "{id}", input=lines)
    assert (second.status, second.text) == (0, "id,answer\n1,1\n2,2\n3,3\n")
    assert len(api.requests) == 4


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=5), st.sampled_from(["\n", "\r\n"]))
def test_every_table_comes_out_with_the_cells_that_went_in(rows: list[list[str]], line_end: str) -> None:
    text = io.StringIO(newline="")
    # A carriage return is a part of a cell in quotes only, which older writers leave out.
    has_return = any("\r" in cell for row in rows for cell in row)
    writer = csv.writer(text, lineterminator=line_end, quoting=csv.QUOTE_ALL if has_return else csv.QUOTE_MINIMAL)
    writer.writerows([["a", "b"], *rows])
    records = read_records(split([text.getvalue().encode()], b"\n"))
    head = Table(records)
    written = head.with_columns(["answer"])
    for record in records:
        written += head.with_cells(record, [f"{record.cells[0]}!"])
    assert table(written) == [["a", "b", "answer"], *([*row, f"{row[0]}!"] for row in table(text.getvalue())[1:])]
