"""Instances of JSON Schemas: what the sandbox answers where JSON is requested, and which schemas it refuses."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import hypothesis.strategies as st
import jsonschema
import pytest
from hypothesis import given, settings

from qwen_cli.sandbox.request import ApiError
from qwen_cli.sandbox.schema_instance import find
from tests.api_server import ApiServer
from tests.program import Program, Running
from tests.sandbox import Answer, chat, formatted

LEAVES = st.one_of(
    st.sampled_from([True, {}, {"type": "boolean"}, {"type": "null"}, {"enum": [1, "x"]}, {"const": {"k": [1]}}]),
    st.builds(lambda n: {"type": "string", "minLength": n, "maxLength": n + 1}, st.integers(0, 40)),
    st.builds(
        lambda n, k: {"type": "integer", "minimum": n, "maximum": n + k}, st.integers(-99, 99), st.integers(0, 3)
    ),
    st.builds(lambda n: {"type": "number", "exclusiveMinimum": n, "exclusiveMaximum": n + 1}, st.integers(-9, 9)),
    st.just({"$ref": "#/$defs/leaf"}),
    st.just({"$ref": "#/$defs/list"}),
)


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    names = st.sampled_from("abc")
    return st.one_of(
        st.builds(
            lambda properties, required: {"type": "object", "properties": properties, "required": sorted(required)},
            st.dictionaries(names, inner),
            st.sets(names),
        ),
        st.builds(lambda items, n: {"type": "array", "items": items, "minItems": n}, inner, st.integers(0, 3)),
        st.builds(lambda parts: {"anyOf": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda part: {"allOf": [part, {"description": "as it is"}]}, inner),
    )


@settings(max_examples=150, deadline=None)
@given(st.recursive(LEAVES, nested, max_leaves=12))
def test_every_schema_of_common_keywords_gets_a_valid_instance(schema: Any) -> None:
    linked = {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#/$defs/list"}, {"type": "null"}]}}}
    root = {
        "allOf": [schema],
        "$defs": {"leaf": {"type": "string", "minLength": 1}, "list": linked | {"required": ["next"]}},
    }
    instance = find(root)
    validator = jsonschema.Draft202012Validator(root)
    assert validator.is_valid(instance)


@pytest.mark.parametrize(
    ("schema", "instance"),
    [
        ({}, {}),
        ({"required": ["z"]}, {"z": {}}),
        (
            {"properties": {"a": {"properties": {"b": {"const": 1}}, "required": ["b"]}}, "required": ["a"]},
            {"a": {"b": 1}},
        ),
        ({"type": ["null", "string"]}, None),
        ({"type": "boolean"}, False),
        ({"type": "string", "minLength": 3}, "aaa"),
        ({"type": "string", "pattern": "^[a-z_]{1,8}$"}, "a"),
        ({"type": "string", "format": "date"}, "2026-01-01"),
        ({"type": "string", "format": "date-time"}, "2026-01-01T00:00:00Z"),
        ({"type": "string", "format": "email"}, "a@example.org"),
        ({"type": "string", "format": "uri"}, "https://example.org/"),
        ({"type": "string", "format": "uuid"}, "00000000-0000-4000-8000-000000000000"),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5),
        ({"type": "integer", "exclusiveMinimum": 3}, 4),
        ({"allOf": [{"type": "number", "minimum": 3}, {"type": "integer", "maximum": 5}]}, 3),
        ({"allOf": [{"properties": {"a": {"const": 1}}, "required": ["a"]}], "properties": {"b": {}}}, {"a": 1}),
        ({"allOf": [{"properties": {"a": {"const": 1}}}, {"required": ["a"]}]}, {"a": 1}),
        ({"oneOf": [{"type": "integer"}, {"type": "number", "minimum": 0.5}]}, 0),
        ({"anyOf": [{"type": "string"}, {"const": 7}]}, ""),
        ({"anyOf": [{"type": "object", "required": ["a"], "properties": {"a": False}}, {"const": 7}]}, 7),
        ({"properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}, "required": ["next"]}, {"next": None}),
        ({"properties": {"items": {"type": "array", "items": {"$ref": "#"}}}, "required": ["items"]}, {"items": []}),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/c"}, "c": {"const": 3}}}, 3),
        ({"$ref": "#/definitions/a", "definitions": {"a": {"const": 3}, "b": {"$ref": "#/nowhere"}}}, 3),
        ({"$id": "https://example.org/it", "$schema": "http://json-schema.org/draft-07/schema#", "const": 3}, 3),
        ({"properties": {"$ref": {"const": 1}, "pattern": {"const": 2}}, "required": ["$ref"]}, {"$ref": 1}),
        ({"if": {"required": ["a"]}, "then": {"required": ["b"]}, "not": {"required": ["c"]}}, {}),
    ],
)
def test_small_instances(schema: Any, instance: object) -> None:
    found = find(schema)
    assert found == instance
    jsonschema.validate(instance, schema)


TYPES = ("Add", "Mul", "Pow", "Neg", "Number")
MODELS: dict[str, Any] = {
    "$defs": {
        "Pet": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"], "title": "Pet"},
        "Level": {"enum": [1, 2], "type": "integer", "title": "Level"},
        "Number": {"type": "object", "properties": {"value": {"type": "number"}}, "required": ["value"]},
        **{
            name: {
                "type": "object",
                "properties": {
                    "kind": {"const": name},
                    "of": {"anyOf": [{"$ref": f"#/$defs/{each}"} for each in TYPES]},
                },
                "required": ["kind", "of"],
                "additionalProperties": False,
            }
            for name in TYPES[:-1]
        },
    },
    "type": "object",
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "email": {"type": "string", "format": "email", "pattern": r"^(?!\.)(?!.*\.\.)[\w.+-]+@([a-z-]+\.)+[a-z]{2,}$"},
        "pets": {"type": "array", "items": {"$ref": "#/$defs/Pet"}, "minItems": 1},
        "level": {"$ref": "#/$defs/Level", "description": "of the owner"},
        "price": {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^(?!^[-+.]*$)[+-]?0*\d*\.?\d*$"}]},
        "share": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        "counts": {"type": "object", "additionalProperties": {"type": "integer"}},
        "expression": {"$ref": "#/$defs/Add"},
    },
    "additionalProperties": False,
}


def test_a_schema_as_libraries_make_them_gets_an_instance() -> None:
    """Pydantic and zod: look-ahead in patterns, nullable fields, types that contain each other, nothing optional."""
    schema = MODELS | {"required": [*MODELS["properties"]]}
    instance = find(schema)
    jsonschema.validate(instance, schema)
    assert instance["email"] == "a@example.org"
    assert instance["share"] == 0.5
    assert instance["expression"] == {"kind": "Add", "of": {"value": 0}}


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "strng"}, "^field: .* is not valid under any"),
        ({"properties": {"a": {"minLength": -1}}}, "^field: .* less than the minimum"),
        ({"type": "string", "pattern": "(?=a)b"}, "^field: .* lead to none"),
        ({"enum": []}, "^field"),
        ({"$ref": "#/nowhere"}, "^field: .* has no #/nowhere, and nothing is fetched"),
        ({"$ref": "https://example.org/schema"}, "^field: .* nothing is fetched"),
        ({"$ref": "#/$defs/a/x", "$defs": {"a": 3}}, "^field: .* has no #/"),
        ({"type": "object", "unevaluatedProperties": False}, "^field: .* it uses unevaluatedProperties"),
        ({"type": "string", "pattern": "^[0-9]{3}-[a-z]$"}, "^field: .* lead to none"),
        ({"type": "integer", "minimum": 3, "maximum": 2}, "^field: .* lead to none"),
        ({"type": "array", "uniqueItems": True, "minItems": 2}, "^field: .* lead to none"),
        ({"not": {"type": "object"}}, "^field: .* lead to none"),
        ({"type": "string", "minLength": 10**12}, "^field: .* too large"),
        ({"type": "array", "minItems": 10**12}, "^field: .* too large"),
        ({"const": "lone \ud800"}, "^field: "),
        ({"required": ["a"], "type": "object", "properties": {"a": {"$ref": "#"}}}, "^field: .* lead to none"),
        (
            {"anyOf": [False, {"type": "object", "required": ["a"], "additionalProperties": False}]},
            "^field: .* lead to none",
        ),
    ],
)
def test_other_schemas_are_refused_with_the_reason(schema: Any, message: str) -> None:
    with pytest.raises(ApiError, match=message) as refusal:
        find(schema, "field")
    assert refusal.value.status == 400


# Hostile ones, each met by a sandbox of its own process

DEFINITIONS = {f"d{n}": {"oneOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
ENDLESS = {"$ref": "#/$defs/d0", "$defs": DEFINITIONS | {"d40": {"type": "string"}}}
"""Validation would follow 2^40 ways."""


def nesting(inner: Any, depth: int, **around: Any) -> Any:
    """The schema that many arrays or other keywords deep."""
    for _ in range(depth):
        inner = {name: [inner] if name == "allOf" else inner for name in around} | {"type": "array", "minItems": 1}
    return inner


HOSTILE: dict[str, dict[str, Any]] = {
    "2^40 ways": ENDLESS,
    "2^40 ways to count what was evaluated": ENDLESS | {"unevaluatedProperties": False},
    "a catastrophic pattern": {"type": "string", "pattern": "^(([a-z])+.)+[A-Z]([a-z])+$", "minLength": 20_000},
    "a pattern that looks behind": {"type": "string", "pattern": "(?<=(a|aa)+)b$", "minLength": 20_000},
    "a thousand large patterns": {"properties": {f"p{n}": {"pattern": f"(a{{99}}){{99}}{n}"} for n in range(1000)}},
    "itself": {"$ref": "#"},
    "itself in itself": {"type": "object", "required": ["a", "b"], "additionalProperties": {"$ref": "#"}},
    "itself in each of two ways": {"anyOf": [{"allOf": [{"$ref": "#"}, {"$ref": "#"}]}, {"$ref": "#"}]},
    "itself, thirty times": {"anyOf": [{"required": [f"p{n}"], "items": {"$ref": "#"}} for n in range(30)]},
    "a trillion items": {"type": "array", "minItems": 10**12},
    "a hundred thousand lists of as many": nesting({"type": "null"}, 2, items=0) | {"minItems": 10**5},
    "a trillion characters": {"type": "string", "minLength": 10**12},
    "a long constant many times": {"type": "array", "minItems": 10_000, "items": {"const": "x" * 1_000_000}},
    "a million of a kind": {"type": "array", "minItems": 10_000, "items": {"enum": list(range(1_000_000))}},
    "a number beyond all": {"type": "integer", "minimum": 10**4000},
    "thousands of dead ends": {"anyOf": [{"required": [f"p{n}"], "properties": {f"p{n}": False}} for n in range(2500)]},
    "a gap too narrow, thousands of times": {
        "anyOf": [{"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.1}] * 1000
    },
    "200 arrays deep": nesting({"type": "null"}, 200, items=0),
    "200 parts deep": nesting({"type": "array"}, 200, allOf=0),
}


def base_url(running: Running) -> str:
    """Where a sandbox without a command says that it is."""
    running.wait_for(b"AIMLAPI_API_KEY")
    return running.output().decode().splitlines()[0].partition("=")[2]


@pytest.fixture
def sandbox(qwen: Program) -> Iterator[Running]:
    with qwen.start("sandbox") as running:
        yield running


class Asking(threading.Thread):
    """Asks for an instance of a schema, which may take a while."""

    def __init__(self, url: str, schema: object) -> None:
        super().__init__()
        self.url, self.schema = url, schema
        self.answer: Answer | None = None
        self.start()

    def run(self) -> None:
        self.answer = chat(self.url, **formatted(self.schema))


def test_no_schema_keeps_the_sandbox_busy(sandbox: Running) -> None:
    """Each is answered within the client's time limit, a busy machine granted, and so is whoever asks meanwhile."""
    url = base_url(sandbox)
    for name, schema in HOSTILE.items():
        start = time.monotonic()
        hostile = Asking(url, schema)
        assert chat(url, "hello").content == "hello"
        hostile.join(30)
        assert hostile.answer is not None, name
        assert time.monotonic() - start < 30, name
        assert hostile.answer.status in {200, 400}, name
        if hostile.answer.status == 400:
            assert hostile.answer.message.startswith(("response_format.json_schema.schema", "body: a number")), name
        else:
            json.loads(hostile.answer.content)


def test_a_remote_reference_is_never_fetched(sandbox: Running, api: ApiServer) -> None:
    url = base_url(sandbox)
    elsewhere = f"http://127.0.0.1:{api.port}/schema.json"
    for schema, status in (
        ({"$ref": elsewhere}, 400),
        ({"$schema": elsewhere, "type": "object"}, 200),
        ({"$id": elsewhere, "type": "object", "required": ["a"], "properties": {"a": {"$ref": "other.json"}}}, 400),
        ({"anyOf": [{"$dynamicRef": elsewhere}, {"type": "null"}]}, 400),
    ):
        assert chat(url, **formatted(schema)).status == status
    assert api.connections == 0
