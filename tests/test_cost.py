"""`cost` says what a request, saved answers and the account have cost."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from qwen_cli.answer.completion import Answer
from qwen_cli.cost.figures import plain
from qwen_cli.cost.usage import FIGURES, figures
from tests.api_server import ApiServer, reply
from tests.bodies import DOCUMENTED, META, USAGE, Json, completion
from tests.program import TERMINAL, Program


def test_prints_the_figures_of_the_response_instead_of_the_answer(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello.")))
    result = qwen("cost", "hi")
    assert (result.status, result.text, result.stderr) == (0, DOCUMENTED, "")
    assert api.request.json["messages"] == [{"role": "user", "content": "hi"}]


def test_the_figures_are_aligned_on_a_terminal(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello.")))
    shown = qwen.call("cost", "-q", "hi", terminal=TERMINAL).terminal.decode().splitlines()
    assert shown[:2] == ["prompt_tokens      11", "completion_tokens  42"]


def test_json_prints_one_object(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello.", meta=None)))
    result = qwen.call("cost", "--json", "hi")
    assert (result.status, result.text.count("\n")) == (0, 1)
    assert json.loads(result.text) == {
        "prompt_tokens": 11,
        "completion_tokens": 42,
        "reasoning_tokens": 30,
        "total_tokens": 53,
        "credits_used": None,
        "usd_spent": None,
    }


@pytest.mark.parametrize(
    ("fields", "unknown"),
    [
        pytest.param({"usage": None, "meta": None}, FIGURES, id="null"),
        pytest.param({"usage": {}, "meta": {}}, FIGURES, id="empty"),
        pytest.param({"meta": {"usage": None}}, ("credits_used", "usd_spent"), id="no cost"),
        pytest.param({"usage": {**USAGE, "completion_tokens_details": None}}, ("reasoning_tokens",), id="no details"),
    ],
)
def test_a_figure_that_the_server_did_not_give_is_a_dash(
    qwen: Program, api: ApiServer, fields: Json, unknown: Sequence[str]
) -> None:
    api.answer(reply(completion("Hello.", **fields)))
    result = qwen.call("cost", "hi")
    found = dict(line.split("\t") for line in result.text.splitlines())
    known = dict(line.split("\t") for line in DOCUMENTED.splitlines())
    assert result.status == 0
    assert found == known | dict.fromkeys(unknown, "-")


@pytest.mark.parametrize(
    ("spent", "printed"),
    [(1e-07, "0.0000001"), (1.5e-10, "0.00000000015"), (0, "0"), (12.0, "12"), (1e22, "1" + 22 * "0"), (0.10, "0.1")],
)
def test_figures_are_plain_decimals_never_exponents(qwen: Program, api: ApiServer, spent: float, printed: str) -> None:
    api.answer(*[reply(completion("Hello.", meta={"usage": {"credits_used": 1, "usd_spent": spent}}))] * 2)
    assert f"usd_spent\t{printed}\n" in qwen.call("cost", "hi").text
    assert f'"usd_spent":{printed}}}' in qwen.call("cost", "--json", "hi").text


@pytest.mark.parametrize("figure", ["1e999", "-Infinity", "true", '"0.1"', "[1]", "{}"])
def test_a_figure_that_is_none_is_a_dash(qwen: Program, api: ApiServer, figure: str) -> None:
    body = json.dumps(completion("Hello.")).replace("0.00013", figure)
    api.answer(reply(body=body.encode()))
    result = qwen.call("cost", "hi")
    assert (result.status, result.text, result.stderr) == (0, DOCUMENTED.replace("0.00013", "-"), "")


def test_the_cost_of_other_servers_is_a_price(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello.", usage=USAGE | {"cost": 0.00025}, meta=None)))
    assert "usd_spent\t0.00025\n" in qwen.call("cost", "hi").text


def test_an_answer_that_is_not_whole_has_cost_something_all_the_same(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion(None, finish_reason="length")))
    result = qwen.call("cost", "hi")
    assert (result.status, result.text) == (0, DOCUMENTED)


def test_writes_to_a_file(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello.")))
    result = qwen.call("cost", "-o", "cost.tsv", "hi")
    assert (result.status, result.stdout, qwen.files()) == (0, b"", {"cost.tsv": DOCUMENTED.encode()})


SCALES = st.decimals(min_value=0, max_value=10**12, allow_nan=False, places=9)


@given(SCALES)
def test_a_plain_figure_is_the_same_number_without_an_exponent(figure: Decimal) -> None:
    text = plain(figure)
    assert set(text) <= set("0123456789.")
    assert Decimal(text) == figure
    assert not text.endswith(".")
    assert "." not in text or not text.endswith("0")


def test_figures_come_in_the_documented_order() -> None:
    known: dict[str, Any] = dict(figures(Answer(usage=USAGE, meta_usage=META["usage"])))
    assert list(known) == [line.split("\t")[0] for line in DOCUMENTED.splitlines()]
    assert tuple(known) == FIGURES


@pytest.mark.parametrize("flags", [(), ("--json",)], ids=["lines", "json"])
def test_cost_never_prints_infinity(qwen: Program, api: ApiServer, flags: tuple[str, ...]) -> None:
    meta = json.dumps(completion(meta={"usage": {"usd_spent": 7}})).replace('"usd_spent": 7', '"usd_spent": 1e400')
    api.answer(reply(body=meta.encode()))
    result = qwen.call("cost", *flags, "hi")
    assert (result.status, result.stderr) == (0, "")
    assert "nfinity" not in result.text
