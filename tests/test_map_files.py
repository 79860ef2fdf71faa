"""`map -o`: a file for each answer."""

import json

from tests.api_server import ApiServer, reply
from tests.bodies import error
from tests.echo import echo
from tests.program import Program


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


def test_a_preview_goes_where_the_answer_would(qwen: Program) -> None:
    result = qwen("map", "--dry-run", "--json", "-o", "{}.json", "Say {}", input="a\n")
    assert (result.text, result.status) == ("", 0)
    assert json.loads(qwen.files()["a.json"])["messages"][0]["content"] == "Say a"
