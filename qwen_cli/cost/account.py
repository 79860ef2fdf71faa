"""What the account reports: the balance, and what a key spent over a period. No I/O."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from qwen_cli.answer.members import JsonObject, kind_of, parse_object
from qwen_cli.cost.usage import Figures, figure_of
from qwen_cli.errors import ProtocolError


def read_balance(body: bytes) -> Figures:
    """The body of `/v2/billing` -> the balance in USD."""
    return {"usd_balance": _number(parse_object(body, "the balance"), "current_balance")}


def read_period(body: bytes, period: str) -> dict[str, Any]:
    """The body of `/v2/usage/detail` -> the total, and a row for each model."""
    report = parse_object(body, "the usage report")
    rows = report.get("models") or []
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and isinstance(row.get("model"), str) for row in rows
    ):
        raise ProtocolError("the usage report has a row without a model")
    models = [{"model": row["model"]} | _spent(row) for row in rows]
    return {"period": period} | _spent(report) | {"models": models}


def _spent(row: JsonObject) -> dict[str, Decimal | None]:
    return {ours: _number(row, theirs) for ours, theirs in {"usd_spent": "spend", "requests": "requests"}.items()}


def _number(report: Mapping[str, Any], name: str) -> Decimal | None:
    """The number that was asked for; None if it is absent, ProtocolError if it is none."""
    figure = figure_of(report, name)
    if figure is None and report.get(name) is not None:
        raise ProtocolError(f"{name} is not a number but {kind_of(report[name])}")
    return figure
