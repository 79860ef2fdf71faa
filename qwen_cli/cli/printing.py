"""Answers on their way to an output: content, reasoning, tool calls, JSON."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from qwen_cli import json_text
from qwen_cli.answer.completion import Delta
from qwen_cli.answer.tool_calls import ToolCall
from qwen_cli.cli.options import ShowOptions
from qwen_cli.errors import QwenError
from qwen_cli.output.result import Output, RawOutput, TextOutput
from qwen_cli.output.stderr import ReasoningOutput
from qwen_cli.output.terminal import encode, visible_json

if TYPE_CHECKING:
    from qwen_cli.answer.verdict import Expectation
    from qwen_cli.exchange import Outcome


def print_outcome(outcome: "Outcome", output: Output, expectation: "Expectation", show: ShowOptions) -> None:
    """Print the text of a complete answer, then its tool calls, one per line."""
    if show.both:
        beside = ReasoningOutput()
        beside.write(outcome.answer.reasoning)
        beside.end()
    text = TextOutput(output, end_line=not show.no_newline)
    text.write(outcome.judgement.text)
    text.end()
    print_tool_calls([] if expectation.selects else outcome.answer.tool_calls, text, show)


def print_stream(
    deltas: Iterable[Delta], output: Output, show: ShowOptions, *, is_held_back: bool = False
) -> TextOutput:
    """Print the wanted text piece by piece, or none yet; the rest follows even when the stream breaks off."""
    text = TextOutput(output, end_line=not show.no_newline)
    beside = ReasoningOutput()
    wanted = "" if is_held_back else show.wanted
    try:
        for delta in deltas:
            if show.both:
                beside.write(delta.reasoning)
            if piece := getattr(delta, wanted, ""):
                beside.end()
                text.write(piece)
                text.flush()
    finally:
        beside.end()
        text.end()
        text.flush()
    return text


def print_tool_calls(calls: Sequence[ToolCall], text: TextOutput, show: ShowOptions) -> None:
    """Print the tool calls, a line each, where they are wanted or stand for the content."""
    if show.wanted != "reasoning":
        for call in calls:
            text.line(call.as_json())
    text.flush()


def print_json(pieces: Iterable[bytes], output: Output, *, pretty: bool) -> None:
    """Pass the body through as it comes, or indented once it is complete; what is not JSON passes unchanged.

    It ends with one newline, whether or not the server sent any.
    """
    raw = RawOutput(output, escape=visible_json)
    try:
        for piece in _indented(b"".join(pieces)) if pretty else pieces:
            raw.write(piece)
    except QwenError:
        raw.end()
        raise
    raw.end_line()


def _indented(body: bytes) -> Iterable[bytes]:
    if json_text.is_valid(body):
        body = encode(json_text.reformatted(body.decode("utf-8-sig"), indent=2))
    return [body]
