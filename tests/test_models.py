"""`qwen-cli models`: the server's models, one per line."""

from typing import Any

import pytest

from tests.api_server import ApiServer, reply
from tests.program import Program, lines_of

PRICED = {
    "kind": "fixed",
    "units": [
        {"measure": "input", "price": 0.4875, "per": 1_000_000},
        {"measure": "output", "price": 2.925, "per": 1_000_000},
    ],
}
NO_SENSE = {"kind": "fixed", "units": [{"measure": "input", "price": 1, "per": 0}, {"measure": "output", "price": 2}]}
MODELS: list[Any] = [
    {"id": "qwen/Large", "info": {"contextLength": 256000}, "pricing": PRICED},
    {"id": "alpha-local", "max_model_len": 4096, "pricing": {"kind": "fixed", "units": None}},
    {"id": "qwen/small", "pricing": NO_SENSE},
    {"name": "one without an id"},
]
LINES = ["alpha-local\t-\t-\t4096", "qwen/Large\t0.4875\t2.925\t256000", "qwen/small\t-\t-\t-"]


def test_prints_ids_prices_and_context_lengths_sorted_without_a_key(qwen: Program, api: ApiServer) -> None:
    api.answer(reply({"object": "list", "data": MODELS}))
    result = qwen("models")
    assert (result.status, result.stderr) == (0, "")
    assert result.text.splitlines() == LINES
    request = api.requests[0]
    assert (request.method, request.path) == ("GET", "/v1/models?include=pricing")
    assert "authorization" not in request.headers


@pytest.mark.parametrize(
    ("texts", "lines"), [(["QWEN"], LINES[1:]), (["large", "qwen"], LINES[1:2]), (["-"], LINES[:1]), (["zebra"], [])]
)
def test_words_select_ids_that_contain_all_of_them(
    qwen: Program, api: ApiServer, texts: list[str], lines: list[str]
) -> None:
    api.answer(reply({"data": MODELS}))
    result = qwen.call("models", *texts)
    assert (result.status, result.text.splitlines()) == (0, lines)
    assert result.stderr == ("" if lines else "qwen-cli: no model of the server contains zebra\n")


def test_columns_and_a_heading_on_a_terminal(qwen: Program, api: ApiServer) -> None:
    api.answer(reply({"data": [*MODELS, {"id": "evil\x1b[2J\nname"}]}))
    result = qwen.call("models", terminal=["stdout"])
    assert result.terminal.decode().splitlines() == [
        "MODEL             USD/M IN  USD/M OUT  CONTEXT",
        "alpha-local              -          -     4096",
        "evil\\x1b[2J name         -          -        -",
        "qwen/Large          0.4875      2.925   256000",
        "qwen/small               -          -        -",
    ]


def test_a_note_follows_nothing_without_a_blank_line(qwen: Program, api: ApiServer) -> None:
    api.answer(reply({"data": MODELS}))
    result = qwen.call("models", "zebra", terminal=["stdout", "stderr"])
    assert [*filter(None, lines_of(result.terminal)), ""] == lines_of(result.terminal)
    assert "no model of the server contains zebra" in lines_of(result.terminal)[0]


def test_json_is_the_list_as_it_came(qwen: Program, api: ApiServer) -> None:
    body = b'{ "data": [ {"id": "b"}, {"id": "a", "extra": 1.0} ] }\n\n'
    api.answer(reply(body=body))
    assert qwen.call("models", "--json").stdout == body.rstrip() + b"\n"


def test_json_takes_no_words(qwen: Program) -> None:
    result = qwen.call("models", "--json", "qwen")
    assert result.status == 2
    assert "select with jq" in result.message


def test_an_array_alone_is_a_list_too(qwen: Program, api: ApiServer) -> None:
    api.answer(reply([{"id": "b"}, {"id": "a"}]))
    assert qwen.call("models").text == "a\t-\t-\t-\nb\t-\t-\t-\n"


@pytest.mark.parametrize(
    ("pricing", "prices"),
    [
        ({"prompt": "0.0000004", "completion": ".000002"}, "0.4\t2"),
        ({"prompt": "-1", "completion": "free"}, "-\t-"),
        ({"prompt": 0.1, "completion": None}, "-\t-"),
        ("on request", "-\t-"),
        (PRICED | {"currency": "EUR"}, "-\t-"),
    ],
)
def test_prices_may_stand_for_one_token_each_or_not_be_prices(
    qwen: Program, api: ApiServer, pricing: Any, prices: str
) -> None:
    api.answer(reply({"data": [{"id": "a", "pricing": pricing}]}))
    assert qwen.call("models").text == f"a\t{prices}\t-\n"


def test_a_server_without_models_has_no_lines(qwen: Program, api: ApiServer) -> None:
    api.answer(*[reply({"data": []})] * 2)
    assert qwen.call("models").stdout == b""
    assert qwen.call("models", terminal=["stdout"]).terminal == b""


def test_the_key_is_sent_where_the_server_wants_it(qwen: Program, api: ApiServer) -> None:
    api.answer(reply({"message": "who are you?"}, status=401), reply({"data": [{"id": "a"}]}))
    assert qwen.call("models").text == "a\t-\t-\t-\n"
    assert ["authorization" in request.headers for request in api.requests] == [False, True]


@pytest.mark.parametrize(
    ("status", "body", "expected", "words"),
    [
        (401, {"message": "who are you?"}, 3, "HTTP 401: who are you?"),
        (404, {"detail": "Not Found"}, 4, "the server has no list of models: HTTP 404: Not Found"),
        (200, {"error": {"message": "no such tenant", "code": "invalid_api_key"}}, 3, "no such tenant"),
        (200, {"error": "models are on holiday"}, 9, "models are on holiday"),
        (200, {"object": "list"}, 9, "the list of models has no array 'data' but null"),
    ],
)
def test_an_error_of_the_server_is_shown(
    qwen: Program, api: ApiServer, status: int, body: dict[str, Any], expected: int, words: str
) -> None:
    api.answer(reply(body, status=status))
    result = qwen.call("models", env={"AIMLAPI_API_KEY": None})
    assert (result.status, result.stdout) == (expected, b"")
    assert words in result.message
