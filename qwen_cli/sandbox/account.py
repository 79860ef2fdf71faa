"""The account of a sandbox: what it served and charged, its balance, and its list of models."""

import json
import re
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from qwen_cli.request.field_limits import MODEL, PERIOD_HOURS
from qwen_cli.sandbox.completion import COMPLETION_PRICE, NOW, PROMPT_PRICE
from qwen_cli.sandbox.refusals import ApiError

_OPENING_BALANCE = 100
_PRESENT = datetime.fromtimestamp(NOW, UTC)


def timestamp(moment: datetime = _PRESENT) -> str:
    """A moment in UTC as the API writes it; by default the sandbox's present, which never passes."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Account:
    """Adds up what was served; any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._served: dict[str, tuple[Decimal, int]] = {}
        """USD and requests, by model."""

    def charge(self, model: str, usd: Decimal) -> None:
        """Count an answer of that model, and take its price from the balance."""
        with self._lock:
            spent, requests = self._served.get(model, (Decimal(), 0))
            self._served[model] = spent + usd, requests + 1

    def _rows(self) -> list[tuple[Decimal, int, str]]:
        """USD, requests and model, the highest spend first."""
        with self._lock:
            return sorted(((*spent, model) for model, spent in self._served.items()), reverse=True)

    def billing(self) -> dict[str, Any]:
        """The body of `GET /v2/billing`; USD."""
        return {"current_balance": float(_OPENING_BALANCE - sum(usd for usd, *_ in self._rows())), "currency": "USD"}

    def usage(self, query: Mapping[str, str]) -> dict[str, Any]:
        """The body of `GET /v2/usage/detail`; an ApiError 400 for anything but a `period` of up to 92 days."""
        if others := query.keys() - {"period"}:
            raise ApiError(400, f"{min(others)[:60]}: the sandbox reports by period only")
        period = query.get("period", "")
        matched = re.fullmatch("([0-9]{1,6})([hd])", period)
        hours = int(matched[1]) * {"h": 1, "d": 24}[matched[2]] if matched else 0
        if not 0 < hours <= PERIOD_HOURS:
            expected = "a number of hours or days, as in 24h or 7d, up to 92d"
            raise ApiError(400, f"period: {json.dumps(period[:60])} is not {expected}")
        rows = self._rows()
        return {
            "api_key_prefix": None,
            "start": timestamp(_PRESENT - timedelta(hours=hours)),
            "end": timestamp(),
            "spend": float(sum(usd for usd, *_ in rows)),
            "currency": "USD",
            "requests": sum(requests for _, requests, _ in rows),
            "models": [{"model": model, "spend": float(usd), "requests": requests} for usd, requests, model in rows],
        }


def models(query: Mapping[str, str]) -> dict[str, Any]:
    """The body of `GET /v1/models`: the default model unless `id` names others, its price if `include` asks for it."""
    info = {
        "name": MODEL.removeprefix("alibaba/"),
        "developer": "Alibaba Cloud",
        "description": "The sandbox of qwen-cli, not the model.",
        "contextLength": 256_000,
        "outputMax": 252_000,
    }
    model: dict[str, Any] = {"id": MODEL, "aliases": [], "type": "openai/chat-completions", "info": info, "tags": []}
    if "pricing" in query.get("include", "").split(","):
        prices = (("prompt", "input", PROMPT_PRICE), ("completion", "output", COMPLETION_PRICE))
        units = [{"name": name, "measure": what, "price": float(usd), "per": 1_000_000} for name, what, usd in prices]
        model["pricing"] = {"kind": "fixed", "currency": "USD", "units": units}
    return {"object": "list", "data": [model] if MODEL in query.get("id", MODEL).split(",") else []}
