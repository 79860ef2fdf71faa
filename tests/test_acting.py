"""Answers that a script can act on: schema, choice, code, check, asking again, receipts."""

import json

import pytest

from tests.api_server import ApiServer, events, reply
from tests.bodies import chunks, completion
from tests.program import Program, require_tool

SCHEMA = '{"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}, "b/c": {"type": "integer"}}}'


@pytest.mark.parametrize("command", [("ask",), ("stream",), ("json",), ("json", "--stream")], ids=" ".join)
def test_an_answer_that_does_not_fit_the_schema_is_9_and_names_the_place(
    qwen: Program, api: ApiServer, command: tuple[str, ...]
) -> None:
    qwen.file("s.json", SCHEMA)
    content = '{"a": 1, "b/c": "x"}'
    api.answer(events(chunks(content)) if "stream" in command[-1] else reply(completion(content)))
    result = qwen.call(*command, "--schema", "s.json", "hi")
    assert result.status == 9
    assert result.message == (
        'the answer does not fit the schema: /a: 1 is not of type "string"; /b~1c: "x" is not of type "integer"'
    )


def test_two_errors_are_reported_and_the_rest_counted(qwen: Program, api: ApiServer) -> None:
    qwen.file("s.json", '{"items": {"type": "string"}}')
    api.answer(reply(completion("[1, 2, 3, 4]")))
    result = qwen("ask", "--schema", "s.json", "hi")
    assert result.status == 9
    assert result.message.endswith('/1: 2 is not of type "string"; and 2 more')


@pytest.mark.parametrize("draft", ["draft-04/schema#", "draft-06/schema#", "draft-07/schema#"])
def test_older_drafts_and_references_within_the_file_are_known(qwen: Program, api: ApiServer, draft: str) -> None:
    schema = {"$schema": f"http://json-schema.org/{draft}", "$ref": "#/definitions/a"}
    qwen.file("s.json", json.dumps(schema | {"definitions": {"a": {"type": "integer"}}}))
    api.answer(reply(completion("1")), reply(completion('"x"')))
    assert [qwen.call("ask", "--schema", "s.json", "hi").status for _ in range(2)] == [0, 9]


@pytest.mark.parametrize("schema", ['{"type": "strng"}', '{"$ref": "#/$defs/none"}', '{"pattern": "(?=a)b"}'])
def test_a_schema_that_is_none_is_2_and_nothing_is_sent(qwen: Program, api: ApiServer, schema: str) -> None:
    qwen.file("s.json", schema)
    result = qwen.call("ask", "--schema", "s.json", "hi")
    assert (result.status, api.requests) == (2, [])
    assert result.message.startswith("s.json is not a valid JSON Schema: ")


def test_a_remote_reference_is_2_and_never_fetched(qwen: Program) -> None:
    with ApiServer() as elsewhere:
        for target in (elsewhere.base_url, "file:///etc/hostname", "other.json"):
            qwen.file("s.json", json.dumps({"$ref": target}))
            result = qwen("ask", "--schema", "s.json", "hi")
            assert result.status == 2
            assert "not in the file" in result.message
        assert elsewhere.connections == 0


@pytest.mark.parametrize("content", ['{"choice": "ham"}', "ham", ' "ham".\n', "'ham'", "Ham"])
@pytest.mark.parametrize("command", ["ask", "stream"])
def test_the_choice_is_printed_exactly(qwen: Program, api: ApiServer, command: str, content: str) -> None:
    api.answer(events(chunks(content)) if command == "stream" else reply(completion(content)))
    result = qwen.call(command, "--choice", "spam", "--choice", "ham", "hi")
    assert (result.status, result.text) == (0, "ham\n")


def test_no_choice_is_9_and_prints_nothing(qwen: Program, api: ApiServer) -> None:
    qwen.file("out", "old")
    api.answer(reply(completion("eggs or ham")))
    result = qwen("ask", "--choice", "spam", "--choice", "ham", "-o", "out", "hi")
    assert (result.status, result.stdout, qwen.files()["out"]) == (9, b"", b"old")
    assert "spam, ham" in result.message


@pytest.mark.parametrize(
    "flags",
    [["--choice=a"], ["--choice=a", "--choice=a"], ["--choice=a", "--choice=b", "-x"], ["--choice=a", "--choice= "]],
)
def test_choices_that_are_none_are_2(qwen: Program, flags: list[str]) -> None:
    assert qwen.call("ask", *flags, "hi").status == 2


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("So:\n\n```c++\nint x;\n```\n\n```\nother\n```\n", "int x;\n"),
        ("- so\n\n  ~~~c#\n  a\n    ```\n  ~~~\n", "a\n  ```\n"),
        ("````md\n```py\nx\n```\n````\n", "```py\nx\n```\n"),
        ("```py\r\nx\r\ny\r\n```\r\n", "x\ny\n"),
        ("```\nunclosed", "unclosed\n"),
    ],
)
@pytest.mark.parametrize("command", ["ask", "stream"])
def test_the_first_code_block_is_printed(qwen: Program, api: ApiServer, command: str, content: str, code: str) -> None:
    api.answer(events(chunks(content)) if command == "stream" else reply(completion(content)))
    result = qwen.call(command, "-x", "hi")
    assert (result.status, result.text) == (0, code)


def test_no_code_block_is_9(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("No `code`.")))
    result = qwen("ask", "-x", "hi")
    assert (result.status, result.stdout) == (9, b"")


def test_asking_again_says_what_was_wrong_and_adds_up(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("eggs")), reply(completion("spam")))
    result = qwen("ask", "--choice=spam", "--choice=ham", "--reask=2", "-u", "--save", "all.json", "hi")
    assert (result.status, result.text) == (0, "spam\n")
    again, usage = result.stderr.splitlines()
    assert "asking again, 1 of 2" in again
    assert "22 prompt + 84 completion (60 reasoning) = 106 tokens, 0.00026 USD" in usage
    messages = json.loads(api.requests[1].body)["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]
    assert "none of the choices" in messages[-1]["content"]
    assert "responses\t2\n" in qwen("cost", "--saved", "all.json").text


def test_asking_again_repeats_a_lone_surrogate_as_a_replacement_character(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(body=json.dumps(completion("a\ud800b")).encode()), reply(completion("spam")))
    result = qwen("ask", "--choice=spam", "--choice=ham", "--reask=1", "hi")
    assert (result.status, result.text) == (0, "spam\n")
    assert json.loads(api.requests[1].body)["messages"][2]["content"] == "a\ufffdb"


@pytest.mark.parametrize("shell", ["dash", "bash"])
@pytest.mark.parametrize(("word", "said"), [("yes", "yes"), ("no", "no"), ("perhaps", "trouble 9")])
def test_check_answers_a_shell(qwen: Program, api: ApiServer, shell: str, word: str, said: str) -> None:
    api.answer(reply(completion(word)))
    script = 'set -e; if "$@"; then echo yes; else s=$?; [ $s = 10 ] && echo no || echo "trouble $s"; fi'
    result = qwen("check", "hi", script=f"exec {require_tool(shell)} -c '{script}' sh \"$@\"")
    assert result.text == f"{said}\n"
    assert bool(result.stderr) == (word == "perhaps")


@pytest.mark.parametrize("variable", ["QWEN_CLI_DRY_RUN", "QWEN_CLI_CURL"])
def test_check_never_takes_a_preview_for_yes(qwen: Program, variable: str) -> None:
    result = qwen.call("check", "Is it?", env={variable: "1"})
    assert (result.status, result.text) == (2, "")
    assert variable in result.message
    shown = qwen.call("check", "--dry-run", "Is it?", env={variable: "0"})
    assert (shown.status, shown.text[:1]) == (0, "{")


@pytest.mark.parametrize("by_variable", [False, True])
@pytest.mark.parametrize(
    "arguments",
    [
        ("check",),
        ("ask", "--choice", "spam", "--choice", "ham"),
        ("map", "--choice", "spam", "--choice", "ham"),
        ("stream", "--schema", "schema.json"),
        ("json", "--response-format", "json_object"),
    ],
    ids=" ".join,
)
def test_what_is_asked_for_is_what_is_checked(qwen: Program, arguments: tuple[str, ...], by_variable: bool) -> None:
    qwen.file("schema.json", "{}")
    other = 'response_format={"type":"text"}'
    env, flags = ({"QWEN_CLI_FIELD": other}, ()) if by_variable else ({}, ("-F", other))
    result = qwen.call(*arguments, *flags, "Is it?", env=env)
    assert (result.status, result.text) == (2, "")
    assert "response_format" in result.message


def test_a_pattern_takes_linear_time(qwen: Program, api: ApiServer) -> None:
    qwen.file("s.json", '{"type": "string", "pattern": "^(a+)+$"}')
    api.answer(reply(completion(json.dumps("a" * 50_000 + "b"))))
    result = qwen("ask", "--schema", "s.json", "hi")
    assert result.status == 9
    assert len(result.message) < 300


@pytest.mark.parametrize(("word", "status", "made"), [("yes", 0, True), ("no", 2, False)])
def test_a_recipe_of_make_goes_on_after_yes_alone(
    qwen: Program, api: ApiServer, word: str, status: int, made: bool
) -> None:
    require_tool("make")
    qwen.file("Makefile", "target:\n\tqwen-cli check -n hi\n\ttouch target\n")
    api.answer(reply(completion(word)))
    result = qwen("ignored", script="exec make target")
    assert (result.status, "target" in qwen.files()) == (status, made)


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_check_ends_a_while_loop_an_and_list_and_a_careful_script(qwen: Program, api: ApiServer, shell: str) -> None:
    api.answer(*(reply(completion(word)) for word in ("yes", "yes", "no", "yes", "no")))
    script = 'set -e; while "$@"; do echo more; done; "$@" && echo and; "$@"; echo never'
    result = qwen("check", "hi", script=f"exec {require_tool(shell)} -c '{script}' sh \"$@\"")
    assert (result.status, result.text, result.stderr) == (10, "more\nmore\nand\n", "")


@pytest.mark.parametrize(("flag", "status"), [("--code", 9), ("--choice=a", 9), ("--schema=s.json", 0)])
def test_allow_incomplete_never_makes_a_choice_or_code_of_nothing(
    qwen: Program, api: ApiServer, flag: str, status: int
) -> None:
    qwen.file("s.json", SCHEMA)
    api.answer(reply(completion('{"a": ', finish_reason="length")))
    flags = [flag, "--choice=b"] if "choice" in flag else [flag]
    assert qwen.call("ask", "--allow-incomplete", *flags, "hi").status == status


def test_the_receipt_is_kept_of_what_is_refused_and_never_of_nothing(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Half", finish_reason="length")), events(chunks("Hi")), reply({}, status=400))
    assert qwen("ask", "--save", "a.json", "hi").status == 8
    assert qwen("stream", "--save", "b.json", "-x", "hi").status == 9
    assert qwen("ask", "--save", "c.json", "hi").status == 4
    assert set(qwen.files()) == {"a.json", "b.json"}
    assert "responses\t2\n" in qwen("cost", "--saved", "a.json", "b.json").text
    assert qwen("ask", "-o", "./a.json", "--save", "a.json", "hi").status == 2
