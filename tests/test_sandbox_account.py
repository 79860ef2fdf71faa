"""The sandbox's account: balance, usage, and the list of models."""

from decimal import Decimal

import pytest

from qwen_cli.request import field_limits
from qwen_cli.sandbox.faults import Fault
from qwen_cli.sandbox.server import serving
from tests.sandbox import chat, send


def test_the_account_adds_up_what_was_served() -> None:
    with serving(faults=[Fault("500", 1)]) as base_url:
        assert chat(base_url).status == 500
        before = send(base_url, "GET", "/v2/billing").json
        empty = send(base_url, "GET", "/v2/usage/detail?period=7d").json
        costs = [chat(base_url, prompt).json["meta"]["usage"]["usd_spent"] for prompt in ("one", "two three")]
        assert chat(base_url, temperature=9).status == 400
        costs.append(chat(base_url, "x" * 1000, model="some/other").json["meta"]["usage"]["usd_spent"])
        report = send(base_url, "GET", "/v2/usage/detail?period=7d").json
        after = send(base_url, "GET", "/v2/billing").json
    assert (empty["requests"], empty["spend"], empty["models"]) == (0, 0, [])
    spent = sum(Decimal(str(cost)) for cost in costs)
    assert Decimal(str(report["spend"])) == spent
    assert Decimal(str(before["current_balance"])) - Decimal(str(after["current_balance"])) == spent
    assert report["requests"] == 3
    default, other = report["models"]
    assert default == {"model": field_limits.MODEL, "spend": pytest.approx(costs[0] + costs[1]), "requests": 2}
    assert other == {"model": "some/other", "spend": costs[-1], "requests": 1}
    assert before["currency"] == report["currency"] == "USD"


def test_every_model_is_listed_at_one_price() -> None:
    with serving() as base_url:
        (default,) = send(base_url, "GET", "/v1/models?include=pricing", headers={}).json["data"]
        named = send(base_url, "GET", "/v1/models?id=some%2Fother,more", headers={}).json["data"]
    assert default["id"] == field_limits.MODEL
    assert [model["id"] for model in named] == ["some/other", "more"]
    for model in (default, *named):
        assert (model["info"]["contextLength"], model["info"]["outputMax"]) == (256_000, 252_000)
        assert [unit["measure"] for unit in model["pricing"]["units"]] == ["input", "output"]
