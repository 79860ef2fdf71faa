"""The account of a sandbox: what it served and charged, its balance, and its list of models."""

import json
import re
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from qwen_cli.request import field_limits
from qwen_cli.sandbox.completion import COMPLETION_PRICE, NOW, PROMPT_PRICE, Completion
from qwen_cli.sandbox.incoming import ApiError

Query = Mapping[str, str]

_GROUPINGS = ("day", "model", "day,model")
_LONGEST = timedelta(hours=field_limits.PERIOD_HOURS)
_OPENING_BALANCE = 100
_PRESENT = datetime.fromtimestamp(NOW, UTC)


def timestamp(moment: datetime = _PRESENT) -> str:
    """A moment as the API writes it, in UTC with milliseconds; by default the sandbox's present."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Account:
    """Counts what was served; any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._succeeded = self._failed = self._input = self._output = 0
        self._spent = Decimal()

    def charge(self, completion: Completion) -> None:
        """Count a completion and take its price from the balance."""
        with self._lock:
            self._succeeded += 1
            self._input += completion.prompt_tokens
            self._output += completion.completion_tokens
            self._spent += completion.usd

    def count_failure(self) -> None:
        """Count a request that failed, which is never charged."""
        with self._lock:
            self._failed += 1

    def billing(self, _query: Query) -> dict[str, Any]:
        """The body of `GET /v2/billing`; USD."""
        return {"current_balance": float(_OPENING_BALANCE - self._spent), "currency": "USD"}

    def usage(self, query: Query) -> dict[str, Any]:
        """The body of `GET /v2/usage/detail`; an ApiError 400 for a window or grouping that the API doesn't know."""
        start, end = _window(query)
        group_by = query.get("group_by")
        if group_by is not None and group_by not in _GROUPINGS:
            expected = " | ".join(map(json.dumps, _GROUPINGS))
            raise ApiError(400, f"group_by: Expected {expected}, Received {json.dumps(group_by[:60])}")
        # Everything is served at one moment, which is in the window or not.
        happened = start <= _PRESENT <= end
        with self._lock:
            succeeded, failed = (self._succeeded, self._failed) if happened else (0, 0)
            spend = float(self._spent) if happened else 0.0
            tokens = {"input": self._input, "output": self._output, "total": self._input + self._output}
        report: dict[str, Any] = {
            "api_key_prefix": None,
            "start": timestamp(start),
            "end": timestamp(end),
            "spend": spend,
            "currency": "USD",
            "requests": succeeded,
            "models": [{"model": field_limits.MODEL, "spend": spend, "requests": succeeded}] if succeeded else [],
        }
        if group_by is not None:
            names = {"day": _PRESENT.date().isoformat(), "model": field_limits.MODEL}
            group: dict[str, Any] = {name: names[name] for name in group_by.split(",")}
            requests = {"total": succeeded + failed, "charged": succeeded, "succeeded": succeeded, "failed": failed}
            group |= {"spend": spend, "tokens": tokens, "requests": requests}
            report["groups"] = [group] if succeeded + failed else []
        return report


def _window(query: Query) -> tuple[datetime, datetime]:
    """The window of a report: `period` up to the present, or from `start` to `end`."""
    given = query.keys() & {"period", "start", "end"}
    if given == {"start", "end"}:
        start, end = (_moment(name, query[name]) for name in ("start", "end"))
        if not timedelta() <= end - start <= _LONGEST:
            raise ApiError(400, f"end: Expected up to 92 days after start, Received {json.dumps(query['end'][:60])}")
        return start, end
    if given != {"period"}:
        raise ApiError(400, f"period: Expected it, or start and end, Received {', '.join(sorted(given)) or 'none'}")
    matched = re.fullmatch("([0-9]{1,6})([hd])", query["period"])
    length = timedelta(hours=int(matched[1]) * {"h": 1, "d": 24}[matched[2]]) if matched else timedelta()
    if not timedelta() < length <= _LONGEST:
        expected = "hours or days, as in 24h or 7d, up to 92d"
        raise ApiError(400, f"period: Expected {expected}, Received {json.dumps(query['period'][:60])}")
    return _PRESENT - length, _PRESENT


def _moment(name: str, text: str) -> datetime:
    """Parse a moment in ISO 8601, in UTC unless it names another zone."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ApiError(400, f"{name}: Expected a time in ISO 8601, Received {json.dumps(text[:60])}") from None


def models(query: Query) -> dict[str, Any]:
    """The body of `GET /v1/models`: the one model, if `id` asks for it, with its price if `include` does."""
    model: dict[str, Any] = {
        "id": field_limits.MODEL,
        "aliases": [],
        "type": "openai/chat-completions",
        "info": {
            "name": field_limits.MODEL.removeprefix("alibaba/"),
            "developer": "Alibaba Cloud",
            "description": "The sandbox of qwen-cli, not the model.",
            "contextLength": 256_000,
            "outputMax": 252_000,
        },
        "tags": [],
    }
    if {"pricing", "all"} & set(query.get("include", "").split(",")) or query.get("details") in {"1", "true"}:
        prices = (("prompt", "input", PROMPT_PRICE), ("completion", "output", COMPLETION_PRICE))
        units = [
            {"name": name, "measure": measure, "price": float(price), "per": 1_000_000}
            for name, measure, price in prices
        ]
        model["pricing"] = {"kind": "fixed", "currency": "USD", "units": units}
    wanted = query.get("id")
    return {"object": "list", "data": [model] if wanted is None or field_limits.MODEL in wanted.split(",") else []}
