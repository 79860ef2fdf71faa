"""The request that a command line makes, as `--dry-run` shows it."""

import json
from pathlib import Path
from typing import Any, Unpack

from tests.program import Options, Program, Result


def ask(qwen: Program, *args: str | Path, **options: Unpack[Options]) -> Result:
    """As a process where more than the arguments matters."""
    return qwen("ask", *args, **options) if options else qwen.call("ask", *args)


def body_of(qwen: Program, *args: str | Path, **options: Unpack[Options]) -> Any:
    """The request body that those arguments make."""
    result = ask(qwen, "--dry-run", *args, **options)
    assert (result.status, result.stderr) == (0, "")
    return json.loads(result.text)


def fields_of(qwen: Program, *args: str | Path) -> Any:
    """The fields of the body beside the model and the messages."""
    sent = body_of(qwen, "hi", *args)
    return {name: value for name, value in sent.items() if name not in ("model", "messages", "stream")}


def messages_of(qwen: Program, *args: str | Path, **options: Unpack[Options]) -> Any:
    """The messages of the request that those arguments make."""
    return body_of(qwen, *args, **options)["messages"]


def user_message(qwen: Program, *args: str | Path, **options: Unpack[Options]) -> Any:
    """The content of the only message, the user's."""
    (message,) = messages_of(qwen, *args, **options)
    assert message["role"] == "user"
    return message["content"]


def refused(qwen: Program, status: int, *args: str | Path, **options: Unpack[Options]) -> str:
    """Run to the refusal, before which nothing may reach the server; its one line."""
    result = ask(qwen, *args, **options)
    assert (result.status, result.stdout) == (status, b"")
    assert not qwen.server.requests
    return result.message
