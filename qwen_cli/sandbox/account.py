"""The account of a sandbox: its balance, what it served and charged, and its list of models."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from qwen_cli.request.field_limits import MODEL
from qwen_cli.sandbox.completion import COMPLETION_PRICE, PROMPT_PRICE

_OPENING_BALANCE = 100


class Account:
    """Keeps what was served; any thread may use it."""

    def __init__(self) -> None:
        self._served: list[tuple[str, Decimal]] = []
        """The model of each answer, and its price in USD."""

    def charge(self, model: str, usd: Decimal) -> None:
        """Count an answer of that model, and take its price from the balance."""
        self._served.append((model, usd))

    def billing(self) -> dict[str, Any]:
        """The body of `GET /v2/billing`; USD."""
        return {"current_balance": float(_OPENING_BALANCE - sum(usd for _, usd in self._served)), "currency": "USD"}

    def usage(self) -> dict[str, Any]:
        """The body of `GET /v2/usage/detail`: whatever the period, all of it is in there."""
        prices: dict[str, list[Decimal]] = {}
        for model, usd in self._served:
            prices.setdefault(model, []).append(usd)
        rows = [{"model": model, "spend": float(sum(usd)), "requests": len(usd)} for model, usd in prices.items()]
        spend, requests = float(sum(sum(usd) for usd in prices.values())), sum(map(len, prices.values()))
        return {"spend": spend, "currency": "USD", "requests": requests, "models": rows}


def models(query: Mapping[str, str]) -> dict[str, Any]:
    """The body of `GET /v1/models`: the models that `id` names, which all have one price, or the default one."""
    prices = (("prompt", "input", PROMPT_PRICE), ("completion", "output", COMPLETION_PRICE))
    units = [{"name": name, "measure": what, "price": float(usd), "per": 1_000_000} for name, what, usd in prices]
    pricing = {"kind": "fixed", "currency": "USD", "units": units}
    info = {"contextLength": 256_000, "outputMax": 252_000}
    names = query.get("id", MODEL).split(",")
    return {"object": "list", "data": [{"id": name, "info": info, "pricing": pricing} for name in names]}
