"""`map -o`: a file for each answer."""

import json
from collections.abc import Sequence

import pytest

from tests.api_server import ApiServer, Request, Step, reply
from tests.bodies import completion, error
from tests.echo import asked, echo
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
    assert qwen.call("map", "-o", "{}.out", "{}", input="x\n").status == 11
    assert qwen.files() == {"x.out": b"old"}


def test_one_file_for_all_answers_is_refused(qwen: Program) -> None:
    result = qwen.call("map", "-o", "answers", "{}", input="x\n")
    assert result.status == 2
    assert "-o needs {}" in result.message


def test_a_preview_goes_where_the_answer_would(qwen: Program) -> None:
    result = qwen.call("map", "--dry-run", "--json", "-o", "{}.json", "Say {}", input="a\n")
    assert (result.text, result.status) == ("", 0)
    assert json.loads(qwen.files()["a.json"])["messages"][0]["content"] == "Say a"


@pytest.mark.parametrize("name", ["../x", "a/b", "/x", "", ".", ".."], ids=repr)
def test_a_member_does_not_lead_to_another_folder(qwen: Program, api: ApiServer, name: str) -> None:
    api.always(echo)
    (qwen.cwd / "a").mkdir()
    objects = "".join(f"{json.dumps({'name': each})}\n" for each in (name, "fine"))
    result = qwen.call("map", "--jsonl", "-o", "{name}", "Who is {name}?", input=objects)
    assert result.status == 11
    assert f"item 1: its name cannot be a part of a file's name: {name!r}" in result.stderr
    assert [asked(request) for request in api.requests] == ["Who is fine?"]
    assert (qwen.cwd / "fine").read_text() == "Who is fine?\n"


def test_an_item_that_failed_leaves_its_file_to_another(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(error(400), status=400), reply(completion("new")))
    assert qwen.call("map", "-P", "1", "-o", "{}", input="x\nx\n").status == 11
    assert qwen.files() == {"x": b"new\n"}


def test_two_items_with_one_file_are_noticed_before_the_second_is_sent(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    (qwen.cwd / "link.txt").symlink_to("a.txt")
    result = qwen.call("map", "-P", "1", "-o", "{}.txt", "{}", input="a\n./a\na\nlink\nb\n")
    assert (result.status, result.stdout) == (11, b"")
    assert len(api.requests) == 2
    for number, name in ((2, "./a"), (3, "a"), (4, "link")):
        assert f"item {number}: another item's answer goes into {name}.txt already" in result.stderr
    assert qwen.files()["b.txt"] == b"b\n"


def test_an_answer_whose_file_cannot_be_written_is_printed(qwen: Program, api: ApiServer) -> None:
    def answer(request: Request) -> Sequence[Step]:
        if asked(request) == "Say a":
            (qwen.cwd / "out").rmdir()
        return echo(request)

    (qwen.cwd / "out").mkdir()
    api.always(answer)
    result = qwen.call("map", "-P", "1", "-o", "out/{}", "Say {}", input="a\n")
    assert (result.status, result.text) == (11, "Say a\n")
    assert "item 1: cannot write out/a: No such file or directory" in result.stderr
