"""Options and messages -> the request body, and its two previews."""

import json
import os
import re
import shlex
from typing import Any

from qwen_cli.credentials import VARIABLES
from qwen_cli.endpoint import Endpoint
from qwen_cli.errors import InvalidUsage, LocalError
from qwen_cli.inputs import read_text
from qwen_cli.limits import MODEL, STOP_SEQUENCES, TOOL_CHOICES
from qwen_cli.option_types import load_json_file
from qwen_cli.options import RequestOptions

Body = dict[str, Any]

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
        raise InvalidUsage(f"--stop can be given {STOP_SEQUENCES} times at most, not {len(sequences)}")
    return sequences[0] if len(sequences) == 1 else sequences


def _response_format(options: RequestOptions) -> Any:
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


def encode_body(body: Body, *, pretty: bool = False) -> bytes:
    """The body as JSON in UTF-8: compact as it is sent, or indented to be read."""
    layout: dict[str, Any] = {"indent": 2} if pretty else {"separators": (",", ":")}
    return json.dumps(body, ensure_ascii=False, **layout).encode()


def as_curl(body: Body, endpoint: Endpoint, *, request_id: str | None) -> str:
    """The same request for a shell: the key stays a variable, and the body a here-document of any length."""
    headers = ["Content-Type: application/json"]
    if request_id:
        headers.append(f"X-Client-Request-Id: {request_id}")
    lines = [
        f"curl --silent --show-error --fail-with-body --no-buffer {shlex.quote(endpoint.chat_url)}",
        f'--header "Authorization: Bearer ${VARIABLES[0]}"',
        *(f"--header {shlex.quote(header)}" for header in headers),
        "--data-binary @- <<'JSON'",
    ]
    return " \\\n  ".join(lines) + f"\n{encode_body(body).decode()}\nJSON"
