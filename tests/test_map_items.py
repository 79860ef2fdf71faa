"""The items of `map`: lines, NUL-ended texts or JSON objects, and where they stand in the prompt."""

import json

import pytest

from tests.api_server import ApiServer, reply
from tests.bodies import completion
from tests.echo import asked, echo, echoing, records
from tests.program import TERMINAL, Program

NESTED = "[" * 300 + "]" * 300


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
    assert qwen.call("map", *arguments, input="x\n").status == 0
    assert asked(api.request) == sent


def test_an_item_is_text_and_nothing_else(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    items = ["--help", "-", "-n", "{}", "{name}", "@file", "a  b", " x ", "\\0"]
    assert qwen.call("map", "<{}>", input="".join(f"{item}\n" for item in items)).status == 0
    assert prompts(api) == sorted(f"<{item}>" for item in items)


@pytest.mark.parametrize("words", [["-"], ["-f", "-"], ["--messages", "@-"]], ids=" ".join)
def test_standard_input_is_for_the_items(qwen: Program, words: list[str]) -> None:
    result = qwen.call("map", *words, input="x\n")
    assert result.status == 2
    assert "cannot both read standard input" in result.message


def prompts(api: ApiServer) -> list[str]:
    return sorted(asked(request) for request in api.requests)


def test_a_blank_item_is_not_sent_and_its_line_is_empty(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    result = qwen.call("map", "Say {}", input="a\n\n  \nb\n")
    assert (result.text, result.status) == ("Say a\n\n\nSay b\n", 0)
    assert prompts(api) == ["Say a", "Say b"]
    first, blank, _, _ = records(qwen.call("map", "--json", "{}", input="a\n\n  \nb\n").text)
    assert (first["status"], first["content"], blank["status"], blank["content"]) == (0, "a", 0, None)


def test_members_of_an_object_stand_for_their_names(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    lines = '{"name": "Ann", "First name": "x{name}", "n": [1, "é"]}\n'
    assert qwen.call("map", "--jsonl", "{name}/{First name}/{n}/{ x }/{}", input=lines).text == (
        'Ann/x{name}/[1,"é"]/{ x }/' + lines
    )


def test_a_name_with_a_space_needs_no_quotes(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    assert (
        qwen.call("map", "--jsonl", "Hello", "{First", "name}", input='{"First name": "Ann"}\n').text == "Hello Ann\n"
    )


def test_an_object_without_a_placeholder_is_asked_as_it_says(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    objects = [
        {"prompt": "P"},
        {"messages": [*messages, {"role": "user", "content": "M"}]},
        {"prompt": "Q"} | {"messages": messages},
    ]
    result = qwen.call("map", "--jsonl", "-P", "1", input="".join(f"{json.dumps(each)}\n" for each in objects))
    assert result.text == "P\nM\nQ\n"
    assert [len(request.json["messages"]) for request in api.requests] == [1, 3, 3]


def test_what_cannot_be_understood_fails_alone(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    lines = b'{"a": "1"}\n{"b": 2}\n[1]\nnot json\n{"a": "\xff"}\n{"a": "6"}\n'
    result = qwen.call("map", "--jsonl", "-P", "1", "{a}", input=lines)
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


def test_items_may_be_typed_and_no_progress_is_drawn_between_them(qwen: Program, api: ApiServer) -> None:
    api.always(echoing(lambda _: 0.2))
    with qwen.start("map", terminal=TERMINAL) as running:
        running.wait_for(b"Control-D", "terminal")
        running.type(b"a\n\x04")
        result = running.finish()
    assert result.status == 0
    assert b"done" not in result.terminal


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


def test_without_a_placeholder_or_a_prompt_the_object_is_asked_about(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    assert qwen.call("map", "--jsonl", input='{"a": 1}\r\n').text == '{"a": 1}\n'
    assert qwen.call("map", "--jsonl", "Describe:", input='{"a": 1}\n').text == 'Describe:\\n\\n{"a": 1}\n'


def test_doubled_braces_are_braces(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    line = qwen("map", "--jsonl", 'Say {{"{a}"}} {{}} {{a}}', input='{"a": "x}}"}\n').text
    assert line == 'Say {"x}}"} {} {a}\n'
    assert qwen("map", "{{}} }}", input="x\n").text == "{x} }}\n", (
        "they are text where only the line can stand for itself"
    )


def test_a_carriage_return_ends_a_line_but_no_nul_ended_item(qwen: Program, api: ApiServer) -> None:
    api.always(echo)
    assert qwen.call("map", "<{}>", input="a\r\nb\rc\r\nd\r").text == "<a>\n<b\\rc>\n<d>\n"
    assert qwen.call("map", "-0", "<{}>", input="a\r\n\0b\n\0").stdout == b"<a\r\n>\0<b\n>\0"


def test_an_answer_with_a_nul_fails_where_nul_ends_answers(qwen: Program, api: ApiServer) -> None:
    api.always(lambda request: reply(completion("x\0y" if asked(request) == "a" else "z")))
    result = qwen.call("map", "-0", input="a\0b\0")
    assert (result.status, result.stdout) == (11, b"\0z\0")
    assert "item 1: the answer contains a NUL, which would end it" in result.stderr
    assert qwen.call("map", input="a\n").stdout == b"x\0y\n"


# Files of answers


# Few of everything


# A service that refuses
