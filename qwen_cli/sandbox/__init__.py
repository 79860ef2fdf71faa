"""A local stand-in for the API: no key, no network, no bill, and no model either.

Only what its callers need stands here; the server itself is imported when it is started.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager

from qwen_cli.sandbox.faults import FAULTS, Fault, parse_fault

__all__ = ["FAULTS", "Fault", "parse_fault", "run", "serving"]


def run(command: Sequence[str], *, faults: Sequence[Fault] = (), rate: float | None = None) -> int:
    """Run `command` against a sandbox of its own and return its exit status; see `process.run`."""
    from qwen_cli.sandbox import process

    return process.run(command, faults=faults, rate=rate)


def serving(*, faults: Sequence[Fault] = (), rate: float | None = None) -> AbstractContextManager[str]:
    """Serve on an ephemeral port of 127.0.0.1 while the context lasts; its value is the base URL, ending in `/v1`.

    `rate` is the number of requests a second, beyond which they are answered with 429; None for any number.
    """
    from qwen_cli.sandbox import server

    return server.serving(faults=faults, rate=rate)
