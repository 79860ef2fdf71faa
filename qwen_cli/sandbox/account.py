"""The account of one sandbox: what it served, what that cost, what is left, and which model there is."""

import json
import re
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from qwen_cli.request import limits
from qwen_cli.sandbox.completion import COMPLETION_CREDITS, CREDITS_PER_USD, NOW, PROMPT_CREDITS, Completion
from qwen_cli.sandbox.incoming import ApiError

Query = Mapping[str, str]

_GROUPINGS = ("day", "model", "day,model")
_HOURS = {"h": 1, "d": 24}
_OPENING_BALANCE = 100 * CREDITS_PER_USD
_MILLION = 1_000_000


def timestamp(moment: datetime | None = None) -> str:
    """A moment as the API writes it, in UTC with milliseconds; the sandbox's own without one."""
    shown = moment or datetime.fromtimestamp(NOW, UTC)
    return shown.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Account:
    """Counts what was served; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._succeeded = self._failed = 0
        self._input = self._output = self._credits = 0

    def charge(self, completion: Completion) -> None:
        """Count a completion and take its price from the balance."""
        with self._lock:
            self._succeeded += 1
            self._input += completion.prompt_tokens
            self._output += completion.reasoning_tokens + completion.text_tokens
            self._credits += completion.credits

    def count_failure(self) -> None:
        """Count a request that failed, which is never charged."""
        with self._lock:
            self._failed += 1

    def billing(self, _query: Query) -> dict[str, Any]:
        """The body of `GET /v2/billing`; USD."""
        with self._lock:
            return {"current_balance": (_OPENING_BALANCE - self._credits) / CREDITS_PER_USD, "currency": "USD"}

    def usage(self, query: Query) -> dict[str, Any]:
        """The body of `GET /v2/usage/detail`; a period or grouping that the API doesn't know is an ApiError 400."""
        hours = _hours(query.get("period"))
        group_by = query.get("group_by")
        if group_by is not None and group_by not in _GROUPINGS:
            expected = " | ".join(map(json.dumps, _GROUPINGS))
            raise ApiError(400, f"group_by: Expected {expected}, Received {json.dumps(group_by[:60])}")
        end = datetime.fromtimestamp(NOW, UTC)
        with self._lock:
            spend = self._credits / CREDITS_PER_USD
            total = self._succeeded + self._failed
            row = {"model": limits.MODEL, "spend": spend, "requests": self._succeeded}
            report: dict[str, Any] = {
                "api_key_prefix": None,
                "start": timestamp(end - timedelta(hours=hours)),
                "end": timestamp(end),
                "spend": spend,
                "currency": "USD",
                "requests": self._succeeded,
                "models": [row] if self._succeeded else [],
            }
            if group_by is not None:
                names = {"day": end.date().isoformat(), "model": limits.MODEL}
                group = {name: names[name] for name in group_by.split(",")} | {
                    "spend": spend,
                    "tokens": {"input": self._input, "output": self._output, "total": self._input + self._output},
                    "requests": {
                        "total": total,
                        "charged": self._succeeded,
                        "succeeded": self._succeeded,
                        "failed": self._failed,
                    },
                }
                report["groups"] = [group] if total else []
            return report


def _hours(period: str | None) -> int:
    """The hours of a period such as `24h` or `7d`."""
    matched = re.fullmatch("([0-9]{1,6})([hd])", period or "")
    hours = int(matched[1]) * _HOURS[matched[2]] if matched else 0
    if not 1 <= hours <= limits.PERIOD_HOURS:
        received = "undefined" if period is None else json.dumps(period[:60])
        raise ApiError(400, f"period: Expected hours or days, as in 24h or 7d, up to 92d, Received {received}")
    return hours


def models(query: Query) -> dict[str, Any]:
    """The body of `GET /v1/models`: the one model, if `id` asks for it, with its price if `include` does."""
    short = limits.MODEL.removeprefix("alibaba/")
    model: dict[str, Any] = {
        "id": limits.MODEL,
        "aliases": [],
        "type": "openai/chat-completions",
        "info": {"name": short, "developer": "Alibaba Cloud", "description": "The sandbox of qwen-cli, not the model."},
        "tags": [],
    }
    if {"pricing", "all"} & set(query.get("include", "").split(",")):
        prices = (("prompt", "input", PROMPT_CREDITS), ("completion", "output", COMPLETION_CREDITS))
        units = [
            {"name": name, "measure": measure, "price": credits_each * _MILLION / CREDITS_PER_USD, "per": _MILLION}
            for name, measure, credits_each in prices
        ]
        model["pricing"] = {"kind": "fixed", "currency": "USD", "units": units}
    wanted = query.get("id")
    return {"object": "list", "data": [model] if wanted is None or limits.MODEL in wanted.split(",") else []}
