"""The sandbox as a process that serves: what it refuses, and that nothing a client asks for stops it."""

import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.api_server import ApiServer
from tests.program import PROGRAM, Program, Running, wait_until
from tests.sandbox import CHAT, KEY, Answer, asking, chat, send

DEFINITIONS = {f"d{n}": {"oneOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
ENDLESS = {"$ref": "#/$defs/d0", "$defs": DEFINITIONS | {"d40": {"type": "string"}}}
"""Validation follows 2^40 ways."""
HOSTILE: dict[str, dict[str, Any]] = {
    "2^40 ways": ENDLESS,
    "a catastrophic pattern": {"type": "string", "pattern": "^(([a-z])+.)+[A-Z]([a-z])+$", "minLength": 50_000},
    "a pattern that looks behind": {"type": "string", "pattern": "(?<=(a|aa)+)b$", "minLength": 50_000},
    "itself": {"$ref": "#"},
    "itself in itself": {"type": "object", "required": ["a", "b"], "additionalProperties": {"$ref": "#"}},
    "itself in each of two ways": {"anyOf": [{"allOf": [{"$ref": "#"}, {"$ref": "#"}]}, {"$ref": "#"}]},
    "a trillion items": {"type": "array", "minItems": 10**12},
    "a hundred thousand lists of as many": {
        "type": "array",
        "minItems": 10**5,
        "items": {"type": "array", "minItems": 10**5},
    },
    "a trillion characters": {"type": "string", "minLength": 10**12},
    "a number beyond all": {"type": "integer", "minimum": 10**4000},
}


def base_url(running: Running) -> str:
    """Where a sandbox without a command says that it is."""
    running.wait_for(b"AIMLAPI_API_KEY")
    return running.output().decode().splitlines()[0].partition("=")[2]


@pytest.fixture
def sandbox(qwen: Program) -> Iterator[Running]:
    with qwen.start("sandbox") as running:
        yield running


def formatted(schema: object) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "thing", "schema": schema}}}


class Asking(threading.Thread):
    """Asks for an instance of a schema, which may take a while."""

    def __init__(self, url: str, schema: object) -> None:
        super().__init__()
        self.url, self.schema = url, schema
        self.answer: Answer | None = None
        self.seconds = 0.0
        self.start()

    def run(self) -> None:
        start = time.monotonic()
        self.answer = chat(self.url, **formatted(self.schema))
        self.seconds = time.monotonic() - start


def test_no_schema_keeps_the_sandbox_from_answering_others(sandbox: Running) -> None:
    url = base_url(sandbox)
    for name, schema in HOSTILE.items():
        hostile = Asking(url, schema)
        answered = 0
        while hostile.is_alive() or not answered:
            assert chat(url, "hello").choice["message"]["content"] == "hello"
            answered += 1
            hostile.join(0.05)
        assert hostile.answer is not None, name
        assert hostile.answer.status in {200, 400}, name
        if hostile.answer.status == 400:
            assert hostile.answer.json["message"].startswith("response_format.json_schema.schema"), name
        assert hostile.seconds < 6, f"{name} took {hostile.seconds} s"
        assert answered > 3 or schema is not ENDLESS, "the others had to wait"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_no_schema_keeps_a_signal_from_ending_the_sandbox(sandbox: Running, number: signal.Signals) -> None:
    url = base_url(sandbox)

    def ask() -> None:
        with pytest.raises(ConnectionError):
            chat(url, **formatted(ENDLESS))

    asking_endlessly = threading.Thread(target=ask)
    asking_endlessly.start()
    wait_until(lambda: has_children(sandbox.pid), "the search for an instance")
    start = time.monotonic()
    sandbox.send(number)
    assert sandbox.finish().status == 128 + number
    assert time.monotonic() - start < 0.9
    asking_endlessly.join()


def has_children(pid: int) -> bool:
    return any(children.read_text() for children in Path(f"/proc/{pid}/task").glob("*/children"))


def test_a_remote_reference_is_never_fetched(sandbox: Running, api: ApiServer) -> None:
    url = base_url(sandbox)
    elsewhere = f"http://127.0.0.1:{api.port}/schema.json"
    for schema in (
        {"$ref": elsewhere},
        {"$schema": elsewhere, "type": "object"},
        {"$id": elsewhere, "type": "object", "required": ["a"], "properties": {"a": {"$ref": "other.json"}}},
        {"anyOf": [{"$dynamicRef": elsewhere}, {"type": "null"}]},
    ):
        assert chat(url, **formatted(schema)).status == 400
    assert api.connections == 0


def test_a_web_page_is_refused_by_its_host_and_origin(sandbox: Running) -> None:
    url = base_url(sandbox)
    place = url.split("/")[2]
    port = place.partition(":")[2]

    def status(**headers: str) -> int:
        return send(url, "POST", CHAT, json.dumps(asking()).encode(), KEY | headers).status

    assert [status(Host=host) for host in ("evil.example", f"evil.example:{port}", f"127.0.0.1:{port}0")] == [403] * 3
    assert [status(Origin=origin) for origin in ("https://evil.example", "null", f"http://{place}.evil")] == [403] * 3
    assert [status(), status(Host=f"localhost:{port}"), status(Origin="http://localhost:3000")] == [200] * 3
    assert send(url, "GET", "/v1/models", headers={"Host": "evil.example"}).status == 403


PATHS = {
    CHAT: "POST",
    "/chat/completions": "POST",
    "/v1/models": "GET",
    "/v2/billing": "GET",
    "/v2/usage/detail": "GET",
}


def test_a_wrong_method_gets_the_one_that_is_allowed(sandbox: Running) -> None:
    url = base_url(sandbox)
    for path, allowed in PATHS.items():
        for method in {"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "BREW"} - {allowed}:
            answer = send(url, method, path)
            assert (answer.status, answer.headers["Allow"]) == (405, allowed), f"{method} {path}"
    assert send(url, "BREW", "/v1/coffee").status == 404


def test_requests_beyond_the_rate_get_a_time_to_retry(qwen: Program) -> None:
    with qwen.start("sandbox", "--rate", "5") as running:
        url = base_url(running)
        answers = [chat(url)]
        while answers[-1].status == 200 and len(answers) < 100:
            answers.append(chat(url))
        assert [answer.status for answer in answers[:5]] == [200] * 5
        assert (answers[-1].status, answers[-1].headers["Retry-After"]) == (429, "1")
        time.sleep(0.3)
        assert chat(url).status == 200


def test_a_rate_below_one_says_how_many_seconds(qwen: Program) -> None:
    with qwen.start("sandbox", "--rate", "0.2") as running:
        url = base_url(running)
        assert chat(url).status == 200
        assert chat(url).headers["Retry-After"] in {"4", "5"}


SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "size": {"enum": ["small", "large"]}},
    "required": ["name", "size"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "order", "parameters": SCHEMA}}


def test_an_invalid_answer_is_json_outside_the_schema(qwen: Program) -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    with qwen.start("sandbox", "--fault", "invalid") as running:
        url = base_url(running)
        content = chat(url, **formatted(SCHEMA)).choice["message"]["content"]
        assert not validator.is_valid(json.loads(content))
        streamed = chat(url, stream=True, **formatted(SCHEMA)).chunks
        assert "".join(chunk["choices"][0]["delta"]["content"] or "" for chunk in streamed) == content
        (call,) = chat(url, tools=[TOOL], tool_choice="required").choice["message"]["tool_calls"]
        assert not validator.is_valid(json.loads(call["function"]["arguments"]))
        for fields in ({"response_format": {"type": "json_object"}}, formatted({})):
            with pytest.raises(ValueError, match="Expecting value"):
                json.loads(chat(url, **fields).choice["message"]["content"])


def test_the_program_finds_an_invalid_answer_out_and_asks_again(qwen: Program) -> None:
    qwen.file("schema.json", json.dumps(SCHEMA))
    ask = (*PROGRAM, "ask", "--schema", "schema.json", "An order")
    assert qwen("sandbox", "--fault", "invalid", "--", *ask).status == 9
    result = qwen("sandbox", "--fault", "invalid*1", "--", *ask, "--reask", "1")
    assert result.status == 0
    jsonschema.validate(json.loads(result.text), SCHEMA)
