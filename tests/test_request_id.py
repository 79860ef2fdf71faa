"""`--request-id`: a header of the request, and of its alphabet."""

import pytest

from tests.api_server import ApiServer, reply
from tests.bodies import completion
from tests.program import Program


class TestRequestId:
    def test_is_sent_as_a_header(self, qwen: Program, api: ApiServer) -> None:
        api.answer(reply(completion()))
        assert qwen("ask", "--request-id", "build:7_a.b-C", "hi").status == 0
        assert api.request.headers["x-client-request-id"] == "build:7_a.b-C"

    @pytest.mark.parametrize("value", ["", "a b", "é", "a/b", "x" * 129, "a\n", "a\r\nX-Evil: 1"])
    def test_outside_its_alphabet_is_a_usage_error(self, qwen: Program, api: ApiServer, value: str) -> None:
        result = qwen.call("ask", "--request-id", value, "hi")
        assert result.status == 2
        assert "--request-id" in result.message
        assert "1 to 128 characters" in result.message
        assert not api.requests


@pytest.mark.parametrize("ending", ["\n", "\r\nX-Evil: 1", "\x00", "\u0085", " x", "é"], ids=repr)
def test_a_request_id_cannot_smuggle_anything(qwen: Program, api: ApiServer, ending: str) -> None:
    if "\0" not in ending:
        result = qwen.call("ask", "--request-id", f"id{ending}", "hi")
        assert (result.status, result.stdout) == (2, b"")
        assert "--request-id" in result.message
        result = qwen.call("ask", "hi", env={"QWEN_CLI_REQUEST_ID": f"id{ending}"})
        assert (result.status, result.stdout) == (2, b"")
        assert "QWEN_CLI_REQUEST_ID" in result.message
    assert api.requests == []
