"""`--choice`: one of a few answers, printed exactly."""

import pytest

from tests.api_server import ApiServer, events, reply
from tests.bodies import chunks, completion
from tests.program import Program


@pytest.mark.parametrize("content", ['{"choice": "ham"}', "ham", ' "ham".\n', "'ham'", "Ham"])
@pytest.mark.parametrize("command", ["ask", "stream"])
def test_the_choice_is_printed_exactly(qwen: Program, api: ApiServer, command: str, content: str) -> None:
    api.answer(events(chunks(content)) if command == "stream" else reply(completion(content)))
    result = qwen.call(command, "--choice", "spam", "--choice", "ham", "hi")
    assert (result.status, result.text) == (0, "ham\n")


def test_a_choice_in_another_case_is_that_choice_in_any_alphabet(qwen: Program, api: ApiServer) -> None:
    """Some letters have another form in capitals, and no small one that differs."""
    api.answer(reply(completion("STRASSE.")))
    result = qwen.call("ask", "--choice", "straße", "--choice", "weg", "hi")
    assert (result.status, result.text) == (0, "straße\n")


def test_a_choice_that_only_differs_in_case_from_another_has_to_be_spelled_like_itself(
    qwen: Program, api: ApiServer
) -> None:
    api.answer(reply(completion("HAM.")), reply(completion("hAM")))
    flags = ("--choice", "Ham", "--choice", "HAM")
    assert qwen.call("ask", *flags, "hi").text == "HAM\n"
    assert qwen.call("ask", *flags, "hi").status == 9


def test_a_choice_may_hold_the_signs_that_may_surround_it(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion(" Yes!\n")))
    assert qwen.call("ask", "--choice", "Yes", "--choice", "Yes!", "hi").text == "Yes!\n"


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
