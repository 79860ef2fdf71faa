"""`qwen-cli key`: the stored API key, never the key itself."""

from qwen_cli.cli.options import EndpointOptions
from qwen_cli.errors import CredentialsError
from qwen_cli.output.results import standard_output
from qwen_cli.output.stderr import Notes


def set_key(*, where: EndpointOptions) -> None:
    """Store the API key in the OS keyring.

    The key is typed at a hidden prompt, or read from standard input if that is not a terminal.
    """
    from qwen_cli.api.credentials import require_keyring, store_key
    from qwen_cli.api.endpoint import parse_endpoint
    from qwen_cli.request.inputs import read_secret

    endpoint = parse_endpoint(where.base_url)
    endpoint.require_privacy()
    require_keyring()
    key = store_key(endpoint, read_secret(f"API key for {endpoint.account}: "))
    Notes().note(f"stored the key {key.hint} for {endpoint.account}")


def show_status(*, where: EndpointOptions) -> int:
    """Show which key is used and where it comes from.

    The exit status is 3 if there is none.
    """
    from qwen_cli.api.costs import lines
    from qwen_cli.api.credentials import NO_SOURCE, describe
    from qwen_cli.api.endpoint import parse_endpoint

    status = describe(parse_endpoint(where.base_url))
    standard_output().write(lines(status).encode())
    return CredentialsError.status if status["source"] == NO_SOURCE else 0


def delete_key(*, where: EndpointOptions) -> None:
    """Delete the stored API key."""
    from qwen_cli.api.credentials import delete_key as delete
    from qwen_cli.api.endpoint import parse_endpoint

    endpoint = parse_endpoint(where.base_url)
    was_stored = delete(endpoint)
    Notes().note(
        f"deleted the key for {endpoint.account}" if was_stored else f"no key for {endpoint.account} is stored"
    )
