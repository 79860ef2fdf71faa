"""What is fetched beside answers: the account's reports, and the list of models."""

from contextlib import suppress

from qwen_cli.connection.client import Client
from qwen_cli.endpoint import SendingOptions, parse_endpoint
from qwen_cli.errors import CredentialsError, RefusedError
from qwen_cli.key.sources import Key, find_key
from qwen_cli.output.spinner import waiting
from qwen_cli.output.stderr import Notes


def get_from_account(path: str, sending: SendingOptions, notes: Notes) -> bytes:
    """A report of the account, which wants the key."""
    endpoint = parse_endpoint(sending.base_url)
    key = find_key(endpoint, no_key=sending.no_key)
    return _get(endpoint.account_url(path), key, sending, notes, "asking the account")


def get_models(query: str, sending: SendingOptions, notes: Notes) -> bytes:
    """The server's list of models; the key, if there is one, is sent where the server wants it.

    Where it wants one and there is none, its own words say so.
    """
    endpoint = parse_endpoint(sending.base_url)
    url, purpose = endpoint.models_url(query), "waiting for the list of models"
    try:
        try:
            return _get(url, None, sending, notes, purpose)
        except CredentialsError:
            key = None
            with suppress(CredentialsError):
                key = find_key(endpoint, no_key=sending.no_key)
            if key is None:
                raise
        return _get(url, key, sending, notes, purpose)
    except RefusedError as error:
        message = f"the server has no list of models: {error.message}"
        raise RefusedError(message, advice=endpoint.advice_on_not_found(has_model=False)) from error


def _get(url: str, key: Key | None, sending: SendingOptions, notes: Notes, purpose: str) -> bytes:
    endpoint = parse_endpoint(sending.base_url)
    with Client(endpoint, key, sending, notes) as client, waiting(purpose, notes), client.get(url) as reply:
        return reply.read()
