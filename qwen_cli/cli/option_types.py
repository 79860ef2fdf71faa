"""What an option's value may be: each type parses the text of a flag or variable, or says what is wrong with it."""

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import click

from qwen_cli.endpoint import parse_endpoint
from qwen_cli.errors import InvalidUsage
from qwen_cli.key.redaction import without_keys
from qwen_cli.prompt.files import decode_text, load_json, load_json_file, load_json_from
from qwen_cli.prompt.standard_input import STDIN, standard_input
from qwen_cli.request.body import NamedSchema, named_schema
from qwen_cli.request.field_limits import INTEGERS, LOGIT_BIAS, PERIOD_HOURS, RANGES, REQUEST_ID

FROM_STDIN = "@-"
"""In the place of JSON: it comes from standard input."""

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_WHOLE = r"[+-]?\d{1,300}"


class Awaited(NamedTuple):
    """A value that is still to be read from standard input (`@-`)."""

    parse: Callable[[str], Any]
    """Turns the text into the value, or raises what is wrong with it."""


class OneValue(click.ParamType, ABC):  # type: ignore[type-arg]  # generic in newer Clicks only
    """A type whose variable holds one value, even where the flag may be repeated: text is never split at its spaces."""

    name = "value"
    metavar: str

    @abstractmethod
    def parse(self, text: str) -> Any:
        """The value; ValueError if the text is not valid, with a message that need not name the option."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        with self.naming(param, ctx):
            return self.parse(str(value))

    @contextmanager
    def naming(self, param: click.Parameter | None, ctx: click.Context | None) -> Iterator[None]:
        """Report a ValueError as a usage error that names the option."""
        try:
            yield
        except (ValueError, InvalidUsage) as error:
            self.fail(str(error), param, ctx)

    def split_envvar_value(self, rv: str) -> Sequence[str]:
        return [rv]

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return self.metavar


def source_of(parameter: click.Parameter, context: click.Context) -> str:
    """What the user wrote: the variable, or the flag's longest name."""
    if is_from_variable(parameter.name or "", context) and isinstance(parameter.envvar, list):
        return str(next(name for name in parameter.envvar if os.environ.get(name)))
    if isinstance(parameter, click.Option):
        return max(parameter.opts, key=len)
    return parameter.human_readable_name


def is_from_variable(name: str, context: click.Context) -> bool:
    """Whether the value of that parameter was given by an environment variable."""
    return context.get_parameter_source(name) is click.core.ParameterSource.ENVIRONMENT


class Text(OneValue):
    """Plain text, taken as it is: UTF-8 whatever the locale is, in which Python has decoded it."""

    metavar = "TEXT"

    def parse(self, text: str) -> Any:
        return text

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        text = str(value)
        if not text.isascii():
            where = "the prompt"
            if isinstance(param, click.Option) and ctx is not None:
                where = f"the value of {source_of(param, ctx)}"
            text = decode_text(os.fsencode(text), where)
        return super().convert(text, param, ctx)


class Operand(Text):
    """A word of the prompt; a `-` stands for standard input."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == STDIN:
            standard_input.claim(STDIN)
        return super().convert(value, param, ctx)


class ModelId(Text):
    metavar = "ID"

    def parse(self, text: str) -> str:
        if not text:
            raise ValueError("a model id cannot be empty")
        return text


class BaseUrl(Text):
    """Where requests go: checked here, so that a mistake is reported for the flag or variable that made it."""

    metavar = "URL"

    def parse(self, text: str) -> str:
        parse_endpoint(text)
        return text


class Path(OneValue):
    """A file's name: any bytes, but not empty.

    `kind` is for completion: `any` file, an `image`, `json`, a `folder`. Where it is read, `-` may be standard input.
    """

    def __init__(self, kind: str = "any", *, may_be_stdin: bool = False) -> None:
        self.kind = kind
        self._may_be_stdin = may_be_stdin
        self.metavar = {"image": "FILE|URL", "folder": "DIR"}.get(kind, "FILE")

    def parse(self, text: str) -> str:
        if not text:
            raise ValueError("a file name cannot be empty")
        return text

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = super().convert(value, param, ctx)
        if path == STDIN and self._may_be_stdin:
            standard_input.claim(STDIN)
        return path


class Choice(OneValue):
    """One of a few words, shown as `low|medium|high`."""

    def __init__(self, choices: Sequence[str]) -> None:
        self.choices = choices
        self.metavar = "|".join(choices)

    def parse(self, text: str) -> str:
        if text not in self.choices:
            raise ValueError(f"{quoted(text)} is not one of {', '.join(self.choices)}")
        return text


class Number(OneValue):
    """A number in a range; a whole one stays an int on the wire."""

    def __init__(self, lowest: float, highest: float | None, *, whole: bool = False, metavar: str = "X") -> None:
        self.lowest, self.highest, self.whole = lowest, highest, whole
        self.metavar = "N" if whole else metavar

    @classmethod
    def of_field(cls, field: str) -> "Number":
        """The documented range of that request field."""
        return cls(*RANGES[field], whole=field in INTEGERS)

    def parse(self, text: str) -> float:
        number = as_number(text)
        lowest = f"{self.lowest:g}"
        limit = f"at least {lowest}" if self.highest is None else f"from {lowest} to {self.highest:.12g}"
        expected = f"{'whole number' if self.whole else 'number'} {limit}"
        if number is None or (self.whole and not isinstance(number, int)):
            raise ValueError(f"{quoted(text)} is not a {expected}")
        if number < self.lowest or (self.highest is not None and number > self.highest):
            raise ValueError(f"{quoted(text)} is out of range: expected a {expected}")
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

    metavar = "SECONDS"
    MAX = 1_000_000

    def parse(self, text: str) -> float:
        number = as_number(text)
        if number is None or not 0 < number <= self.MAX:
            raise ValueError(f"{quoted(text)} is not a number of seconds above 0 (and at most {self.MAX})")
        return float(number)


class RequestId(OneValue):
    metavar = "ID"

    def parse(self, text: str) -> str:
        if not re.fullmatch(REQUEST_ID, text):
            raise ValueError(f"{quoted(text)} is not 1 to 128 characters of A-Z a-z 0-9 . _ : -")
        return text


class Period(OneValue):
    metavar = "24h|7d"

    def parse(self, text: str) -> str:
        match = re.fullmatch(r"(\d{1,6})([hd])", text, re.ASCII)
        hours = int(match[1]) * {"h": 1, "d": 24}[match[2]] if match else 0
        if not 1 <= hours <= PERIOD_HOURS:
            longest = f"{PERIOD_HOURS // 24}d"
            raise ValueError(f"{quoted(text)} is not a number of hours or days, such as 24h or 7d, up to {longest}")
        return text


class Json(Text):
    """JSON text, `@FILE` or `@-` for a request field, whose limits it is held to.

    `words` are values that stand for themselves; `names` is a pattern of other bare words that are let through.
    """

    def __init__(self, field: str, words: Sequence[str] = (), *, names: str | None = None) -> None:
        self.metavar = "|".join([*words, "NAME", "JSON"] if names else [*words, "JSON", "@FILE"])
        self.field = field
        self.words = tuple(words)
        self.names = names

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        def checked(found: Any, source: str) -> Any:
            with self.naming(param, ctx):
                return self.check(found, source)

        text = str(value)
        if text == FROM_STDIN:
            standard_input.claim(max(param.opts, key=len) if param else self.field)
            source = "standard input"
            return Awaited(lambda awaited: checked(load_json_from(source, awaited), source))
        if text.startswith("@"):
            return checked(load_json_file(text[1:]), text[1:])
        return super().convert(value, param, ctx)

    def parse(self, text: str) -> Any:
        if text in self.words or (self.names and re.fullmatch(self.names, text)):
            return text
        try:
            found = load_json(text)
        except ValueError as error:
            other = f"neither {', '.join(self.words)} nor" if self.words else "not"
            raise ValueError(f"{quoted(text)} is {other} JSON, @FILE or {FROM_STDIN} ({error})") from None
        return self.check(found, "")

    def check(self, found: Any, source: str) -> Any:
        """The value, which came from that file, if any; ValueError where the field may not have it."""
        from qwen_cli.request.validation import check_field

        if found is None:
            raise ValueError("null is not a value: omit the option instead")
        check_field(self.field, found)
        return found


class Schema(Json):
    """The JSON Schema of the answer: a file's name, which stays one, or JSON text, `@FILE` or `@-`."""

    def __init__(self) -> None:
        super().__init__("response_format")
        self.metavar = "FILE|JSON"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        text = str(value)
        if text == FROM_STDIN or text.lstrip().startswith("{"):
            return super().convert(text, param, ctx)
        return Path("json").convert(text.removeprefix("@"), param, ctx)

    def check(self, found: Any, source: str) -> NamedSchema:
        return named_schema(found, source)


class LogitBias(Json):
    """`TOKEN=BIAS`, JSON, `@FILE` or `@-`: always the object that the field takes."""

    def __init__(self) -> None:
        super().__init__("logit_bias")
        self.metavar = "TOKEN=BIAS"

    def parse(self, text: str) -> Any:
        if text.startswith("{"):
            return super().parse(text)
        token, equals, bias = text.rpartition("=")
        if not equals:
            raise ValueError(f"{quoted(text)} is neither TOKEN=BIAS, a JSON object nor @FILE")
        number = as_number(bias)
        lowest, highest = LOGIT_BIAS
        if number is None or not lowest <= number <= highest:
            raise ValueError(f"the bias of {quoted(token)} is not a number from {lowest} to {highest}")
        return {token: number}


class Field(Text):
    """`KEY=VALUE`: the value as JSON if it parses, else as a string."""

    metavar = "KEY=VALUE"
    REFUSED = ("model", "messages", "stream")

    def parse(self, text: str) -> tuple[str, Any]:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise ValueError(f"{quoted(text)} is not KEY=VALUE")
        if key in self.REFUSED:
            raise ValueError(f"{key} cannot be set as a field")
        try:
            return key, load_json(value)
        except ValueError:
            return key, value


class Fault(OneValue):
    """A failure to rehearse, `KIND` or `KIND*TIMES`."""

    metavar = "KIND[*TIMES]"

    def parse(self, text: str) -> Any:
        from qwen_cli.sandbox.faults import parse_fault

        return parse_fault(text)


def quoted(value: str) -> str:
    """A value quoted in a message, cut where it is long."""
    text = repr(without_keys(value))
    return text if len(text) <= 60 else f"{text[:57]}…{text[-1]}"  # noqa: PLR2004
