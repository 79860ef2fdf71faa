"""What is fetched beside answers: the account's reports, and the list of models."""

from qwen_cli.cli.option_groups import CommonOptions
from qwen_cli.connection.client import Client
from qwen_cli.endpoint import Endpoint, parse_endpoint
from qwen_cli.errors import CredentialsError, RefusedError
from qwen_cli.key.sources import Key, find_key
from qwen_cli.output.spinner import waiting


def get_with_key(url: str, endpoint: Endpoint, common: CommonOptions, purpose: str) -> bytes:
    """The body of a URL that wants the key."""
    return _get(url, endpoint, find_key(endpoint, no_key=common.sending.no_key), common, purpose)


def get_models(common: CommonOptions, query: str = "") -> bytes:
    """The server's list of models; the key, if there is one, is sent where the server wants it."""
    endpoint = parse_endpoint(common.sending.base_url)
    url, purpose = endpoint.models_url(query), "waiting for the list of models"
    try:
        try:
            return _get(url, endpoint, None, common, purpose)
        except CredentialsError:
            if common.sending.no_key:
                raise
            return get_with_key(url, endpoint, common, purpose)
    except RefusedError as error:
        message = f"the server has no list of models: {error.message}"
        raise RefusedError(message, advice="check --base-url") from error


def _get(url: str, endpoint: Endpoint, key: Key | None, common: CommonOptions, purpose: str) -> bytes:
    notes = common.notes
    with Client(endpoint, key, common.sending, notes) as client, waiting(purpose, notes), client.get(url) as reply:
        return reply.read()
