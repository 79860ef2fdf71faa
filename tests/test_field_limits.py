"""Every request field of the API has its flag, and what the flags send is what the API's schema takes."""

import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

import hypothesis.strategies as st
import jsonschema
import pytest
from hypothesis import given, settings

from qwen_cli.cli.commands import run_command
from qwen_cli.prompt.messages import PromptOptions
from qwen_cli.request import field_limits
from qwen_cli.request.body import RequestOptions
from tests.api_server import ApiServer, Request, Step, events, reply
from tests.bodies import Json, chunk, chunks, completion, tool_call
from tests.program import KEY, Program
from tests.provider import OPENAPI, provider_schema, with_the_document

SENT_BY = {"stream_options": "include_usage", "stream": "stream"}
"""Fields whose option has another name; `stream` is a command, and a flag of `json`."""


PROVIDER_SCHEMA: Any = provider_schema("request") if OPENAPI.exists() else None


def violations(body: Json) -> list[str]:
    """What either schema refuses of that body, and the fields that neither of them knows."""
    found = [f"unknown field: {name}" for name in body.keys() - field_limits.FIELDS.keys()]
    for schema in (field_limits.BODY, PROVIDER_SCHEMA):
        if schema is not None:
            found += [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(body)]
    return found


def test_every_field_of_the_schema_has_an_option_of_its_name() -> None:
    own = {*RequestOptions._fields, *PromptOptions._fields, "stream"}
    assert {SENT_BY.get(field, field) for field in field_limits.FIELDS} - own == set()


@with_the_document
def test_the_schema_names_the_fields_of_the_providers_document() -> None:
    assert PROVIDER_SCHEMA["properties"].keys() == field_limits.FIELDS.keys()
    assert set(PROVIDER_SCHEMA["required"]) == set(field_limits.BODY["required"])


@with_the_document
@pytest.mark.parametrize("field", field_limits.RANGES)
def test_the_ranges_are_those_of_the_providers_document(field: str) -> None:
    schema = PROVIDER_SCHEMA["properties"][field]
    schema = next((part for part in schema.get("anyOf", []) if part["type"] != "null"), schema)
    assert (schema["minimum"], schema.get("maximum")) == field_limits.RANGES[field]


@with_the_document
def test_the_choices_are_those_of_the_providers_document() -> None:
    properties = PROVIDER_SCHEMA["properties"]
    assert tuple(properties["reasoning_effort"]["enum"]) == field_limits.REASONING_EFFORTS
    assert tuple(properties["tool_choice"]["anyOf"][0]["enum"]) == field_limits.TOOL_CHOICES
    kinds = [option["properties"]["type"]["enum"][0] for option in properties["response_format"]["oneOf"]]
    assert sorted(kinds) == sorted([*field_limits.RESPONSE_FORMATS, "json_schema"])
    assert properties["model"]["enum"] == [field_limits.MODEL]


BROKEN: list[Json] = [
    {"temperature": 2.1},
    {"seed": 1.5},
    {"stop": ["a"] * 5},
    {"logit_bias": {"1": 101}},
    {"tools": [{"type": "function", "function": {"name": "a"}}]},
    {"tool_choice": "maybe"},
    {"response_format": {"type": "json_schema"}},
    {"messages": [{"content": "x"}]},
    {"surprise": 1},
]


@pytest.mark.parametrize("change", BROKEN, ids=lambda change: next(iter(change)))
def test_the_schemas_refuse_what_is_broken(change: Json) -> None:
    assert violations({"model": field_limits.MODEL, "messages": [{"role": "user", "content": "x"}]}) == []
    assert violations({"model": field_limits.MODEL, "messages": [{"role": "user", "content": "x"}]} | change)


# Random valid flags, and what they were really sent as

WORD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)
FUNCTION_NAME = st.from_regex(f"^{field_limits.NAME}$", fullmatch=True)
OBJECTS = st.dictionaries(WORD, st.integers() | WORD | st.none(), max_size=3)
GIF = "data:image/gif;base64,R0lGODlhAQABAAAAACw="


def spelled(low: float, high: float, *, whole: bool) -> st.SearchStrategy[tuple[str, Any]]:
    """A number of that range, spelled in one of the ways in which people write it, and the number."""
    numbers = st.integers(int(low), int(high)) if whole else st.floats(low, high, allow_subnormal=False)
    return numbers.flatmap(lambda value: st.sampled_from([(str(value), value), (repr(value), value)]))


def as_json(value: Any) -> str:
    return json.dumps(value)


@st.composite
def tools(draw: st.DrawFn) -> Any:
    """One to three functions."""
    optional = {"description": WORD, "strict": st.booleans() | st.none()}
    function = st.fixed_dictionaries({"name": FUNCTION_NAME, "parameters": OBJECTS}, optional=optional)
    return draw(st.lists(st.fixed_dictionaries({"type": st.just("function"), "function": function}), max_size=3))


SCHEMA_FORMAT = st.fixed_dictionaries(
    {"name": FUNCTION_NAME}, optional={"schema": OBJECTS, "strict": st.booleans() | st.none(), "description": WORD}
).map(lambda schema: {"type": "json_schema", "json_schema": schema})

CONVERSATION = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "assistant"]), "content": WORD}), max_size=3
)


def numeric(field: str) -> st.SearchStrategy[tuple[list[str], Json]]:
    """The flag of a field with a range."""
    lowest, highest = field_limits.RANGES[field]
    values = spelled(lowest, 10**6 if highest is None else highest, whole=field in field_limits.INTEGERS)
    return values.map(lambda value: ([f"--{field.replace('_', '-')}={value[0]}"], {field: value[1]}))


def flag(name: str, field: str, values: st.SearchStrategy[Any], spell: Any = str) -> Any:
    """A flag that sends its value as it is."""
    return values.map(lambda value: ([f"{name}={spell(value)}"], {field: value}))


def switch(field: str) -> st.SearchStrategy[tuple[list[str], Json]]:
    """A flag and its opposite."""
    name = field.replace("_", "-")
    return st.booleans().map(lambda value: ([f"--{name}" if value else f"--no-{name}"], {field: value}))


FLAGS: dict[str, st.SearchStrategy[tuple[list[str], Json]]] = {
    **{field: numeric(field) for field in field_limits.RANGES if field != "top_logprobs"},
    "stop": st.lists(WORD, min_size=1, max_size=field_limits.STOP_SEQUENCES).map(
        lambda values: ([f"--stop={each}" for each in values], {"stop": values[0] if len(values) == 1 else values})
    ),
    "logit_bias": st.dictionaries(st.integers(0, 10**5).map(str), st.integers(-100, 100), min_size=1, max_size=3).map(
        lambda value: ([f"--logit-bias={token}={bias}" for token, bias in value.items()], {"logit_bias": value})
    ),
    "logprobs": switch("logprobs")
    | st.integers(0, 20).map(
        lambda count: (["--logprobs", f"--top-logprobs={count}"], {"logprobs": True, "top_logprobs": count})
    ),
    "reasoning_effort": flag("--reasoning-effort", "reasoning_effort", st.sampled_from(field_limits.REASONING_EFFORTS)),
    "response_format": flag("--response-format", "response_format", SCHEMA_FORMAT, as_json)
    | st.sampled_from(field_limits.RESPONSE_FORMATS).map(
        lambda kind: ([f"--response-format={kind}"], {"response_format": {"type": kind}})
    ),
    "tools": flag("--tools", "tools", tools(), as_json),
    "tool_choice": flag("--tool-choice", "tool_choice", st.sampled_from(field_limits.TOOL_CHOICES))
    | FUNCTION_NAME.filter(lambda name: name not in field_limits.TOOL_CHOICES).map(
        lambda name: ([f"--tool-choice={name}"], {"tool_choice": {"type": "function", "function": {"name": name}}})
    ),
    "parallel_tool_calls": switch("parallel_tool_calls"),
    "prediction": WORD.map(
        lambda text: ([f"--prediction={text}"], {"prediction": {"type": "content", "content": text}})
    ),
}


@st.composite
def invocations(draw: st.DrawFn) -> tuple[list[str], Json]:
    """A command line of valid flags in any order, and the body that it stands for."""
    command = draw(st.sampled_from(["ask", "stream", "json", "cost"]))
    chosen = draw(st.lists(st.sampled_from(sorted(FLAGS)), unique=True))
    drawn = [draw(FLAGS[name]) for name in chosen]
    text = draw(WORD.filter(lambda word: word.strip() and word != "-"))
    body: Json = {"model": field_limits.MODEL, "messages": [{"role": "user", "content": text}], "stream": False}
    flags = [each for given_flags, _ in drawn for each in given_flags]
    for _, fields in drawn:
        body |= fields
    if draw(st.booleans()):
        earlier = draw(CONVERSATION)
        flags.append(f"--messages={as_json(earlier)}")
        body["messages"] = [*earlier, *body["messages"]]
    if draw(st.booleans()):
        system = draw(WORD)
        flags.append(f"--system={system}")
        body["messages"] = [{"role": "system", "content": system}, *body["messages"]]
    if draw(st.booleans()):
        flags += [f"--image={GIF}", "--image-detail=low"]
        image = {"type": "image_url", "image_url": {"url": GIF, "detail": "low"}}
        body["messages"][-1]["content"] = [{"type": "text", "text": text}, image]
    if body.get("response_format") == {"type": "json_object"} and "json" not in json.dumps(body["messages"]).lower():
        state(body["messages"], "Answer with a JSON object, and with nothing else.")
    if command == "stream":
        usage = draw(st.booleans())
        flags += [] if usage else ["--no-include-usage"]
        body |= {"stream": True, "stream_options": {"include_usage": usage}}
    return [command, "-n", *flags, "--", text], body


def state(messages: list[Json], words: str) -> None:
    """Add a sentence to the system message, or as one."""
    if messages[0]["role"] != "system":
        messages.insert(0, {"role": "system", "content": words})
    elif isinstance(content := messages[0]["content"], str):
        messages[0] = {**messages[0], "content": f"{content}\n\n{words}"}
    else:
        messages[0] = {**messages[0], "content": [*content, {"type": "text", "text": words}]}


def any_answer(request: Request) -> Sequence[Step]:
    """An answer that suits any request: a stream where one is asked for, JSON that any format takes, a call if due."""
    choice = request.json.get("tool_choice")
    calls = None
    if choice == "required" or isinstance(choice, dict):
        calls = [tool_call(choice["function"]["name"] if isinstance(choice, dict) else "any", "{}", index=0)]
    if request.json.get("stream"):
        return events([chunk(delta={"tool_calls": calls}), *chunks("{}")])
    return reply(completion("{}", tool_calls=calls))


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    """A server for many requests of this process."""
    with ApiServer() as running:
        running.always(any_answer)
        yield running


@settings(max_examples=100, deadline=None)
@given(invocation=invocations())
def test_the_body_that_was_really_sent_is_what_the_flags_say_and_the_schemas_take(
    server: ApiServer, invocation: tuple[list[str], Json]
) -> None:
    (command, *arguments), body = invocation
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIMLAPI_API_KEY", KEY)
        status = run_command([command, f"--base-url={server.base_url}", f"--output={os.devnull}", *arguments])
    assert status == 0
    request = server.requests.pop()
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.json == body
    assert violations(request.json) == []


@settings(max_examples=4, deadline=None)
@given(invocation=invocations())
def test_a_process_shows_the_same_body(
    tmp_path_factory: pytest.TempPathFactory, server: ApiServer, invocation: tuple[list[str], Json]
) -> None:
    (command, *arguments), body = invocation
    program = Program(tmp_path_factory.mktemp("process"), server)
    result = program(command, "--dry-run", *arguments)
    assert (result.status, result.stderr) == (0, "")
    assert json.loads(result.text) == body
    assert violations(json.loads(result.text)) == []
