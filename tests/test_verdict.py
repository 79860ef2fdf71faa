"""The verdict on an answer: what it lacks, and whether it is what was requested."""

import pytest

from qwen_cli.answer.completion import Answer
from qwen_cli.answer.tool_calls import ToolCall
from qwen_cli.answer.verdict import Expectation, judge
from qwen_cli.errors import IncompleteAnswer, ProtocolError, QwenError
from tests.bodies import Json

CALL = ToolCall("call_1", "weather", "{}")
WHOLE = Answer(content="Hello.", has={"content"}, finish_reason="stop")


@pytest.mark.parametrize(
    ("changes", "wanted", "reason"),
    [
        ({}, "content", None),
        ({"finish_reason": "tool_calls"}, "content", None),
        ({"finish_reason": "function_call"}, "content", None),
        ({"finish_reason": "STOP"}, "content", None),
        ({"finish_reason": " End_Turn\n"}, "content", None),
        ({"finish_reason": "LENGTH"}, "content", "raise --max-tokens"),
        ({"finish_reason": "Content_Filter"}, "content", "content filter"),
        ({"finish_reason": "anything else"}, "content", "'anything else'"),
        ({"finish_reason": ""}, "content", "without a finish reason"),
        ({"finish_reason": None}, "content", "without a finish reason"),
        ({"finish_reason": "length"}, "content", "raise --max-tokens"),
        ({"finish_reason": "length", "has": {"reasoning"}}, "content", "before any content"),
        ({"finish_reason": "content_filter"}, "content", "content filter"),
        ({"refusal": "I can't."}, "content", "the model refused: I can't."),
        ({"has": set()}, "content", "has no content"),
        ({}, "reasoning", "has no reasoning"),
        ({"has": {"content", "reasoning"}}, "reasoning", None),
        ({"has": set(), "tool_calls": [CALL]}, "content", None),
        ({"has": set(), "tool_calls": [CALL]}, "reasoning", "has no reasoning"),
        ({"has": set(), "tool_calls": [CALL], "finish_reason": "length"}, "content", "token limit"),
    ],
)
def test_the_verdict_says_what_an_answer_lacks(changes: Json, wanted: str, reason: str | None) -> None:
    found = judge(Answer(**(vars(WHOLE) | changes)), Expectation(wanted)).failure
    if reason is None:
        assert found is None
    else:
        assert isinstance(found, IncompleteAnswer)
        assert reason in str(found)


OBJECT, SCHEMA = {"type": "json_object"}, {"type": "json_schema", "json_schema": {"name": "x"}}


@pytest.mark.parametrize(
    ("content", "response_format", "fits"),
    [
        ("{}", OBJECT, True),
        (' {"a": [1]}\n', OBJECT, True),
        ("[]", OBJECT, False),
        ("7", OBJECT, False),
        ("```json\n{}\n```", OBJECT, True),
        ("```\n{}\n```\n```\n{}\n```", OBJECT, False),
        ("Here it is:\n~~~\n{}\n~~~\nDone.", OBJECT, True),
        ("Here it is: {}", OBJECT, False),
        ("{", OBJECT, False),
        ("", OBJECT, False),
        ('{"a": Infinity}', OBJECT, False),
        ("[" * 100_000, OBJECT, False),
        ("[]", SCHEMA, True),
        ("Sure!", SCHEMA, False),
        ("Sure!", {"type": "text"}, True),
        ("Sure!", None, True),
        ("Sure!", "json_object", True),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_content_is_held_against_the_format_that_was_asked_for(
    content: str, response_format: object, fits: bool
) -> None:
    answer = Answer(content=content, has={"content"}, finish_reason="stop")
    found: QwenError | None = judge(answer, Expectation.of({"response_format": response_format})).failure
    assert (found is None) == fits
    if not fits:
        assert isinstance(found, ProtocolError)
