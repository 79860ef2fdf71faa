"""What answers cost: the figures of one, and their sum. No I/O."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from qwen_cli.answer.completion import Answer
from qwen_cli.answer.members import member

Figures = Mapping[str, Decimal | None]
"""By name; None for one that is unknown."""

FIGURES = ("prompt_tokens", "completion_tokens", "reasoning_tokens", "total_tokens", "credits_used", "usd_spent")


def figures(answer: Answer) -> Figures:
    """What an answer cost, in the order of `FIGURES`; None for a figure that the server did not send."""
    usage, meta = answer.usage or {}, answer.meta_usage or {}
    details = member(usage, "completion_tokens_details", dict, answer.odd) or {}
    sources = (usage, usage, details, usage, meta, meta)
    found = {name: figure_of(source, name) for name, source in zip(FIGURES, sources, strict=True)}
    if found["usd_spent"] is None:
        found["usd_spent"] = figure_of(usage, "cost")
    return found


def figure_of(source: Mapping[str, Any], name: str) -> Decimal | None:
    """The number of that name, exactly; None if it is absent, no number, or too large to print."""
    value = source.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    figure = Decimal(repr(value))
    return figure if figure.is_finite() and figure.adjusted() <= _MAX_DIGITS else None


_MAX_DIGITS: Final = 100
"""Digits before the point: the limit of what is printed as a plain decimal."""


class Total:
    """The sum of each figure of some answers; None for a figure that none of them has."""

    def __init__(self, answers: Iterable[Answer] = ()) -> None:
        self.sums: dict[str, Decimal | None] = dict.fromkeys(FIGURES)
        self._known = dict.fromkeys(FIGURES, 0)
        self.responses = 0
        for answer in answers:
            self.add(answer)

    def add(self, answer: Answer) -> None:
        """Count one more."""
        self.responses += 1
        for name, figure in figures(answer).items():
            if figure is not None:
                self.sums[name] = figure + (self.sums[name] or 0)
                self._known[name] += 1

    @property
    def usd(self) -> Decimal:
        """USD that are known to be spent."""
        return self.sums["usd_spent"] or Decimal(0)

    @property
    def is_priced(self) -> bool:
        """Whether every answer came with its price."""
        return self._known["usd_spent"] == self.responses

    def remarks(self) -> list[str]:
        """A note for each figure that some of the answers lack."""
        return [
            f"{self.responses - count} of {self.responses} responses give no {name}: the sum is without them"
            for name, count in self._known.items()
            if 0 < count < self.responses
        ]

    def as_figures(self) -> dict[str, Any]:
        """The number of `responses`, and the sums."""
        return {"responses": Decimal(self.responses)} | self.sums
