"""`qwen-cli sandbox`: a local stand-in for the API."""

from typing import Annotated, Any

import typer


def sandbox(
    command: Annotated[list[str] | None, typer.Argument(metavar="[-- COMMAND]...")] = None,
    *,
    fault: list[Any] | None = None,
    rate: float | None = None,
) -> int:
    """Serve a local stand-in for the API.

    The command runs with AIMLAPI_BASE_URL and AIMLAPI_API_KEY set for it, and its exit status is returned. Without a
    command, the sandbox prints the two variables and serves until interrupted. There is no model: the answer repeats
    the prompt.
    """
    from qwen_cli.sandbox.command import run

    return run(command or [], faults=fault or [], rate=rate)
