"""Options and messages -> the request body, and its two previews."""

import json
import os
import re
import shlex
from typing import Any, NamedTuple

from qwen_cli.api.credentials import VARIABLES
from qwen_cli.api.endpoint import Endpoint
from qwen_cli.api.json_text import encode
from qwen_cli.errors import InvalidUsage, LocalError
from qwen_cli.request.inputs import load_json_file, read_text
from qwen_cli.request.limits import MODEL, STOP_SEQUENCES, TOOL_CHOICES

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


_AS_GIVEN = (
    "max_tokens",
    "temperature",
    "top_p",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "logprobs",
    "top_logprobs",
    "reasoning_effort",
    "tools",
    "parallel_tool_calls",
)
"""Options that are the field of the same name, as they are."""


def build_fields(options: RequestOptions, *, stream: bool) -> Body:
    """The request body but for its messages: the model, and what was given."""
    body: Body = {"model": options.model or MODEL}
    for name in _AS_GIVEN:
        if (value := getattr(options, name)) is not None:
            body[name] = value
    if options.stop:
        body["stop"] = _stop(options.stop)
    if options.logit_bias:
        body["logit_bias"] = {token: bias for biases in options.logit_bias for token, bias in biases.items()}
    if (response_format := _response_format(options)) is not None:
        body["response_format"] = response_format
    if options.tool_choice is not None:
        body["tool_choice"] = _tool_choice(options.tool_choice)
    if (prediction := _prediction(options)) is not None:
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


def _response_format(options: RequestOptions) -> Any:
    if options.choice:
        return _choice_format(options.choice)
    if options.schema is not None:
        schema = load_json_file(options.schema)
        if not isinstance(schema, dict):
            raise LocalError(f"{options.schema} is not a JSON schema: it must be an object")
        title = schema.get("title")
        name = schema_name(title if isinstance(title, str) else "", options.schema)
        return {"type": "json_schema", "json_schema": {"name": name, "schema": schema, "strict": True}}
    if isinstance(options.response_format, str):
        return {"type": options.response_format}
    return options.response_format


def _choice_format(choices: list[str]) -> Any:
    from qwen_cli.api.checks import CHOICE

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


def _tool_choice(choice: Any) -> Any:
    if isinstance(choice, str) and choice not in TOOL_CHOICES:
        return {"type": "function", "function": {"name": choice}}
    return choice


def _prediction(options: RequestOptions) -> str | None:
    if options.prediction_file is None:
        return options.prediction
    return read_text(options.prediction_file)


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
