"""What answers cost: the figures of one, of many, and of the account."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from qwen_cli.api.answer import Answer, JsonObject, kind_of, member, parse_json, read_usage
from qwen_cli.errors import LocalError, ProtocolError
from qwen_cli.output.terminal import one_line

Figures = Mapping[str, Decimal | None]

FIGURES = ("prompt_tokens", "completion_tokens", "reasoning_tokens", "total_tokens", "credits_used", "usd_spent")


def figures(answer: Answer) -> Figures:
    """What the answer says that it cost, in the order of `FIGURES`; None for what the server did not give."""
    usage = answer.usage or {}
    details = member(usage, "completion_tokens_details", dict, "usage") or {}
    meta = answer.meta_usage or {}
    sources = (usage, usage, details, usage, meta, meta)
    return {name: _figure(source, name) for name, source in zip(FIGURES, sources, strict=True)}


def _figure(source: JsonObject, name: str) -> Decimal | None:
    value = source.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ProtocolError(f"{name} is not a number but {kind_of(value)}")
    figure = Decimal(str(value))
    if not figure.is_finite():
        raise ProtocolError(f"{name} is not a finite number")
    return figure


def plain(figure: Decimal | None) -> str:
    """A plain decimal, never with an exponent; `-` for what is not known."""
    if figure is None:
        return "-"
    text = f"{figure:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def usage_line(answer: Answer) -> str:
    """Tokens and USD in one line."""
    known = {name: plain(figure) for name, figure in figures(answer).items()}
    return (
        f"{known['prompt_tokens']} prompt + {known['completion_tokens']} completion"
        f" ({known['reasoning_tokens']} reasoning) = {known['total_tokens']} tokens, {known['usd_spent']} USD"
    )


def lines(values: Mapping[str, Any]) -> str:
    """`name<TAB>value` lines; a figure of one model carries the model's name behind a colon."""
    flat = {name: value for name, value in values.items() if name != "models"}
    for row in values.get("models", ()):
        flat |= {f"{name}:{row['model']}": value for name, value in row.items() if name != "model"}
    return "".join(
        f"{one_line(name)}\t{value if isinstance(value, str) else plain(value)}\n" for name, value in flat.items()
    )


def as_json(values: Any) -> str:
    """The same as one JSON object, null for what is not known, numbers as plain as in the lines."""
    import json

    return _to_json(values, json.dumps) + "\n"


def _to_json(value: Any, dumps: Callable[..., str]) -> str:
    if isinstance(value, Mapping):
        members = (f"{dumps(name)}:{_to_json(member, dumps)}" for name, member in value.items())
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_to_json(item, dumps) for item in value) + "]"
    return plain(value) if isinstance(value, Decimal) else dumps(value, ensure_ascii=False)


def total(answers: Iterable[Answer]) -> tuple[dict[str, Any], list[str]]:
    """The sum of each figure and the number of `responses`; and a note for each figure that some of them lack."""
    sums: dict[str, Decimal | None] = dict.fromkeys(FIGURES)
    known = dict.fromkeys(FIGURES, 0)
    responses = 0
    for answer in answers:
        responses += 1
        for name, figure in figures(answer).items():
            if figure is not None:
                sums[name] = (sums[name] or Decimal(0)) + figure
                known[name] += 1
    notes = [
        f"{responses - count} of {responses} responses do not say their {name}: the sum is without them"
        for name, count in known.items()
        if 0 < count < responses
    ]
    return {"responses": Decimal(responses)} | sums, notes


def read_saved(text: str, name: str) -> Iterator[Answer]:
    """The answers in saved output of `json`: bodies and chunk lines, any number, in any layout.

    Chunks that follow each other with the same id are one answer.
    """
    chunks: Answer | None = None
    chunk_id: Any = None
    for offset, document in _documents(text, name):
        if not isinstance(document, dict) or not {"choices", "usage", "meta"} & document.keys():
            raise LocalError(f"{name} holds something else than a saved response at character {offset}")
        answer = _usage_of(document, name)
        if document.get("object") != "chat.completion.chunk":
            if chunks is not None:
                yield chunks
                chunks = None
            yield answer
        elif chunks is None or document.get("id") != chunk_id:
            if chunks is not None:
                yield chunks
            chunks, chunk_id = answer, document.get("id")
        else:
            chunks.usage = answer.usage or chunks.usage
            chunks.meta_usage = answer.meta_usage or chunks.meta_usage
    if chunks is not None:
        yield chunks


def _usage_of(document: JsonObject, name: str) -> Answer:
    answer = Answer()
    try:
        read_usage(answer, document)
        figures(answer)
    except ProtocolError as error:
        raise LocalError(f"{name} is not saved output of json: {error}") from None
    return answer


def _documents(text: str, name: str) -> Iterator[tuple[int, Any]]:
    """Each JSON value of the text and where it begins."""
    import json

    decoder = json.JSONDecoder()
    position = _after_space(text, 0)
    while position < len(text):
        try:
            document, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
            line = text.count("\n", 0, position) + 1
            raise LocalError(f"{name} is not saved output of json: {reason} in the value at line {line}") from None
        yield position, document
        position = _after_space(text, end)


def _after_space(text: str, position: int) -> int:
    found = _NO_SPACE.search(text, position)
    return found.start() if found else len(text)


_NO_SPACE = re.compile(r"[^ \t\r\n]")


def read_balance(body: bytes) -> Figures:
    """What `/v2/billing` says: the balance in USD."""
    return {"usd_balance": _figure(_account(body, "the balance"), "current_balance")}


def _account(body: bytes, what: str) -> JsonObject:
    answer = parse_json(body, what)
    if not isinstance(answer, dict):
        raise ProtocolError(f"{what} is not a JSON object but {kind_of(answer)}")
    return answer


def read_period(body: bytes, period: str) -> dict[str, Any]:
    """What `/v2/usage/detail` says: the total, and a row a model."""
    what = "the usage report"
    report = _account(body, what)
    rows = member(report, "models", list, what) or []
    if not all(isinstance(row, dict) and isinstance(row.get("model"), str) for row in rows):
        raise ProtocolError(f"{what} has a row without a model")
    models = [{"model": row["model"]} | _spent(row) for row in rows]
    return {"period": period} | _spent(report) | {"models": models}


def _spent(row: JsonObject) -> dict[str, Decimal | None]:
    return {ours: _figure(row, theirs) for ours, theirs in _SPENT.items()}


_SPENT = {"usd_spent": "spend", "requests": "requests"}
