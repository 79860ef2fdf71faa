"""`--prompt-file`: a prompt that can be a program, run as one."""

import json
from typing import Unpack

import pytest

from tests.api_server import ApiServer, reply
from tests.bodies import completion
from tests.dry_run import user_message
from tests.program import Options, Program

PROGRAM = "#!/usr/bin/env -S qwen-cli ask --schema s.json --max-tokens 500 --prompt-file\nSummarise this.\n"
SCHEMA = {"type": "object", "additionalProperties": False, "required": [], "properties": {}}


def prompt(qwen: Program, content: str | bytes, *args: str, **options: Unpack[Options]) -> str:
    """The user message that a file of this content makes."""
    qwen.file("prompt", content)
    return str(user_message(qwen, "--prompt-file", "prompt", *args, **options))


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        ("#!/usr/bin/env x\nSummarise.\n", "Summarise."),
        ("#!x\r\n\nSummarise.\n\n", "\nSummarise.\n"),
        ("#!x\n#!y", "#!y"),
        ("Summarise.\n#!x\n", "Summarise.\n#!x"),
        (" #!x\nSummarise.", " #!x\nSummarise."),
        ("# A heading\nSummarise.", "# A heading\nSummarise."),
        ("Summarise.", "Summarise."),
    ],
)
def test_the_first_line_is_dropped_if_it_begins_with_a_hash_and_a_bang(qwen: Program, content: str, kept: str) -> None:
    assert prompt(qwen, content) == kept


def test_it_comes_first(qwen: Program) -> None:
    qwen.file("a.txt", "A\n")
    assert prompt(qwen, "#!x\nP\n", "-f", "a.txt", "words", input="in\n") == "P\n\nA\n\nin\n\nwords"
    assert prompt(qwen, "P", "-f", "-", "words", input="in") == "P\n\nin\n\nwords"


@pytest.mark.parametrize("content", ["", "#!x", "#!x\n", "#!x\n \n\n"])
def test_a_file_without_a_prompt_is_nothing_to_ask(qwen: Program, content: str) -> None:
    qwen.file("prompt", content)
    result = qwen.call("ask", "--prompt-file", "prompt")
    assert (result.status, result.stdout) == (2, b"")
    assert result.message.startswith("nothing to ask")
    assert prompt(qwen, content, "words").endswith("words")


def test_one_that_cannot_be_read_ends_with_7_and_is_named(qwen: Program) -> None:
    result = qwen.call("ask", "--prompt-file", "gone")
    assert (result.status, result.message) == (7, "cannot read gone: No such file or directory")
    qwen.file("odd", b"#!x\nabc\xff")
    result = qwen.call("ask", "--prompt-file", "odd")
    assert (result.status, result.message.partition(";")[0]) == (7, "odd is not UTF-8: byte 0xff at offset 7")


def test_standard_input_is_no_program(qwen: Program) -> None:
    result = qwen("ask", "--prompt-file", "-", input="Summarise.")
    assert (result.status, result.message) == (2, "--prompt-file takes the name of a file; -f - is standard input")


class TestPrograms:
    """Files that are executed, with the program on the PATH."""

    @pytest.fixture(autouse=True)
    def summarise(self, qwen: Program) -> None:
        """A program of the working folder, and what it is used with."""
        qwen.file("summarise", PROGRAM).chmod(0o755)
        qwen.file("s.json", json.dumps(SCHEMA))
        qwen.file("notes.md", "Water boils.\n")

    @pytest.mark.parametrize(
        ("command", "content"),
        [
            ("./summarise <notes.md", "Summarise this.\n\nWater boils."),
            ("cat notes.md | ./summarise", "Summarise this.\n\nWater boils."),
            (
                "./summarise 'only the second half' <notes.md",
                "Summarise this.\n\nWater boils.\n\nonly the second half",
            ),
            ("./summarise -n just 'this line'", "Summarise this.\n\njust this line"),
            ("./summarise -f notes.md", "Summarise this.\n\nWater boils."),
        ],
    )
    def test_take_standard_input_words_and_options(
        self, qwen: Program, api: ApiServer, command: str, content: str
    ) -> None:
        api.answer(reply(completion("{}")))
        result = qwen(script=command)
        assert (result.status, result.text, result.stderr) == (0, "{}\n", "")
        sent = api.request.json
        assert sent["messages"][-1] == {"role": "user", "content": content}
        assert sent["max_tokens"] == 500
        assert sent["response_format"]["json_schema"]["schema"] == SCHEMA

    def test_are_overruled_by_what_they_are_given(self, qwen: Program, api: ApiServer) -> None:
        api.answer(reply(completion("{}")))
        assert qwen(script="./summarise --max-tokens 7 <notes.md").status == 0
        assert api.request.json["max_tokens"] == 7

    def test_end_with_the_status_of_the_answer(self, qwen: Program, api: ApiServer) -> None:
        api.answer(reply(completion("no JSON")))
        result = qwen(script="./summarise <notes.md")
        assert result.status == 9
        assert result.message.startswith("the answer is not JSON")

    @pytest.mark.parametrize("command", ["stream", "json", "cost"])
    def test_may_be_of_any_command_with_a_prompt(self, qwen: Program, command: str) -> None:
        qwen.file("other", f"#!/usr/bin/env -S qwen-cli {command} --dry-run --prompt-file\nP\n").chmod(0o755)
        result = qwen(script="./other words")
        assert result.status == 0
        assert json.loads(result.text)["messages"] == [{"role": "user", "content": "P\n\nwords"}]
