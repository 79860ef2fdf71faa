"""`qwen-cli sandbox`: a local stand-in for the API."""

from typing import Annotated, Any

import typer


def sandbox(
    command: Annotated[list[str] | None, typer.Argument(metavar="[-- COMMAND]...")] = None,
    *,
    fault: list[Any] | None = None,
    rate: float | None = None,
) -> int:
    """Serve a local stand-in for the API."""
    from qwen_cli.sandbox.command import run

    return run(command or [], faults=fault or [], rate=rate)
