"""`map --max-usd`: nothing more is sent once so much is spent."""

from collections.abc import Iterable

from tests.api_server import ApiServer, Request, Step, reply
from tests.bodies import completion, error
from tests.echo import asked, echo
from tests.program import Program


class TestBudget:
    def test_ends_the_run(self, qwen: Program, api: ApiServer) -> None:
        api.always(echo)
        result = qwen("map", "-P", "2", "--max-usd", "0.001", input="".join(f"{n}\n" for n in range(1000)))
        assert result.status == 12
        sent = len(api.requests)
        assert 8 <= sent <= 10
        assert result.text == "".join(f"{n}\n" for n in range(sent))
        assert f"{1000 - sent} items were not sent" in result.message

    def test_counts_what_was_asked_again_in_vain(self, qwen: Program, api: ApiServer) -> None:
        def answer(request: Request) -> Iterable[Step]:
            is_asked_again = len(request.json["messages"]) > 2
            meta = {"usage": {"usd_spent": 1.0}}
            return reply(error(400), status=400) if is_asked_again else reply(completion("no JSON", meta=meta))

        api.always(answer)
        options = ("--max-usd", "2", "--reask", "1", "--response-format", "json_object", "-u")
        result = qwen.call("map", "-P", "1", *options, input="a\nb\nc\nd\n")
        assert result.status == 12
        assert len(api.requests) == 4
        assert "2 USD" in result.stderr

    def test_cannot_be_kept_without_prices(self, qwen: Program, api: ApiServer) -> None:
        api.always(lambda request: reply(completion(asked(request), meta=None)))
        result = qwen.call("map", "-P", "1", "--max-usd", "2", input="a\nb\nc\n")
        assert (result.status, result.text) == (12, "a\n")
        assert "--max-usd cannot be kept" in result.message
        assert "2 items were not sent" in result.message

    def test_goes_by_the_cost_of_other_servers(self, qwen: Program, api: ApiServer) -> None:
        api.always(lambda request: reply(completion(asked(request), meta=None, usage={"cost": 1})))
        result = qwen.call("map", "-P", "1", "--max-usd", "2", input="a\nb\nc\n")
        assert (result.status, result.text) == (12, "a\nb\n")

    def test_is_kept_while_nobody_reads(self, qwen: Program, api: ApiServer) -> None:
        """The answers cannot be written, and still nothing is started beyond the limit."""
        long = "y" * 20_000
        api.always(lambda _: reply(completion(long)))
        result = qwen("map", "--max-usd", "0.002", script='"$@" | { sleep 1; cat; }', input="x\n" * 500)
        assert len(api.requests) <= 16 + 8
        assert result.text == f"{long}\n" * len(api.requests)
