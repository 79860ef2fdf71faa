"""What is expected of an answer, and the verdict on it. No I/O.

The one place where an answer is judged, for every command: first whether it is complete, then whether it is what was
requested. Validators and Markdown parsers take time to import: whoever makes an `Expectation` passes them in.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from qwen_cli import json_text
from qwen_cli.answer.completion import Answer
from qwen_cli.answer.members import kind_of
from qwen_cli.answer.tool_calls import check_tool_choice
from qwen_cli.errors import IncompleteAnswer, ProtocolError, QwenError


class UnfitAnswer(ProtocolError):
    """The answer is complete, but not the JSON, the choice or the code that was requested: asking again may help."""


class Expectation(NamedTuple):
    """What is expected of an answer; made from the request, before anything is sent."""

    wanted: str = "content"
    """`content`, `reasoning` or `calls`."""
    json_format: str | None = None
    """`json_object` or `json_schema` if the content has to be JSON."""
    find_misfit: Callable[[Any], str | None] | None = None
    """How a JSON value does not fit the schema; None if it fits."""
    choices: Sequence[str] = ()
    find_code: Callable[[str], str | None] | None = None
    """The code in the content, which is printed instead of it; None if there is none."""
    tool_choice: Any = None
    allow_incomplete: bool = False

    @property
    def selects(self) -> bool:
        """Whether only a part of the content is printed, which takes all of it to find."""
        return bool(self.choices or self.find_code)

    @property
    def needs_content(self) -> bool:
        """Whether the content has to be kept until it is complete."""
        return self.wanted == "content" and bool(self.selects or self.json_format)

    @classmethod
    def of(cls, request: Mapping[str, Any], **others: Any) -> "Expectation":
        """What the request body asks for, and the other fields."""
        response_format = request.get("response_format")
        kind = response_format.get("type") if isinstance(response_format, dict) else None
        json_format = kind if kind in ("json_object", "json_schema") else None
        return cls(json_format=json_format, tool_choice=request.get("tool_choice"), **others)


class Judgement(NamedTuple):
    """The text to print of an answer, and what is wrong with it."""

    text: str
    failure: QwenError | None = None
    allowed: IncompleteAnswer | None = None
    """Why the answer is incomplete, if that is allowed."""

    @property
    def is_good(self) -> bool:
        """Whether the answer is complete, and what was requested."""
        return self.failure is None and self.allowed is None


def judge(answer: Answer, expectation: Expectation) -> Judgement:
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
    if answer.refusal:
        return IncompleteAnswer(f"the model refused: {answer.refusal}")
    advice = None
    match answer.finish_reason:
        case "stop" | "tool_calls" | "function_call":
            return None
        case "length":
            before = "" if wanted in answer.has or wanted == "calls" else f" before any {wanted}"
            reason, advice = f"it reached the token limit{before}", "raise --max-tokens"
        case "content_filter":
            reason = "the content filter cut it"
        case None:
            reason = "it ended without a finish reason"
        case other:
            reason = f"its finish reason is '{other}'"
    return IncompleteAnswer(f"the answer is incomplete: {reason}", advice=advice)


def _lacks(answer: Answer, expectation: Expectation) -> QwenError | None:
    """What a complete answer lacks."""
    wanted = expectation.wanted
    if failure := check_tool_choice(answer.tool_calls, expectation.tool_choice):
        return failure
    if wanted == "calls":
        return None if answer.tool_calls else ProtocolError("the answer has no tool calls")
    if wanted not in answer.has and not (answer.tool_calls and wanted == "content"):
        return IncompleteAnswer(f"the answer has no {wanted}")
    return None


def _misfit(text: str, answer: Answer, expectation: Expectation) -> UnfitAnswer | None:
    """How the text is not the JSON that was requested; a tool call may take its place."""
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
"""The property that holds the choice in the JSON that is requested."""

_AROUND: Final = " \t\r\n.\"'`\u201c\u201d\u2018\u2019\u00ab\u00bb"
"""Characters that may surround a bare word."""


def find_choice(content: str, choices: Sequence[str]) -> str | None:
    """The choice in the content: in the JSON that was requested, or a bare word.

    If none is spelled exactly like it, the only one that differs in nothing but case counts.
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
    listed = ", ".join(choices[:_MAX_LISTED]) + (", …" if len(choices) > _MAX_LISTED else "")
    return f"the answer is none of the choices: {listed}"


_MAX_LISTED: Final = 10
