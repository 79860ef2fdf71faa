"""`--dry-run` shows the request body that would be sent."""

import json

import pytest

from tests.api_server import ApiServer, events, reply
from tests.bodies import chunks, completion
from tests.program import TERMINAL, Program


@pytest.mark.parametrize("command", ["ask", "stream", "json", "cost"])
def test_what_dry_run_shows_is_what_is_sent(qwen: Program, api: ApiServer, command: str) -> None:
    arguments = (command, "-t", "0.5", "--stop", "é", "-s", "Be brief.", "hi")
    shown = qwen.call(*arguments, "--dry-run", env={"AIMLAPI_API_KEY": None})
    assert (shown.status, shown.stderr) == (0, "")
    assert not api.requests
    api.answer(events(chunks("Hello.")) if command == "stream" else reply(completion("Hello.")))
    assert qwen(*arguments).status == 0
    assert shown.stdout == api.request.body + b"\n"


class TestDryRun:
    def test_a_terminal_gets_it_indented(self, qwen: Program) -> None:
        shown = qwen.call("ask", "--dry-run", "hi", terminal=TERMINAL, env={"TERM": "dumb"}).terminal
        assert b'{\r\n  "model": ' in shown

    def test_goes_to_a_file(self, qwen: Program) -> None:
        assert qwen.call("ask", "--dry-run", "-o", "body.json", "hi").stdout == b""
        assert json.loads(qwen.files()["body.json"])["messages"] == [{"role": "user", "content": "hi"}]
