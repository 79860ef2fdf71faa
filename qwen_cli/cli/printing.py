"""Answers on their way to an output: content, reasoning, tool calls, JSON."""

import json
from collections.abc import Iterable

from qwen_cli.api.answer import Answer, Delta
from qwen_cli.cli.options import ShowOptions
from qwen_cli.errors import QwenError
from qwen_cli.output.results import Output, RawOutput, TextOutput
from qwen_cli.output.stderr import ReasoningOutput
from qwen_cli.output.terminal import encode


def print_answer(answer: Answer, output: Output, showing: ShowOptions) -> None:
    """Print the wanted text of a whole answer, then its tool calls, a line each."""
    text = TextOutput(output, end_line=not showing.no_newline)
    if showing.both:
        beside = ReasoningOutput()
        beside.write(answer.reasoning)
        beside.end()
    text.write(getattr(answer, showing.wanted))
    text.end()
    print_tool_calls(answer, text, showing)


def print_stream(deltas: Iterable[Delta], output: Output, showing: ShowOptions) -> TextOutput:
    """Print the wanted text piece by piece; what was held back follows even when the stream breaks off."""
    text = TextOutput(output, end_line=not showing.no_newline)
    beside = ReasoningOutput() if showing.both else None
    wanted = showing.wanted
    try:
        for delta in deltas:
            if beside is not None and delta.reasoning:
                beside.write(delta.reasoning)
            if piece := getattr(delta, wanted):
                if beside is not None:
                    beside.end()
                text.write(piece)
    except QwenError:
        text.end()
        raise
    text.end()
    return text


def print_tool_calls(answer: Answer, text: TextOutput, showing: ShowOptions) -> None:
    if showing.wanted == "content":
        for call in answer.tool_calls:
            text.line(call.as_json())


def print_json(pieces: Iterable[bytes], output: Output, *, pretty: bool) -> None:
    """Pass the body through as it comes, or indented once it is there; what is no JSON passes as it is."""
    raw = RawOutput(output)
    if not pretty:
        for piece in pieces:
            raw.write(piece)
        return
    body = b"".join(pieces)
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raw.write(body)
    else:
        raw.write(indented(value))


def indented(value: object) -> bytes:
    return encode(json.dumps(value, ensure_ascii=False, indent=2) + "\n")
