"""The sandbox's account: balance, usage by period, and the list of models."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from qwen_cli.request import field_limits
from qwen_cli.sandbox.faults import Fault
from qwen_cli.sandbox.server import serving
from tests.sandbox import chat, send


@pytest.fixture(scope="module")
def shared() -> Iterator[str]:
    """One sandbox without faults for all of these tests."""
    with serving() as base_url:
        yield base_url


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
    dearest, other = report["models"]
    assert dearest == {"model": "some/other", "spend": costs[-1], "requests": 1}
    assert other == {"model": field_limits.MODEL, "spend": pytest.approx(costs[0] + costs[1]), "requests": 2}
    assert before["currency"] == report["currency"] == "USD"
    assert (report["start"], report["end"]) == ("2025-12-25T00:00:00.000Z", "2026-01-01T00:00:00.000Z")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("period=24h", 200),
        ("period=92d", 200),
        ("period=2208h", 200),
        ("period=93d", 400),
        ("period=2209h", 400),
        ("period=0d", 400),
        ("period=-1d", 400),
        ("period=7w", 400),
        ("period=", 400),
        ("", 400),
        ("period=99999999999d", 400),
        ("period=7d&group_by=day", 400),
        ("start=2025-10-01&end=2026-01-01", 400),
    ],
)
def test_periods(shared: str, query: str, status: int) -> None:
    answer = send(shared, "GET", f"/v2/usage/detail?{query}")
    assert answer.status == status
    assert status == 200 or answer.message.startswith(("period: ", "group_by: ", "end: "))


@pytest.mark.parametrize(
    ("query", "found", "priced"),
    [
        ("", 1, False),
        (f"id={field_limits.MODEL}", 1, False),
        ("id=other", 0, False),
        (f"id=other,{field_limits.MODEL}&include=pricing", 1, True),
        ("include=pricing,capabilities", 1, True),
    ],
)
@pytest.mark.parametrize("path", ["/v1/models", "/models"])
def test_models(shared: str, path: str, query: str, found: int, priced: bool) -> None:
    models = send(shared, "GET", f"{path}?{query}", headers={}).json["data"]
    assert [model["id"] for model in models] == [field_limits.MODEL] * found
    assert ["pricing" in model for model in models] == [priced] * found
    for model in models:
        assert (model["info"]["contextLength"], model["info"]["outputMax"]) == (256_000, 252_000)
