"""Options and messages -> the request body, and its two previews."""

import json
import os
import re
import shlex
from typing import Any, NamedTuple

from qwen_cli.endpoint import Endpoint
from qwen_cli.errors import InvalidUsage, LocalError
from qwen_cli.json_text import encode
from qwen_cli.key.sources import VARIABLES
from qwen_cli.prompt.files import Awaited, load_json_file, read_text
from qwen_cli.request.field_limits import MODEL, STOP_SEQUENCES, TOOL_CHOICES

Body = dict[str, Any]


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
    schema: str | None = None
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


def build_fields(options: RequestOptions, *, stream: bool) -> Body:
    """The request body without its messages: the model, and what was given. A value may still be `Awaited`."""
    given = {name: value for name, value in options._asdict().items() if name not in _NOT_FIELDS and value is not None}
    body: Body = {"model": MODEL} | given
    if options.stop:
        body["stop"] = _stop(options.stop)
    if options.logit_bias:
        body["logit_bias"] = _merged(options.logit_bias)
    is_format_checked = options.choice or options.schema is not None or options.response_format == "json_object"
    if is_format_checked and "response_format" in dict(options.field or ()):
        # What is asked for would not be what the answer is checked for.
        raise InvalidUsage(
            "--field cannot set response_format beside --schema, --choice, --response-format json_object or 'check'"
        )
    if options.choice:
        body["response_format"] = _choice_format(options.choice)
    elif options.schema is not None:
        body["response_format"] = _schema_format(options.schema)
    elif isinstance(options.response_format, str):
        body["response_format"] = {"type": options.response_format}
    if isinstance(options.tool_choice, str) and options.tool_choice not in TOOL_CHOICES:
        body["tool_choice"] = {"type": "function", "function": {"name": options.tool_choice}}
    prediction = options.prediction if options.prediction_file is None else read_text(options.prediction_file)
    if prediction is not None:
        body["prediction"] = {"type": "content", "content": prediction}
    if stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": options.include_usage is not False}
    body.update(options.field or ())
    if body.get("top_logprobs") is not None and body.get("logprobs") is not True:
        raise InvalidUsage("--top-logprobs needs --logprobs")
    return body


def _stop(sequences: list[str]) -> str | list[str]:
    if len(sequences) > STOP_SEQUENCES:
        raise InvalidUsage(f"--stop can be given at most {STOP_SEQUENCES} times, not {len(sequences)}")
    return sequences[0] if len(sequences) == 1 else sequences


def _merged(biases: list[Any]) -> Any:
    """All biases in one object, the last for a token winning; `Awaited` while one of them is."""
    awaited = next((bias for bias in biases if isinstance(bias, Awaited)), None)
    if awaited is not None:
        parse = awaited.parse
        return awaited._replace(
            parse=lambda text: _merged([parse(text) if bias is awaited else bias for bias in biases])
        )
    return {token: value for bias in biases for token, value in bias.items()}


def _schema_format(path: str) -> Any:
    schema = load_json_file(path)
    if not isinstance(schema, dict):
        raise LocalError(f"{path} is not a JSON schema: it must be an object")
    title = schema.get("title")
    name = schema_name(title if isinstance(title, str) else "", path)
    return {"type": "json_schema", "json_schema": {"name": name, "schema": schema, "strict": True}}


def _choice_format(choices: list[str]) -> Any:
    from qwen_cli.answer.verdict import CHOICE

    if len(choices) < 2:  # noqa: PLR2004
        raise InvalidUsage("--choice must be given at least twice")
    if doubles := [choice for choice in choices if choices.count(choice) > 1]:
        raise InvalidUsage(f"--choice {doubles[0]} is given twice")
    if not all(choice.strip() for choice in choices):
        raise InvalidUsage("--choice cannot be blank")
    schema = {
        "type": "object",
        "properties": {CHOICE: {"type": "string", "enum": choices}},
        "required": [CHOICE],
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": CHOICE, "schema": schema, "strict": True}}


def schema_name(title: str, path: str) -> str:
    """A name that the API takes, from the schema's title or, where that says nothing, from the file's name."""
    for candidate in (title, os.path.basename(path).partition(".")[0]):
        if name := re.sub(r"[^a-zA-Z0-9_-]+", "_", candidate).strip("_")[:64]:
            return name
    return "schema"


def as_json(body: Body, *, pretty: bool) -> str:
    """The body as JSON: compact as it is sent, or indented to be read."""
    return json.dumps(body, ensure_ascii=False, indent=2) if pretty else encode(body).decode()


def as_curl(body: Body, endpoint: Endpoint, *, request_id: str | None, no_key: bool) -> str:
    """The same request for any POSIX shell: the key stays out of the arguments, and the body is of any length."""
    headers = ["Content-Type: application/json"]
    if request_id:
        headers.append(f"X-Client-Request-Id: {request_id}")
    lines = [
        f"curl --silent --show-error --fail-with-body --no-buffer {shlex.quote(endpoint.chat_url)}",
        *([] if no_key else ["--header @/dev/fd/3"]),
        *(f"--header {shlex.quote(header)}" for header in headers),
        f"--data-binary @- {'' if no_key else '3<<KEY '}<<'JSON'",
    ]
    key = "" if no_key else f"Authorization: Bearer ${VARIABLES[0]}\nKEY\n"
    return " \\\n  ".join(lines) + f"\n{key}{as_json(body, pretty=False)}\nJSON"
