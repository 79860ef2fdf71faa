"""`cost --estimate`: upper bounds, said to be such, and never below what is then billed."""

import json
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from qwen_cli.cost.upper_bound import estimate
from qwen_cli.request.field_limits import MODEL
from qwen_cli.sandbox.server import serving
from tests.api_server import ApiServer, reply
from tests.bodies import error
from tests.program import Program

UNITS = [
    {"name": "prompt", "measure": "input", "price": 0.4875, "per": 1_000_000},
    {"name": "completion", "measure": "output", "price": 2.925, "per": 1_000_000},
]
GIF = b"GIF89a" + bytes(4)


def models(units: Any = UNITS, *, info: Any = None, **fields: Any) -> dict[str, Any]:
    """The response of the list of models, with one of them."""
    pricing = {"kind": "fixed", "currency": "USD", "units": units, **fields}
    return {"object": "list", "data": [{"id": MODEL, "info": info or {}, "aliases": ["qwen"], "pricing": pricing}]}


def figures(qwen: Program, *arguments: str, **options: Any) -> dict[str, str]:
    result = qwen.call("cost", "--estimate", *arguments, **options)
    assert result.status == 0, result.stderr
    return dict(line.split("\t") for line in result.text.splitlines())


def test_asks_for_the_price_without_a_key_and_nothing_of_the_model(qwen: Program, api: ApiServer) -> None:
    api.answer(*[reply(models())] * 2)
    bounds = figures(qwen, "--max-tokens", "1000", "hi", env={"AIMLAPI_API_KEY": None})
    assert bounds == {
        "prompt_tokens_at_most": "66",
        "completion_tokens_at_most": "1000",
        "usd_at_most": "0.002957175",
    }
    figures(qwen, "--max-tokens", "1000", "hi")
    for request in api.requests:
        assert (request.method, request.path) == ("GET", "/v1/models?id=alibaba%2Fqwen3.6-35b-a3b&include=pricing")
        assert "authorization" not in request.headers


def test_json_prints_numbers_and_null(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(models()))
    result = qwen.call("cost", "--estimate", "--json", "-q", "hi")
    assert json.loads(result.text) == {
        "prompt_tokens_at_most": 66,
        "completion_tokens_at_most": None,
        "usd_at_most": None,
    }


def test_without_max_tokens_the_limit_of_the_model_counts(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(models(info={"outputMax": 500, "contextLength": 900})))
    assert figures(qwen, "hi")["completion_tokens_at_most"] == "500"


def test_a_price_is_read_with_what_it_is_per(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(models([unit | {"price": 0.5, "per": 1000} for unit in UNITS])))
    assert figures(qwen, "--max-tokens", "34", "hi")["usd_at_most"] == "0.05"


@pytest.mark.parametrize(
    ("response", "note"),
    [
        (models(kind="variable", units=None), f"the server names no fixed price in USD for {MODEL}"),
        (models(kind="variants"), f"the server names no fixed price in USD for {MODEL}"),
        (models(currency="EUR"), f"the server names no fixed price in USD for {MODEL}"),
        (models(UNITS[:1]), f"the server names no fixed price in USD for {MODEL}"),
        (models([*UNITS, {"name": "image", "measure": "image", "price": 1, "per": 1}]), "the server names no fixed"),
        ({"object": "list", "data": [{"id": MODEL}]}, f"the server names no fixed price in USD for {MODEL}"),
        ({"object": "list", "data": []}, f"{MODEL} is not in the server's list of models"),
    ],
)
def test_what_has_no_fixed_price_is_a_dash_and_a_note(qwen: Program, api: ApiServer, response: Any, note: str) -> None:
    api.answer(reply(response))
    result = qwen.call("cost", "--estimate", "--max-tokens", "9", "hi")
    assert (result.status, result.text.splitlines()[-1]) == (0, "usd_at_most\t-")
    assert result.message.startswith(note)


def test_an_alias_is_found_too(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(models()))
    assert figures(qwen, "--max-tokens", "9", "-m", "qwen", "hi")["usd_at_most"] != "-"


@pytest.mark.parametrize(
    ("arguments", "note"),
    [
        (("-i", "a.gif"), "images are not counted, and cost extra"),
        (("--prediction", "x"), "rejected tokens of the prediction are not counted, and may be billed"),
        (("--reask", "2"), "this is for one request, without --reask"),
    ],
)
def test_what_is_left_out_is_said(qwen: Program, api: ApiServer, arguments: tuple[str, ...], note: str) -> None:
    qwen.file("a.gif", GIF)
    api.answer(reply(models()))
    assert qwen.call("cost", "--estimate", "--max-tokens", "9", *arguments, "hi").message == note


def test_a_server_without_a_list_of_models_is_reported(qwen: Program, api: ApiServer) -> None:
    api.answer(reply({"detail": "Not Found"}, status=404))
    result = qwen.call("cost", "--estimate", "hi")
    assert (result.status, result.stdout) == (4, b"")
    assert result.message.startswith("the server has no list of models: HTTP 404: Not Found")


def test_a_server_that_wants_a_key_for_its_list_gets_it(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(error(401), status=401), reply(models()), reply(error(401), status=401))
    assert figures(qwen, "--max-tokens", "9", "hi")["completion_tokens_at_most"] == "9"
    assert ["authorization" in request.headers for request in api.requests] == [False, True]
    assert qwen.call("cost", "--estimate", "--no-key", "hi").status == 3


@pytest.mark.parametrize("body", [b"[7]", b"{", b'{"data": 7}', b'{"data": [7]}', b'{"data": [{"aliases": 7}]}'])
def test_a_list_that_is_none_ends_with_9(qwen: Program, api: ApiServer, body: bytes) -> None:
    api.answer(reply(body=body))
    result = qwen.call("cost", "--estimate", "hi")
    assert (result.status, result.stdout) == (9, b"")
    assert "the list of models" in result.message


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--dry-run", "hi"), "--estimate send none"),
        (("--curl", "hi"), "--estimate send none"),
        (("--balance",), "cannot be combined"),
        (("--period", "7d"), "cannot be combined"),
        (("--saved",), "cannot be combined"),
        ((), "nothing to ask"),
    ],
)
def test_usage(qwen: Program, arguments: tuple[str, ...], reason: str) -> None:
    result = qwen.call("cost", "--estimate", *arguments)
    assert result.status == 2
    assert reason in result.message


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    with serving() as base_url:
        yield base_url


TEXTS = st.text(st.characters(codec="utf-8"), max_size=80)
SCHEMA = {"type": "object", "properties": {"a": {"type": "string", "description": "é" * 40}}, "required": ["a"]}
FIELDS: dict[str, Any] = {
    "max_tokens": st.integers(1, 60),
    "stop": TEXTS.filter(bool),
    "response_format": st.just({"type": "json_object"}),
    "tools": st.just([{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]),
    "tool_choice": st.just("auto"),
}
MESSAGES = st.lists(
    st.builds(
        lambda role, content: {"role": role, "content": content},
        st.sampled_from(["system", "user", "assistant"]),
        TEXTS | st.lists(TEXTS.map(lambda text: {"type": "text", "text": text}), min_size=1, max_size=3),
    ),
    min_size=1,
    max_size=4,
)


@given(MESSAGES, st.fixed_dictionaries({}, optional=FIELDS))
@settings(max_examples=150)
def test_it_is_never_below_what_the_sandbox_bills(sandbox: str, messages: list[Any], fields: dict[str, Any]) -> None:
    # A request for a JSON object is refused unless a message says "json".
    body = {"model": MODEL, "messages": [{"role": "system", "content": "json"}, *messages], **fields}
    with urllib.request.urlopen(f"{sandbox}/models?include=pricing") as response:
        bounds, _ = estimate(body, response.read())
    headers = {"Authorization": "Bearer sandbox", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{sandbox}/chat/completions", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request) as response:
        billed = json.load(response, parse_float=Decimal)
    for name, bound in zip(("prompt_tokens", "completion_tokens"), bounds.values(), strict=False):
        assert bound is not None
        assert bound >= billed["usage"][name]
    usd = bounds["usd_at_most"]
    assert usd is not None
    assert usd >= billed["meta"]["usage"]["usd_spent"]


def test_a_text_that_grows_when_it_is_composed_counts_as_composed() -> None:
    """U+0958 is three bytes, and six in the form (NFC) in which tokenizers take it."""
    bounds, _ = estimate({"model": MODEL, "messages": [{"role": "user", "content": "\u0958"}]}, b'{"data": []}')
    assert bounds["prompt_tokens_at_most"] == 2 * 32 + 6
