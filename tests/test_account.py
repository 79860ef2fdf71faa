"""`cost --balance` and `--period`: what the account reports."""

import json

import pytest

from tests.api_server import ApiServer, reply
from tests.bodies import Json
from tests.control_characters import EVERYTHING, obeyed
from tests.program import KEY, Program


class TestAccount:
    """`--period` and `--balance` ask the account."""

    REPORT: Json = {  # noqa: RUF012 -- a constant
        "spend": 1.25,
        "requests": 7,
        "models": [
            {"model": "alibaba/qwen3.6-35b-a3b", "spend": 1e-06, "requests": 5},
            {"model": "another", "spend": 1.2, "requests": None},
        ],
        "groups": [],
    }

    def test_balance_is_what_is_left(self, qwen: Program, api: ApiServer) -> None:
        api.answer(*[reply({"current_balance": 123.45, "currency": "USD"})] * 2)
        result = qwen("cost", "--balance")
        assert (result.status, result.text, result.stderr) == (0, "usd_balance\t123.45\n", "")
        assert json.loads(qwen("cost", "--balance", "--json").text) == {"usd_balance": 123.45}
        assert {(sent.method, sent.path, sent.body) for sent in api.requests} == {("GET", "/v2/billing", b"")}
        assert api.requests[0].headers["authorization"] == f"Bearer {KEY}"

    def test_period_is_what_was_spent_by_model(self, qwen: Program, api: ApiServer) -> None:
        api.answer(*[reply(self.REPORT)] * 2)
        result = qwen.call("cost", "--period", "7d")
        assert (result.status, result.stderr) == (0, "")
        assert result.text == (
            "period\t7d\n"
            "usd_spent\t1.25\n"
            "requests\t7\n"
            "usd_spent:alibaba/qwen3.6-35b-a3b\t0.000001\n"
            "requests:alibaba/qwen3.6-35b-a3b\t5\n"
            "usd_spent:another\t1.2\n"
            "requests:another\t-\n"
        )
        assert api.requests[0].path == "/v2/usage/detail?period=7d"
        assert json.loads(qwen.call("cost", "--period", "7d", "--json").text) == {
            "period": "7d",
            "usd_spent": 1.25,
            "requests": 7,
            "models": [
                {"model": "alibaba/qwen3.6-35b-a3b", "usd_spent": 1e-06, "requests": 5},
                {"model": "another", "usd_spent": 1.2, "requests": None},
            ],
        }

    def test_the_name_of_a_model_cannot_break_a_line(self, qwen: Program, api: ApiServer) -> None:
        api.answer(reply({"spend": 1, "requests": 1, "models": [{"model": "a\tb\nc\x1b[2J", "spend": 1}]}))
        result = qwen.call("cost", "--period", "24h")
        assert result.text.splitlines()[3:] == ["usd_spent:a b c\\x1b[2J\t1", "requests:a b c\\x1b[2J\t-"]

    @pytest.mark.parametrize(
        "row", [{"spend": 1}, {"model": None, "spend": 1}, {"model": 7}, "another", None], ids=repr
    )
    def test_a_row_without_a_model_ends_with_9(self, qwen: Program, api: ApiServer, row: object) -> None:
        api.answer(reply({"spend": 1, "requests": 1, "models": [{"model": "another", "spend": 1}, row]}))
        result = qwen.call("cost", "--period", "7d")
        assert (result.status, result.stdout) == (9, b"")
        assert result.message == "the usage report has a row without a model"

    @pytest.mark.parametrize("flags", [("--period", "1h"), ("--balance",)], ids=" ".join)
    def test_takes_no_prompt_and_reads_no_standard_input(
        self, qwen: Program, api: ApiServer, flags: tuple[str, ...]
    ) -> None:
        result = qwen.call("cost", *flags, "hi")
        assert result.status == 2
        assert "--period" in result.message
        assert not api.requests

    @pytest.mark.parametrize("preview", ["--dry-run", "--curl"])
    def test_has_no_request_to_preview(self, qwen: Program, api: ApiServer, preview: str) -> None:
        result = qwen.call("cost", "--balance", preview)
        assert result.status == 2
        assert preview in result.message
        assert not api.requests

    def test_a_rejected_key_ends_with_3(self, qwen: Program, api: ApiServer) -> None:
        api.answer(reply({"message": "Invalid key", "statusCode": 401}, status=401))
        result = qwen.call("cost", "--balance")
        assert (result.status, result.stdout) == (3, b"")
        assert "Invalid key" in result.message


HTML = b"<!DOCTYPE html>\n<html><body>It works!</body></html>\n"


@pytest.mark.parametrize("arguments", [("cost", "--balance"), ("cost", "--period", "7d")], ids=" ".join)
@pytest.mark.parametrize("body", [b"", HTML, b"[]", b"null", b'{"current_balance": [], "spend": {}}'], ids=repr)
def test_an_account_report_of_another_kind_ends_with_9(
    qwen: Program, api: ApiServer, arguments: tuple[str, ...], body: bytes
) -> None:
    api.answer(reply(body=body))
    result = qwen.call(*arguments)
    assert (result.status, result.stdout) == (9, b"")
    assert result.message


def test_model_names_of_the_account_report_stay_on_their_lines(qwen: Program, api: ApiServer) -> None:
    rows = [{"model": "fine", "spend": 1, "requests": 2}, {"model": "a\tb\nc" + EVERYTHING, "spend": 2, "requests": 1}]
    report = {"spend": 3, "requests": 3, "models": rows, "by_model": rows, "data": rows, "groups": rows}
    api.answer(*[reply(report)] * 2)
    piped, shown = qwen.call("cost", "--period", "7d"), qwen.call("cost", "--period", "7d", terminal=["stdout"])
    assert (piped.status, shown.status) == (0, 0)
    assert obeyed(piped.stdout) == obeyed(shown.terminal) == []
    assert all(line.count("\t") == 1 for line in piped.text.splitlines())
    assert [line.split() for line in shown.terminal.decode().split("\r\n")] == [
        line.split() for line in piped.text.split("\n")
    ]
