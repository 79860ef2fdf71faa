"""Answers on their way to an output: content, reasoning, tool calls, JSON."""

import json
import os
from collections.abc import Callable
from typing import Self

from qwen_cli import json_text
from qwen_cli.answer.message import Delta
from qwen_cli.answer.verdict import Expectation
from qwen_cli.background import Background
from qwen_cli.cli.option_groups import ShowOptions
from qwen_cli.exchange import Outcome, Watch
from qwen_cli.output.result import Output, RawOutput, TextOutput
from qwen_cli.output.stderr import ReasoningOutput
from qwen_cli.output.terminal import columns
from qwen_cli.text import encode, visible, visible_json


def result_text(outcome: Outcome, show: ShowOptions) -> str:
    """The text of an answer, then its tool calls, one per line; what is not empty ends with one newline."""
    text = outcome.verdict.text
    if not show.no_newline:
        text = text.rstrip("\n")
        text += "\n" if text else ""
    calls = _call_lines(outcome, show)
    if calls and text and not text.endswith("\n"):
        text += "\n"
    return text + calls


def _call_lines(outcome: Outcome, show: ShowOptions) -> str:
    """The tool calls, a line each, where they are wanted or stand for the content."""
    if show.wanted == "reasoning" or outcome.request.expectation.selects:
        return ""
    return "".join(f"{call.as_json()}\n" for call in outcome.answer.tool_calls)


def _load_renderer() -> Callable[..., str]:
    from qwen_cli.output.markdown import render

    render("```python\n```", width=80, has_colour=True)  # the patterns of a lexer take as long to compile as an answer
    return render


class Rendering:
    """Renders Markdown; what that needs is imported while the answer is awaited."""

    def __init__(self) -> None:
        self._render = Background(_load_renderer)

    @classmethod
    def begin(cls, output: Output, expectation: Expectation, *, pretty: bool | None) -> "Rendering | None":
        """None where the answer is printed as it is: not for a person, or not written by the model as a text."""
        is_wanted = output.is_for_person if pretty is None else pretty
        is_text = expectation.wanted == "content" and not expectation.needs_content
        return cls() if is_wanted and is_text else None

    def __call__(self, text: str) -> str:
        """The text rendered, with the same final newlines; as it is if that fails, since it was paid for."""
        body = text.rstrip("\n")
        try:
            rendered = self._render.result()(body, width=columns(), has_colour=not os.environ.get("NO_COLOR"))
        except Exception:
            return visible(text)
        return f"{rendered}{text[len(body) :]}"


def print_outcome(outcome: Outcome, output: Output, show: ShowOptions, rendering: Rendering | None = None) -> None:
    """Print a whole answer."""
    if show.both:
        beside = ReasoningOutput()
        beside.write(outcome.answer.reasoning)
        beside.end()
    text = result_text(outcome, show)
    if rendering and not outcome.answer.tool_calls:
        text = rendering(text)
    elif output.terminal:
        text = visible_json(text) if outcome.is_json else visible(text)
    if text:
        output.write(encode(text), is_last=True)


class PrintedStream(Watch):
    """Prints the wanted text piece by piece, or nothing before its end where all of it is needed to know what to print.

    What has arrived is printed even when the stream breaks off.
    """

    def __init__(self, output: Output, show: ShowOptions, expectation: Expectation, *, keeps_content: bool) -> None:
        self._text = TextOutput(output, end_line=not show.no_newline)
        self._beside = ReasoningOutput()
        self._show = show
        self._is_held_back = expectation.needs_content
        self.keeps_content = keeps_content or self._is_held_back

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._beside.end()
        if kind is not None:
            self._text.end()
            self._text.flush()

    def delta(self, delta: Delta) -> None:
        if self._show.both and delta.reasoning:
            self.over()
            self._text.flush()
            self._beside.write(delta.reasoning)
        wanted = "" if self._is_held_back else self._show.wanted
        if piece := getattr(delta, wanted, ""):
            self.over()
            self._beside.end()
            self._text.write(piece)

    def has_all(self) -> None:
        self._text.flush()

    def end(self, outcome: Outcome) -> None:
        """Print what is left: the text that was held back, the tool calls, the last newline."""
        if self._is_held_back:
            self._text.write(outcome.verdict.text)
        for line in _call_lines(outcome, self._show).splitlines():
            self._text.line(line)
        self._text.end()
        self._text.flush(is_last=True)


class PrintedBody(Watch):
    """Passes a body through as it comes, or indented once it is complete; what is not JSON passes unchanged."""

    is_raw = True

    def __init__(self, output: Output, *, pretty: bool) -> None:
        self._raw = RawOutput(output, escape=visible_json)
        self._body: bytearray | None = bytearray() if pretty else None

    def piece(self, data: bytes) -> None:
        if self._body is not None:
            self._body += data
        elif data:
            self.over()
            self._raw.write(data)

    def whole(self) -> None:
        """Print what is left, and one newline, whether or not the server sent any."""
        self.over()
        if self._body is not None:
            self._raw.write(indented(bytes(self._body)))
            self._body = None
        self._raw.end_line()


class PrintedEvents(Watch):
    """Prints the data of each event of a stream, on a line of its own."""

    is_raw = True

    def __init__(self, output: Output, *, pretty: bool, keeps_content: bool) -> None:
        self._output = output
        self._pretty = pretty
        self.keeps_content = keeps_content

    def event(self, data: str) -> None:
        self.over()
        line = encode(data)
        raw = RawOutput(self._output, escape=visible_json)
        raw.write(indented(line) if self._pretty else line)
        raw.end_line(is_last=False)


def indented(body: bytes) -> bytes:
    """JSON with a line for each of its values; anything else as it is."""
    try:
        value = json_text.loads(body, strict=False)
    except ValueError:
        return body
    if not json_text.is_finite(value):  # which other readers would not take
        return body
    return encode(json.dumps(value, ensure_ascii=False, indent=2))
