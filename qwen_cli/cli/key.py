"""`qwen-cli key`: the stored API key, never the key itself."""

import os
import sys

import click

from qwen_cli.cli.options import variable
from qwen_cli.endpoint import DEFAULT_BASE_URL, parse_endpoint
from qwen_cli.errors import CredentialsError
from qwen_cli.output.result import standard_output
from qwen_cli.output.stderr import Notes


def set_key(*, base_url: str = DEFAULT_BASE_URL) -> None:
    """Store the API key in the OS keyring."""
    from qwen_cli.key.os_keyring import require_keyring
    from qwen_cli.key.sources import store_key

    endpoint = parse_endpoint(base_url)
    endpoint.require_privacy()
    require_keyring()
    key = store_key(endpoint, _read_secret(f"API key for {endpoint.account}: "))
    Notes().note(f"stored the key {key.hint} for {endpoint.account}")


def _read_secret(question: str) -> str:
    """What is typed at a hidden prompt, or all of a pipe; without white space around it."""
    from qwen_cli.key.hidden_prompt import read_secret
    from qwen_cli.prompt.standard_input import standard_input

    if sys.stdin is not None and os.isatty(0):
        return read_secret(question)
    return standard_input.read(Notes().note).strip()


def show_status(*, base_url: str = DEFAULT_BASE_URL) -> int:
    """Show which key is used and where it comes from."""
    from qwen_cli.cost.figures import lines
    from qwen_cli.key.sources import NO_SOURCE, describe

    status = describe(parse_endpoint(base_url))
    output = standard_output()
    output.write(lines(status, aligned=output.terminal).encode())
    if click.BOOL.str_to_bool(os.environ.get(variable("--no-key"), "")):
        Notes().note(f"{variable('--no-key')} is set: requests are sent without a key")
    return CredentialsError.status if status["source"] == NO_SOURCE else 0


def delete_key(*, base_url: str = DEFAULT_BASE_URL) -> None:
    """Delete the stored API key."""
    from qwen_cli.key.os_keyring import delete_secret

    endpoint = parse_endpoint(base_url)
    was_stored = delete_secret(endpoint.account)
    Notes().note(
        f"deleted the key for {endpoint.account}" if was_stored else f"no key for {endpoint.account} is stored"
    )
