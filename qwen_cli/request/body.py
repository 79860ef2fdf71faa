"""Options and messages -> the request body. No I/O."""

import os
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from qwen_cli.answer import choice
from qwen_cli.errors import InvalidUsage
from qwen_cli.request.field_limits import MODEL, STOP_SEQUENCES, TOOL_CHOICES
from qwen_cli.request.format_in_words import format_in_words, with_words

Body = dict[str, Any]


class NamedSchema(NamedTuple):
    """The JSON Schema of an answer, and what it is called on the wire and in messages."""

    name: str
    source: str
    schema: dict[str, Any]


def named_schema(found: Any, source: str) -> NamedSchema:
    """The schema, without what the API wraps it in, by a name that the API takes: its own, its title, or its file's.

    ValueError if it is no schema.
    """
    if not isinstance(found, dict):
        raise ValueError(f"{source or 'it'} is not a JSON schema: it must be an object")
    found = found["json_schema"] if isinstance(found.get("json_schema"), dict) else found
    names: list[Any] = [os.path.basename(source).partition(".")[0]]
    if isinstance(found.get("schema"), dict) and found.keys() <= {"name", "schema", "strict", "description"}:
        names.insert(0, found.get("name"))
        found = found["schema"]
    names.insert(0, found.get("title"))
    fitting = (re.sub(r"[^a-zA-Z0-9_-]+", "_", name).strip("_")[:64] for name in names if isinstance(name, str))
    return NamedSchema(next(filter(None, fitting), "schema"), source or "the schema", found)


class RequestOptions(NamedTuple):
    """What the request body holds beside the messages; None is not sent."""

    model: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: list[str] | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: list[Any] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    reasoning_effort: str | None = None
    response_format: Any | None = None
    schema: Any | None = None
    """A `NamedSchema`, or the name of its file."""
    choice: list[str] | None = None
    tools: Any | None = None
    tool_choice: Any | None = None
    parallel_tool_calls: bool | None = None
    prediction: str | None = None
    prediction_file: str | None = None
    include_usage: bool | None = None
    field: list[Any] | None = None


_NOT_FIELDS = {"schema", "choice", "prediction_file", "include_usage", "field"}
"""Options that are not the request field of the same name, but say what goes into another."""


class Fields(NamedTuple):
    """The request body without its messages, and what is added to these."""

    body: Body
    words: str | None
    """The requested format, in words for the model."""
    droppable: Sequence[str]
    """The fields without which a server that refuses them may be asked once more."""

    def with_messages(self, messages: list[Any]) -> Body:
        """The whole body."""
        said = messages if self.words is None else with_words(messages, self.words, self.body["response_format"])
        return {"model": self.body["model"], "messages": said} | self.body


def build_fields(options: RequestOptions, *, stream: bool) -> Fields:
    """The fields of the request: the model, whether to stream, and what was given."""
    given = {name: value for name, value in options._asdict().items() if name not in _NOT_FIELDS and value is not None}
    body: Body = {"model": MODEL, "stream": stream} | given
    if options.stop:
        body["stop"] = _stop(options.stop)
    if options.logit_bias:
        body["logit_bias"] = {token: value for bias in options.logit_bias for token, value in bias.items()}
    if options.choice:
        body["response_format"] = _choice_format(options.choice)
    elif options.schema is not None:
        body["response_format"] = _json_schema(options.schema.name, options.schema.schema)
    elif isinstance(options.response_format, str):
        body["response_format"] = {"type": options.response_format}
    if isinstance(options.tool_choice, str) and options.tool_choice not in TOOL_CHOICES:
        body["tool_choice"] = {"type": "function", "function": {"name": options.tool_choice}}
    if options.prediction is not None:
        body["prediction"] = {"type": "content", "content": options.prediction}
    if stream:
        body["stream_options"] = {"include_usage": options.include_usage is not False}
    words = format_in_words(body.get("response_format"), options.choice, options.schema and options.schema.schema)
    others = dict(options.field or ())
    if words is not None and "response_format" in others:
        # What is asked for would not be what the answer is checked for.
        raise InvalidUsage(
            "--field cannot set response_format beside --schema, --choice, --response-format json_object or 'check'"
        )
    body.update(others)
    if body.get("top_logprobs") is not None and body.get("logprobs") is not True:
        raise InvalidUsage("--top-logprobs needs --logprobs")
    droppable = {
        "tool_choice": body.get("tool_choice") not in (None, "auto", "none"),
        "response_format": words is not None,
        "stream_options": stream and not options.include_usage,  # nobody asked for it, or for what is usual without it
    }
    return Fields(body, words, [field for field, may_be_dropped in droppable.items() if may_be_dropped])


def without_field(body: Body, field: str) -> Body:
    """The body for a server that refuses that field: without it, or with the value that every server takes."""
    if field == "tool_choice":
        return body | {field: "auto"}
    return {name: value for name, value in body.items() if name != field}


def _stop(sequences: list[str]) -> str | list[str]:
    if len(sequences) > STOP_SEQUENCES:
        raise InvalidUsage(f"--stop can be given at most {STOP_SEQUENCES} times, not {len(sequences)}")
    return sequences[0] if len(sequences) == 1 else sequences


def _json_schema(name: str, schema: dict[str, Any]) -> Any:
    return {"type": "json_schema", "json_schema": {"name": name, "schema": schema, "strict": True}}


def _choice_format(choices: list[str]) -> Any:
    if len(choices) < 2:  # noqa: PLR2004
        raise InvalidUsage("--choice must be given at least twice")
    if doubles := [each for each in choices if choices.count(each) > 1]:
        raise InvalidUsage(f"--choice {doubles[0]} is given twice")
    if not all(each.strip() for each in choices):
        raise InvalidUsage("--choice cannot be blank")
    schema = {
        "type": "object",
        "properties": {choice.PROPERTY: {"type": "string", "enum": choices}},
        "required": [choice.PROPERTY],
        "additionalProperties": False,
    }
    return _json_schema(choice.PROPERTY, schema)
