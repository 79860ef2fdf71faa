"""What answers cost: the figures of one, their sum, and those of the account."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from qwen_cli.answer.completion import Answer
from qwen_cli.answer.members import JsonObject, kind_of, member, parse_object
from qwen_cli.cost.figures import Figures
from qwen_cli.errors import ProtocolError

FIGURES = ("prompt_tokens", "completion_tokens", "reasoning_tokens", "total_tokens", "credits_used", "usd_spent")


def figures(answer: Answer) -> Figures:
    """What an answer cost, in the order of `FIGURES`; None for a figure that the server did not send."""
    usage = answer.usage or {}
    details = member(usage, "completion_tokens_details", dict, "usage") or {}
    meta = answer.meta_usage or {}
    sources = (usage, usage, details, usage, meta, meta)
    return {name: figure_of(source, name) for name, source in zip(FIGURES, sources, strict=True)}


def figure_of(source: Mapping[str, Any], name: str) -> Decimal | None:
    """The number of that name, exactly; None if it is absent, ProtocolError if it is not a number."""
    value = source.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ProtocolError(f"{name} is not a number but {kind_of(value)}")
    figure = Decimal(repr(value))
    if not figure.is_finite() or figure.adjusted() > _MAX_DIGITS:
        raise ProtocolError(f"{name} is too large a number")
    return figure


_MAX_DIGITS: Final = 100
"""Digits before the point: the limit of what is printed as a plain decimal."""


class Total:
    """The sum of each figure of some answers; None for a figure that none of them has."""

    def __init__(self, answers: Iterable[Answer] = ()) -> None:
        self.sums: dict[str, Decimal | None] = dict.fromkeys(FIGURES)
        self._known = dict.fromkeys(FIGURES, 0)
        self._responses = 0
        for answer in answers:
            self.add(answer)

    def add(self, answer: Answer) -> None:
        """Count one more; ProtocolError, and nothing is counted, if a figure is not a number."""
        known = {name: figure for name, figure in figures(answer).items() if figure is not None}
        self._responses += 1
        for name, figure in known.items():
            before = self.sums[name]
            self.sums[name] = figure if before is None else before + figure
            self._known[name] += 1

    def remarks(self) -> list[str]:
        """A note for each figure that some of the answers lack."""
        return [
            f"{self._responses - count} of {self._responses} responses give no {name}: the sum is without them"
            for name, count in self._known.items()
            if 0 < count < self._responses
        ]

    def as_figures(self) -> dict[str, Any]:
        """The number of `responses`, and the sums."""
        return {"responses": Decimal(self._responses)} | self.sums


def read_balance(body: bytes) -> Figures:
    """The body of `/v2/billing` -> the balance in USD."""
    return {"usd_balance": figure_of(parse_object(body, "the balance"), "current_balance")}


def read_period(body: bytes, period: str) -> dict[str, Any]:
    """The body of `/v2/usage/detail` -> the total, and a row for each model."""
    what = "the usage report"
    report = parse_object(body, what)
    rows = member(report, "models", list, what) or []
    if not all(isinstance(row, dict) and isinstance(row.get("model"), str) for row in rows):
        raise ProtocolError(f"{what} has a row without a model")
    models = [{"model": row["model"]} | _spent(row) for row in rows]
    return {"period": period} | _spent(report) | {"models": models}


def _spent(row: JsonObject) -> dict[str, Decimal | None]:
    return {ours: figure_of(row, theirs) for ours, theirs in _SPENT.items()}


_SPENT = {"usd_spent": "spend", "requests": "requests"}
