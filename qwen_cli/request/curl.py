"""A request body as text: JSON, or a curl command for any POSIX shell. No I/O."""

import json
import shlex
from typing import Any

from qwen_cli import json_text
from qwen_cli.endpoint import Endpoint


def as_json(body: dict[str, Any], *, pretty: bool) -> str:
    """The body as JSON: compact as it is sent, or indented to be read."""
    return json.dumps(body, ensure_ascii=False, indent=2) if pretty else json_text.compact(body)


def as_curl(body: dict[str, Any], endpoint: Endpoint, *, request_id: str | None, key_variable: str | None) -> str:
    """The request as a command that takes the key from that variable, or sends none.

    The key stays out of the arguments, and the body is of any length.
    """
    headers = ["Content-Type: application/json"]
    if request_id:
        headers.append(f"X-Client-Request-Id: {request_id}")
    lines = [
        f"curl --silent --show-error --fail-with-body --no-buffer {shlex.quote(endpoint.chat_url)}",
        *(["--header @/dev/fd/3"] if key_variable else []),
        *(f"--header {shlex.quote(header)}" for header in headers),
        f"--data-binary @- {'3<<KEY ' if key_variable else ''}<<'JSON'",
    ]
    key = f"Authorization: Bearer ${key_variable}\nKEY\n" if key_variable else ""
    return " \\\n  ".join(lines) + f"\n{key}{as_json(body, pretty=False)}\nJSON"
