"""`--schema`: a JSON Schema that the answer is requested to fit, and has to."""

import json

import hypothesis.strategies as st
import pytest
from hypothesis import given

from qwen_cli.request.body import named_schema
from tests.api_server import ApiServer, events, reply
from tests.bodies import Json, chunks, completion
from tests.dry_run import fields_of
from tests.program import Program

ANSWER_SCHEMA: Json = {"type": "object", "properties": {"n": {"type": "integer"}}}


class TestSchema:
    def test_asks_for_json_that_fits_it_strictly(self, qwen: Program) -> None:
        qwen.file("weather report.v2.json", json.dumps(ANSWER_SCHEMA))
        wanted = {"name": "weather_report", "schema": ANSWER_SCHEMA, "strict": True}
        assert fields_of(qwen, "--schema", "weather report.v2.json") == {
            "response_format": {"type": "json_schema", "json_schema": wanted}
        }

    def test_is_named_after_its_title(self, qwen: Program) -> None:
        qwen.file("a.json", json.dumps({"title": "Weather, in °C", **ANSWER_SCHEMA}))
        sent = fields_of(qwen, "--schema", "a.json")["response_format"]["json_schema"]
        assert sent["name"] == "Weather_in_C"

    @pytest.mark.parametrize("content", ["[]", '"x"', "{", ""])
    def test_a_file_that_holds_none_ends_with_7(self, qwen: Program, api: ApiServer, content: str) -> None:
        qwen.file("a.json", content)
        result = qwen.call("ask", "--schema", "a.json", "hi")
        assert result.status == 7
        assert result.message.startswith("a.json is not")
        assert not api.requests

    def test_an_answer_that_is_no_json_ends_with_9(self, qwen: Program, api: ApiServer) -> None:
        qwen.file("a.json", json.dumps(ANSWER_SCHEMA))
        api.answer(reply(completion("Sure!")), reply(completion('{"n": 1}')))
        result = qwen.call("ask", "--schema", "a.json", "hi")
        assert (result.status, result.text) == (9, "Sure!\n")
        assert "json_schema was requested" in result.message
        assert qwen.call("ask", "--schema", "a.json", "hi").status == 0


@given(st.text(), st.text(st.characters(exclude_characters="/\0"), min_size=1))
def test_the_name_of_a_schema_is_one_that_the_api_takes(title: str, path: str) -> None:
    name = named_schema({"title": title}, path).name
    assert 1 <= len(name) <= 64
    assert name.isascii()
    assert all(character.isalnum() or character in "_-" for character in name)


SCHEMA = '{"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}, "b/c": {"type": "integer"}}}'


@pytest.mark.parametrize("command", [("ask",), ("stream",), ("json",), ("json", "--stream")], ids=" ".join)
def test_an_answer_that_does_not_fit_the_schema_is_9_and_names_the_place(
    qwen: Program, api: ApiServer, command: tuple[str, ...]
) -> None:
    qwen.file("s.json", SCHEMA)
    content = '{"a": 1, "b/c": "x"}'
    api.answer(events(chunks(content)) if "stream" in command[-1] else reply(completion(content)))
    result = qwen.call(*command, "--schema", "s.json", "hi")
    assert result.status == 9
    assert result.message == (
        'the answer does not fit the schema: /a: 1 is not of type "string"; /b~1c: "x" is not of type "integer"'
    )


def test_two_errors_are_reported_and_the_rest_counted(qwen: Program, api: ApiServer) -> None:
    qwen.file("s.json", '{"items": {"type": "string"}}')
    api.answer(reply(completion("[1, 2, 3, 4]")))
    result = qwen.call("ask", "--schema", "s.json", "hi")
    assert result.status == 9
    assert result.message.endswith('/1: 2 is not of type "string"; and 2 more')


@pytest.mark.parametrize("draft", ["draft-04/schema#", "draft-06/schema#", "draft-07/schema#"])
def test_older_drafts_and_references_within_the_file_are_known(qwen: Program, api: ApiServer, draft: str) -> None:
    schema = {"$schema": f"http://json-schema.org/{draft}", "$ref": "#/definitions/a"}
    qwen.file("s.json", json.dumps(schema | {"definitions": {"a": {"type": "integer"}}}))
    api.answer(reply(completion("1")), reply(completion('"x"')))
    assert [qwen.call("ask", "--schema", "s.json", "hi").status for _ in range(2)] == [0, 9]


@pytest.mark.parametrize("schema", ['{"type": "strng"}', '{"$ref": "#/$defs/none"}', '{"pattern": "(?=a)b"}'])
def test_a_schema_that_is_none_is_2_and_nothing_is_sent(qwen: Program, api: ApiServer, schema: str) -> None:
    qwen.file("s.json", schema)
    result = qwen.call("ask", "--schema", "s.json", "hi")
    assert (result.status, api.requests) == (2, [])
    assert result.message.startswith("s.json is not a valid JSON Schema: ")


def test_a_remote_reference_is_2_and_never_fetched(qwen: Program) -> None:
    with ApiServer() as elsewhere:
        for target in (elsewhere.base_url, "file:///etc/hostname", "other.json"):
            qwen.file("s.json", json.dumps({"$ref": target}))
            result = qwen.call("ask", "--schema", "s.json", "hi")
            assert result.status == 2
            assert "not in the file" in result.message
        assert elsewhere.connections == 0


def test_a_pattern_takes_linear_time(qwen: Program, api: ApiServer) -> None:
    qwen.file("s.json", '{"type": "string", "pattern": "^(a+)+$"}')
    api.answer(reply(completion(json.dumps("a" * 50_000 + "b"))))
    result = qwen.call("ask", "--schema", "s.json", "hi")
    assert result.status == 9
    assert len(result.message) < 300
