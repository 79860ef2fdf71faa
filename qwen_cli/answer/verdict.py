"""What is expected of an answer, and the verdict on it. No I/O.

The one place where an answer is judged, for every command: first whether it is complete, then whether it is what was
requested. It is read tolerantly and checked strictly. A validator takes time to import: whoever makes an `Expectation`
passes it in.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from qwen_cli import json_text
from qwen_cli.answer.choice import find_choice, no_choice
from qwen_cli.answer.completion import Answer
from qwen_cli.answer.members import kind_of, quoted
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
    code: bool = False
    """Whether the first code block is printed instead of the content."""
    tool_choice: Any = None
    allow_incomplete: bool = False

    @property
    def is_format_asked(self) -> bool:
        """Whether the content has to be of some form, and is printed without what surrounds it."""
        return self.wanted == "content" and bool(self.json_format or self.choices)

    @property
    def selects(self) -> bool:
        """Whether only a part of the content is printed."""
        return bool(self.choices or self.code)

    @property
    def needs_content(self) -> bool:
        """Whether all of the content is needed to know what of it is printed."""
        return self.is_format_asked or (self.wanted == "content" and self.code)

    @classmethod
    def of(cls, body: Mapping[str, Any], **others: Any) -> "Expectation":
        """What the request body asks for, and the other fields."""
        response_format = body.get("response_format")
        kind = response_format.get("type") if isinstance(response_format, dict) else None
        json_format = kind if kind in ("json_object", "json_schema") else None
        return cls(json_format=json_format, tool_choice=body.get("tool_choice"), **others)


class Verdict(NamedTuple):
    """The text to print of an answer, and what is wrong with it."""

    text: str
    failure: QwenError | None = None
    allowed: IncompleteAnswer | None = None
    """Why the answer is incomplete, if that is allowed."""
    value: Any = None
    """The JSON that the text is, where a format was asked for."""

    @property
    def is_good(self) -> bool:
        """Whether the answer is complete, and what was requested."""
        return self.failure is None and self.allowed is None


def judge(answer: Answer, expectation: Expectation) -> Verdict:
    """Hold an answer against what is expected of it."""
    verdict = _fitting(answer, expectation)
    failure = answer.failure or _incomplete(answer, expectation.wanted) or _lacks(answer, expectation)
    if isinstance(failure, IncompleteAnswer) and expectation.allow_incomplete:
        is_format = expectation.json_format is not None and not expectation.choices
        return verdict._replace(allowed=failure, failure=None if is_format else verdict.failure)
    return verdict._replace(failure=failure or verdict.failure)


_COMPLETE: Final = ("stop", "tool_calls", "function_call", "eos", "eos_token", "end_turn", "stop_sequence")
_CUT: Final = ("length", "max_tokens", "model_length")


def _incomplete(answer: Answer, wanted: str) -> IncompleteAnswer | None:
    if answer.refusal:
        return IncompleteAnswer(f"the model refused: {answer.refusal}")
    reason = (answer.finish_reason or "").strip().lower()
    if answer.is_still_thinking and reason not in _CUT:
        return IncompleteAnswer("the answer is incomplete: its reasoning never ended")
    if reason in _COMPLETE:
        return None
    advice = None
    if reason in _CUT:
        before = "" if wanted in answer.has or wanted == "calls" else f" before any {wanted}"
        why, advice = f"it reached the token limit{before}", "raise --max-tokens"
    elif reason == "content_filter":
        why = "the content filter cut it"
    elif not reason:
        if not answer.has_arrived:
            return IncompleteAnswer("the server sent no answer")
        why = "it ended without a finish reason"
    else:
        why = f"its finish reason is '{answer.finish_reason}'"
    return IncompleteAnswer(f"the answer is incomplete: {why}", advice=advice)


def _lacks(answer: Answer, expectation: Expectation) -> QwenError | None:
    """What a complete answer lacks."""
    wanted = expectation.wanted
    if failure := check_tool_choice(answer.tool_calls, expectation.tool_choice):
        return failure
    if wanted == "calls":
        return None if answer.tool_calls else ProtocolError("the answer has no tool calls")
    if odd := next((remark for remark in answer.odd if remark.startswith(wanted)), None):
        return ProtocolError(f"the answer lacks a part of its {wanted}: {odd}")
    if wanted in answer.has or (answer.tool_calls and wanted == "content"):
        return None
    return IncompleteAnswer(f"the answer has no {wanted}")


def _fitting(answer: Answer, expectation: Expectation) -> Verdict:
    """The part of the answer that is printed; a tool call may take the place of the JSON that was requested."""
    text: str = getattr(answer, expectation.wanted, "")
    if expectation.wanted != "content" or not expectation.needs_content:
        return Verdict(text)
    if expectation.code:
        blocks = _code_blocks(text)
        return Verdict(blocks[0]) if blocks else Verdict("", UnfitAnswer("the answer has no fenced code block"))
    if answer.tool_calls and not text.strip() and not expectation.choices:
        return Verdict(text)
    text = text.strip(_BESIDE_JSON)
    found = _find_json(text, expectation.json_format or "JSON")
    if expectation.choices:
        choice = find_choice(text, found.value, expectation.choices)
        message = no_choice(expectation.choices) + quoted(text)
        return Verdict("", UnfitAnswer(message)) if choice is None else Verdict(choice, value=choice)
    return found._replace(failure=found.failure or _misfit(found.value, expectation))


_BESIDE_JSON: Final = " \t\r\n\ufeff"
"""White space, and the byte order mark."""


def _find_json(content: str, requested: str) -> Verdict:
    """The JSON that the content is, or that its only code block is."""
    try:
        return Verdict(content, value=json_text.loads(content))
    except ValueError as error:
        reason = error
    if "```" in content or "~~~" in content:
        blocks = _code_blocks(content)
        if len(blocks) == 1:
            try:
                return Verdict(blocks[0], value=json_text.loads(blocks[0]))
            except ValueError as error:
                reason = error
    return Verdict(
        content, UnfitAnswer(f"the answer is not JSON, although {requested} was requested: {reason}{quoted(content)}")
    )


def _code_blocks(content: str) -> list[str]:
    from qwen_cli.answer.code_block import find_code_blocks

    return find_code_blocks(content)


def _misfit(value: Any, expectation: Expectation) -> UnfitAnswer | None:
    """How a JSON value is not what was requested."""
    if expectation.json_format == "json_object" and not isinstance(value, dict):
        return UnfitAnswer(f"the answer is not a JSON object but {kind_of(value)}, although json_object was requested")
    misfit = expectation.find_misfit and expectation.find_misfit(value)
    return UnfitAnswer(f"the answer does not fit the schema: {misfit}") if misfit else None
