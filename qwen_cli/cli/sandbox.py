"""`qwen-cli sandbox`: a local stand-in for the API."""

from typing import Annotated

import typer

from qwen_cli.cli.options import SandboxOptions


def sandbox(
    command: Annotated[list[str] | None, typer.Argument(metavar="[-- COMMAND]...")] = None,
    *,
    options: SandboxOptions,
) -> int:
    """Serve a local stand-in for the API.

    The command runs with AIMLAPI_BASE_URL and AIMLAPI_API_KEY pointing at it, and its status is the exit status.
    Without a command, the two variables are printed, and it serves until interrupted. No model is behind it: the answer
    is the prompt repeated.
    """
    from qwen_cli.sandbox.process import run

    return run(command or [], faults=options.fault or [], rate=options.rate)
