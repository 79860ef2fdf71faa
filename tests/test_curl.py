"""`--curl` prints the same request for a shell."""

import json
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

from qwen_cli.endpoint import parse_endpoint
from qwen_cli.request.curl import as_curl, as_json
from tests.api_server import SILENCE, ApiServer, reply
from tests.bodies import Json, completion
from tests.program import KEY, Program, processes_of_session, require_tool


class TestCurl:
    """`--curl` prints the same request for a shell."""

    @pytest.mark.parametrize("text", ["hi", "it's $HOME `id` \\ \"x\" \n'JSON'\n", "JSON", "é\u2028🐎", "x" * 300_000])
    def test_running_it_sends_the_same_request(self, qwen: Program, api: ApiServer, text: str) -> None:
        require_tool("curl")
        qwen.file("prompt.txt", text)
        arguments = ("ask", "-f", "prompt.txt", "--request-id", "r-1")
        api.always(reply(completion("Hello.")))
        assert qwen.call(*arguments).status == 0
        line = qwen(*arguments, "--curl", env={"AIMLAPI_API_KEY": None})
        assert line.status == 0
        assert "AIMLAPI_API_KEY is not set" in line.message
        assert len(api.requests) == 1
        qwen.file("command", line.stdout)
        ran = qwen(script=". ./command")
        assert (ran.status, json.loads(ran.text)) == (0, completion("Hello."))
        own, curls = api.requests
        assert (curls.method, curls.path, curls.body.rstrip(b"\n")) == (own.method, own.path, own.body)
        for name in ("authorization", "content-type", "x-client-request-id"):
            assert curls.headers[name] == own.headers[name]

    @pytest.mark.parametrize("shell", ["dash", "bash", "zsh"])
    def test_the_key_is_in_no_command_line_of_any_shell(self, qwen: Program, api: ApiServer, shell: str) -> None:
        require_tool("curl")
        qwen.file("command", qwen.call("ask", "--curl", "it's $HOME `id`").stdout)
        api.answer((SILENCE,))
        with qwen.start(script=f"exec {require_tool(shell)} ./command") as running:
            api.wait_for_requests()
            lines = [Path(f"/proc/{each}/cmdline").read_bytes() for each in processes_of_session(running.pid)]
        assert api.request.headers["authorization"] == f"Bearer {KEY}"
        assert any(b"@/dev/fd/3" in line and line.startswith(b"curl") for line in lines)
        assert not any(KEY.encode() in line for line in lines)

    def test_the_key_is_a_variable(self, qwen: Program) -> None:
        shown = qwen.call("ask", "--curl", "hi").text
        assert "$AIMLAPI_API_KEY" in shown
        assert KEY not in shown

    def test_streaming_streams(self, qwen: Program) -> None:
        assert '"stream":true' in qwen.call("stream", "--curl", "hi").text


BODIES = st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text()))


@given(BODIES)
def test_a_body_is_compact_utf8_json_of_one_line(sent: Json) -> None:
    encoded = as_json(sent, pretty=False)
    assert json.loads(encoded) == sent
    assert "\n" not in encoded
    assert json.loads(as_json(sent, pretty=True)) == sent


@given(BODIES)
def test_no_body_ends_the_here_document_of_curl_early(sent: Json) -> None:
    endpoint = parse_endpoint("http://localhost/v1")
    *_, document, end = as_curl(sent, endpoint, request_id=None, key_variable="KEY").split("\n")
    assert end == "JSON"
    assert json.loads(document) == sent
