"""Connecting before the command line is parsed: the imports that parsing needs take longer than a handshake."""

from collections.abc import Mapping, Sequence

from qwen_cli.endpoint import DEFAULT_BASE_URL

SENDING = ("ask", "stream", "json", "cost", "check", "map", "filter", "models")
"""The commands that send requests."""

_ELSEWHERE = ("base-url", "dry-run", "curl", "cache-only", "saved", "help")
"""Options with which nothing is sent, or not to where the environment says."""


def base_url_ahead(arguments: Sequence[str], environment: Mapping[str, str]) -> str | None:
    """Where the command will most likely send its request; None if that is not obvious.

    A guess that turns out to be wrong costs one unused connection.
    """
    if not arguments or arguments[0] not in SENDING or "-h" in arguments:
        return None
    flags = {word[2:].partition("=")[0] for word in arguments if word.startswith("--")}
    variables = {f"QWEN_CLI_{name.replace('-', '_').upper()}" for name in _ELSEWHERE}
    if not flags.isdisjoint(_ELSEWHERE) or any(environment.get(name) for name in variables):
        return None
    return environment.get("AIMLAPI_BASE_URL") or DEFAULT_BASE_URL
