"""What is asked of an answer, and whether it is that. No I/O.

The one place where an answer is judged, for every command: first whether it is complete, then whether it holds what was
asked for. Validators and parsers of Markdown are imported by what makes an `Expectation`, and only where it needs them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from qwen_cli.api import json_text
from qwen_cli.api.answer import Answer
from qwen_cli.api.members import kind_of
from qwen_cli.api.tool_calls import check_tool_choice
from qwen_cli.errors import IncompleteAnswer, ProtocolError, QwenError

COMPLETE: Final = ("stop", "tool_calls", "function_call")
"""The finish reasons of a complete answer."""


class UnfitAnswer(ProtocolError):
    """The answer is complete, but not the JSON, the choice or the code that was asked for: asking again may help."""


class Expectation(NamedTuple):
    """What is asked of an answer, made once from the request, before anything is sent."""

    wanted: str = "content"
    """`content`, `reasoning` or `calls`."""
    json_format: str | None = None
    """`json_object` or `json_schema`: the content is to be JSON."""
    find_misfit: Callable[[Any], str | None] | None = None
    """Says of a JSON value how it does not fit the schema; None where it does."""
    choices: Sequence[str] = ()
    find_code: Callable[[str], str | None] | None = None
    """Finds the code in the content, which is what is printed then."""
    tool_choice: Any = None
    allow_incomplete: bool = False

    @property
    def selects(self) -> bool:
        """Whether what is printed is only found in the complete content."""
        return bool(self.choices or self.find_code)

    @property
    def needs_content(self) -> bool:
        """Whether the content has to be kept until it is complete."""
        return self.wanted == "content" and bool(self.selects or self.json_format)

    @classmethod
    def of(cls, request: Mapping[str, Any], **others: Any) -> "Expectation":
        """What the request body itself asks for, and what `others` add."""
        response_format = request.get("response_format")
        kind = response_format.get("type") if isinstance(response_format, dict) else None
        json_format = kind if kind in ("json_object", "json_schema") else None
        return cls(json_format=json_format, tool_choice=request.get("tool_choice"), **others)


class Judgement(NamedTuple):
    """What is printed of an answer, and what is wrong with it."""

    text: str
    failure: QwenError | None = None
    allowed: IncompleteAnswer | None = None
    """Why the answer is not complete, though that is allowed."""

    @property
    def is_good(self) -> bool:
        """Whether the answer is complete and what was asked for."""
        return self.failure is None and self.allowed is None


def judge(answer: Answer, expectation: Expectation) -> Judgement:
    """What the answer comes to: the text to print, and why it is not what was asked for."""
    text: str = getattr(answer, expectation.wanted, "")
    unfit = None
    if expectation.choices:
        text, unfit = _select(find_choice(text, expectation.choices), _no_choice(expectation.choices))
    elif expectation.find_code:
        text, unfit = _select(expectation.find_code(text), "the answer has no fenced code block")
    failure = _incomplete(answer, expectation.wanted) or _lacks(answer, expectation)
    if isinstance(failure, IncompleteAnswer) and expectation.allow_incomplete:
        return Judgement(text, unfit, failure)
    return Judgement(text, failure or unfit or _misfit(text, answer, expectation))


def _select(found: str | None, otherwise: str) -> tuple[str, UnfitAnswer | None]:
    return ("", UnfitAnswer(otherwise)) if found is None else (found, None)


def _incomplete(answer: Answer, wanted: str) -> IncompleteAnswer | None:
    reason = answer.finish_reason
    if answer.refusal:
        return IncompleteAnswer(f"the model refused: {answer.refusal}")
    if reason is None:
        return IncompleteAnswer("the answer is incomplete: it ended without a finish reason")
    if reason == "length":
        spent = "" if wanted in answer.has or wanted == "calls" else f" before any {wanted}"
        return IncompleteAnswer(
            f"the answer is incomplete: it reached the token limit{spent}", advice="raise --max-tokens"
        )
    if reason == "content_filter":
        return IncompleteAnswer("the answer is incomplete: the content filter cut it")
    if reason not in COMPLETE:
        return IncompleteAnswer(f"the answer is incomplete: its finish reason is '{reason}'")
    return None


def _lacks(answer: Answer, expectation: Expectation) -> QwenError | None:
    """What a complete answer has none of."""
    wanted = expectation.wanted
    if failure := check_tool_choice(answer.tool_calls, expectation.tool_choice):
        return failure
    if wanted == "calls":
        return None if answer.tool_calls else ProtocolError("the answer has no tool calls")
    if wanted not in answer.has and not (answer.tool_calls and wanted == "content"):
        return IncompleteAnswer(f"the answer has no {wanted}")
    return None


def _misfit(text: str, answer: Answer, expectation: Expectation) -> UnfitAnswer | None:
    """How the text is not the JSON that was asked for; a tool call may stand in its place."""
    kind = expectation.json_format
    if kind is None or expectation.choices or expectation.wanted != "content" or (answer.tool_calls and not text):
        return None
    try:
        value = json_text.loads(text)
    except ValueError as error:
        return UnfitAnswer(f"the answer is not JSON, although {kind} was requested: {error}")
    if kind == "json_object" and not isinstance(value, dict):
        return UnfitAnswer(f"the answer is not a JSON object but {kind_of(value)}, although json_object was requested")
    misfit = expectation.find_misfit and expectation.find_misfit(value)
    return UnfitAnswer(f"the answer does not fit the schema: {misfit}") if misfit else None


CHOICE: Final = "choice"
"""The property that holds the choice in the JSON that is asked for."""

_AROUND: Final = " \t\r\n.\"'`\u201c\u201d\u2018\u2019\u00ab\u00bb"
"""What may stand around a bare word."""


def find_choice(content: str, choices: Sequence[str]) -> str | None:
    """The choice that the content makes, in the JSON that was asked for or as a bare word.

    Where no choice is written in the same way, one that differs in case alone counts, if it is the only one.
    """
    word = content.strip()
    try:
        value = json_text.loads(content)
    except ValueError:
        pass
    else:
        chosen = value.get(CHOICE) if isinstance(value, dict) else value
        if isinstance(chosen, str):
            word = chosen
    for candidate in (word, word.strip(_AROUND)):
        if candidate in choices:
            return candidate
        alike = [choice for choice in choices if choice.casefold() == candidate.casefold()]
        if len(alike) == 1:
            return alike[0]
    return None


def _no_choice(choices: Sequence[str]) -> str:
    shown = ", ".join(choices[:_MAX_SHOWN]) + (", …" if len(choices) > _MAX_SHOWN else "")
    return f"the answer is none of the choices: {shown}"


_MAX_SHOWN: Final = 10
