"""What an option's value may be: each type turns the words of a flag or variable into a value, or says why not."""

import os
import re
from collections.abc import Sequence
from typing import Any

import click

from qwen_cli.api.endpoint import parse_endpoint
from qwen_cli.cli.help import source_of
from qwen_cli.errors import InvalidUsage
from qwen_cli.output.stderr import without_keys
from qwen_cli.request.inputs import Awaited, decode_text, load_json, load_json_file, load_json_from
from qwen_cli.request.limits import INTEGERS, LOGIT_BIAS, PERIOD_HOURS, RANGES, REQUEST_ID

FROM_STDIN = "@-"
"""In the place of JSON: it comes from standard input."""

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_WHOLE = r"[+-]?\d{1,300}"


class OneValue(click.ParamType):  # type: ignore[type-arg]  # generic in newer Clicks only
    """A type whose variable holds one value, even where the flag may be repeated: text is never split at its spaces."""

    metavar: str

    def split_envvar_value(self, rv: str) -> Sequence[str]:
        return [rv]

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return self.metavar


class Text(OneValue):
    """Plain text, taken as it is: UTF-8 whatever the locale is, in which Python has decoded it."""

    name = "text"

    def __init__(self, metavar: str = "TEXT") -> None:
        self.metavar = metavar

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        if not text.isascii():
            where = "the prompt"
            if isinstance(param, click.Option) and ctx is not None:
                where = f"the value of {source_of(param, ctx)}"
            return decode_text(os.fsencode(text), where)
        return text


class BaseUrl(OneValue):
    """Where requests go: checked here, so that a mistake is reported for the flag or variable that made it."""

    name = "url"
    metavar = "URL"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = Text().convert(value, param, ctx)
        try:
            parse_endpoint(text)
        except InvalidUsage as error:
            self.fail(str(error), param, ctx)
        return text


class Path(OneValue):
    """A file's name; any bytes but none at all.

    `kind` is for completion: `any` file, an `image`, `json`, a `folder`.
    """

    name = "file"

    def __init__(self, kind: str = "any") -> None:
        self.kind = kind
        self.metavar = {"image": "FILE|URL", "folder": "DIR"}.get(kind, "FILE")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not value:
            self.fail("a file name cannot be empty", param, ctx)
        return str(value)


class Choice(click.Choice[str]):
    """One of a few words, shown as `low|medium|high`."""

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return "|".join(self.choices)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in self.choices:
            self.fail(f"{shown(value)} is not one of {', '.join(self.choices)}", param, ctx)
        return str(value)


class Number(OneValue):
    """A number in a range; a whole one stays an int on the wire."""

    name = "number"

    def __init__(self, lowest: float, highest: float | None, *, whole: bool = False, metavar: str = "X") -> None:
        self.lowest, self.highest, self.whole = lowest, highest, whole
        self.metavar = "N" if whole else metavar

    @classmethod
    def of_field(cls, field: str) -> "Number":
        """The documented range of that request field."""
        return cls(*RANGES[field], whole=field in INTEGERS)

    @property
    def limit(self) -> str:
        if self.highest is None:
            return f"at least {self.lowest:g}"
        return f"from {self.lowest:g} to {self.highest:g}"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = as_number(str(value))
        noun = "whole number" if self.whole else "number"
        if number is None or (self.whole and not isinstance(number, int)):
            self.fail(f"{shown(value)} is not a {noun} {self.limit}", param, ctx)
        if number < self.lowest or (self.highest is not None and number > self.highest):
            self.fail(f"{shown(value)} is out of range: expected a {noun} {self.limit}", param, ctx)
        return number


def as_number(text: str) -> int | float | None:
    """What JSON would call a number (and `+1`, `.5`, `1.`): no `nan`, no infinity, no `1_000`."""
    if re.fullmatch(_WHOLE, text, re.ASCII):
        return int(text)
    if re.fullmatch(_NUMBER, text, re.ASCII) and (number := float(text)) not in (float("inf"), float("-inf")):
        return number
    return None


class Seconds(OneValue):
    """A duration; more than nothing, and no more than a socket's timeout can hold."""

    name = "seconds"
    metavar = "SECONDS"
    MAX = 1_000_000

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = as_number(str(value))
        if number is None or not 0 < number <= self.MAX:
            self.fail(f"{shown(value)} is not a number of seconds above 0 (and at most {self.MAX})", param, ctx)
        return float(number)


class RequestId(OneValue):
    name = "id"
    metavar = "ID"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not re.fullmatch(REQUEST_ID, str(value)):
            self.fail(f"{shown(value)} is not 1 to 128 characters of A-Z a-z 0-9 . _ : -", param, ctx)
        return str(value)


class Period(OneValue):
    name = "period"
    metavar = "24h|7d"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        match = re.fullmatch(r"(\d{1,6})([hd])", str(value), re.ASCII)
        hours = int(match[1]) * {"h": 1, "d": 24}[match[2]] if match else 0
        if not 1 <= hours <= PERIOD_HOURS:
            self.fail(
                f"{shown(value)} is not a number of hours or days, as 24h or 7d, of at most {PERIOD_HOURS // 24}d",
                param,
                ctx,
            )
        return str(value)


class Json(OneValue):
    """JSON text, `@FILE` or `@-` for a request field, whose limits it is held to.

    `words` are values that stand for themselves; `names` is a pattern of other bare words that are let through.
    """

    name = "json"

    def __init__(self, field: str, words: Sequence[str] = (), *, names: str | None = None) -> None:
        self.field = field
        self.words = tuple(words)
        self.names = names
        self.metavar = "|".join([*words, "NAME", "JSON"] if names else [*words, "JSON", "@FILE"])

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        text = str(value)
        if text in self.words or (self.names and re.fullmatch(self.names, text)):
            return text
        if text == FROM_STDIN:
            # A conversation is something to ask, whatever it will say.
            return self.awaited(param, ctx, stand_in=[{}] if self.field == "messages" else None)
        try:
            found = load_json_file(text[1:]) if text.startswith("@") else load_json(Text().convert(text, param, ctx))
        except ValueError as error:
            other = f"neither {', '.join(self.words)} nor" if self.words else "not"
            self.fail(f"{shown(value)} is {other} JSON, @FILE or {FROM_STDIN} ({error})", param, ctx)
        return self.check(found, param, ctx)

    def awaited(self, param: click.Parameter | None, ctx: click.Context | None, stand_in: Any = None) -> Awaited:
        """The value that will be made of standard input."""

        def parse(text: str) -> Any:
            return self.check(load_json_from("standard input", text), param, ctx)

        return Awaited(max(param.opts, key=len) if param else self.field, parse, stand_in)

    def check(self, found: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value, if the field may have it."""
        if found is None:
            self.fail("null is not a value: omit the option instead", param, ctx)
        from qwen_cli.request.checking import OutsideLimitsError, check_field

        try:
            check_field(self.field, found)
        except OutsideLimitsError as error:
            self.fail(error.message, param, ctx)
        return found


class LogitBias(Json):
    """`TOKEN=BIAS`, JSON, `@FILE` or `@-`: always the object that the field takes."""

    name = "bias"

    def __init__(self) -> None:
        super().__init__("logit_bias")
        self.metavar = "TOKEN=BIAS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        text = Text().convert(value, param, ctx)
        if text == FROM_STDIN:
            return self.awaited(param, ctx, stand_in={})
        if text.startswith(("@", "{")):
            return super().convert(value, param, ctx)
        token, equals, bias = text.rpartition("=")
        if not equals:
            self.fail(f"{shown(value)} is neither TOKEN=BIAS, a JSON object nor @FILE", param, ctx)
        number = as_number(bias)
        lowest, highest = LOGIT_BIAS
        if number is None or not lowest <= number <= highest:
            self.fail(f"the bias of {shown(token)} is not a number from {lowest} to {highest}", param, ctx)
        return {token: number}


class Field(OneValue):
    """`KEY=VALUE`: the value as JSON if it parses, else as a string."""

    name = "field"
    metavar = "KEY=VALUE"
    REFUSED = ("model", "messages", "stream")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        key, equals, text = Text().convert(value, param, ctx).partition("=")
        if not key or not equals:
            self.fail(f"{shown(value)} is not KEY=VALUE", param, ctx)
        if key in self.REFUSED:
            self.fail(f"{key} cannot be set as a field", param, ctx)
        try:
            return key, load_json(text)
        except ValueError:
            return key, text


class Fault(OneValue):
    """A failure to rehearse, `KIND` or `KIND*TIMES`."""

    name = "fault"
    metavar = "KIND[*TIMES]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from qwen_cli.sandbox.faults import parse_fault

        try:
            return parse_fault(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def shown(value: object) -> str:
    """A value quoted in a message, cut where it is long."""
    text = repr(without_keys(str(value)))
    return text if len(text) <= 60 else f"{text[:57]}…{text[-1]}"  # noqa: PLR2004
