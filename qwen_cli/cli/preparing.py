"""From the options to a request, and to the service that answers it; a preview shows the request instead."""

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

from qwen_cli.answer.verdict import Expectation
from qwen_cli.cache import open_cache
from qwen_cli.cli.option_groups import CommonOptions, ShowOptions
from qwen_cli.connection.dialling import dial_ahead
from qwen_cli.endpoint import Endpoint, parse_endpoint
from qwen_cli.errors import InvalidUsage, LocalError
from qwen_cli.key.redaction import VARIABLES, without_secrets
from qwen_cli.key.sources import find_key
from qwen_cli.output.result import Output
from qwen_cli.output.stderr import Notes
from qwen_cli.prompt.files import load_json_file, read_text
from qwen_cli.prompt.messages import Message, Prompt, nothing_to_ask, read_prompt
from qwen_cli.request.body import Body, Fields, RequestOptions, build_fields, named_schema
from qwen_cli.text import encode, visible_json

if TYPE_CHECKING:
    from qwen_cli.exchange import Outcome, Request, Service
    from qwen_cli.prompt.conversation import Conversation


class Draft(NamedTuple):
    """A request that lacks its messages."""

    fields: Fields
    expectation: Expectation

    def request(self, messages: list[Message]) -> "Request":
        from qwen_cli.exchange import Request

        return Request(self.fields.with_messages(messages), self.expectation, self.fields.droppable)


def draft_request(
    common: CommonOptions,
    *,
    stream: bool = False,
    show: ShowOptions | None = None,
    allow_incomplete: bool = False,
) -> Draft:
    """What is asked for beside the messages, and what is expected of the answer; InvalidUsage if that cannot be."""
    show = show or ShowOptions()
    request = _with_files_read(common.request)
    fields = build_fields(request, stream=stream)
    if show.wanted != "content" and (show.code or request.choice):
        flag = "--code" if show.code else "--choice"
        raise InvalidUsage(
            f"{flag} applies to the content of the answer: it cannot be combined with --show {show.wanted}"
        )
    expectation = Expectation.of(
        fields.body,
        wanted=show.wanted,
        find_misfit=_find_misfit(request, common.notes),
        choices=tuple(request.choice or ()),
        code=show.code,
        allow_incomplete=allow_incomplete,
    )
    return Draft(fields, expectation)


def _with_files_read(options: RequestOptions) -> RequestOptions:
    """The options with the content of the files that they name."""
    if options.prediction_file is not None:
        options = options._replace(prediction=read_text(options.prediction_file))
    if isinstance(options.schema, str):
        try:
            options = options._replace(schema=named_schema(load_json_file(options.schema), options.schema))
        except ValueError as error:
            raise LocalError(str(error)) from None
    return options


def _find_misfit(options: RequestOptions, notes: Notes) -> Any:
    """What tells how an answer does not fit the schema, if there is one."""
    if options.schema is None:
        return None
    from qwen_cli.answer.schema import compile_schema, constrains_nothing

    _, source, schema = options.schema
    if constrains_nothing(schema):
        notes.note(f"{source} constrains nothing: every JSON fits a schema without keywords such as type or properties")
    return compile_schema(schema, source)


def begin_prompt(words: Sequence[str] | None, common: CommonOptions, chat: "Conversation | None" = None) -> Prompt:
    """Read all of the prompt that need not be waited for, and begin to connect.

    The conversation is read here, unless standard input is awaited: its writer may be waiting for the same file.
    """
    prompt = read_prompt(words or (), common.prompt)
    if chat is not None and not prompt.is_awaited:
        prompt = chat.continued(prompt)
    if not prompt.may_ask:
        raise nothing_to_ask()
    connect_ahead(common)
    return prompt


def await_messages(prompt: Prompt, notes: Notes, chat: "Conversation | None" = None) -> list[Message]:
    """The whole conversation that is asked about, once standard input is read."""
    prompt = prompt.with_standard_input(notes.note, notes.note_to_person)
    return (prompt if chat is None else chat.continued(prompt)).conversation()


def connect_ahead(common: CommonOptions) -> Endpoint:
    """The server; begins to connect if a request may be sent."""
    endpoint = parse_endpoint(common.sending.base_url)
    if common.is_sent:
        if not common.sending.no_key:
            endpoint.require_privacy()
        dial_ahead(endpoint)
    return endpoint


@contextmanager
def open_service(common: CommonOptions, *, notes: Notes | None = None, **connections: Any) -> "Iterator[Service]":
    """The service that the options name, its connections open until the end; CredentialsError if it wants a key."""
    endpoint = parse_endpoint(common.sending.base_url)
    cache = open_cache(common.caching)
    key = find_key(endpoint, no_key=common.sending.no_key) if common.is_sent else None
    from qwen_cli.connection.client import Client
    from qwen_cli.exchange import Service

    notes = notes or common.notes
    with Client(endpoint, key, common.sending, notes, **connections) as client:
        yield Service(client, notes, common.notes, cache)


def preview(body: Body, common: CommonOptions, *, pretty: bool = False) -> str:
    """What --dry-run or --curl prints instead of sending a body."""
    from qwen_cli.request.curl import as_curl, as_json

    if not common.curl:
        return f"{without_secrets(as_json(body, pretty=pretty))}\n"
    key_variable = None if common.sending.no_key else VARIABLES[0]
    endpoint, request_id = parse_endpoint(common.sending.base_url), common.sending.request_id
    return f"{without_secrets(as_curl(body, endpoint, request_id=request_id, key_variable=key_variable))}\n"


def note_missing_variable(common: CommonOptions) -> None:
    """Note that the command that --curl prints needs a variable that is not set."""
    if common.curl and not common.sending.no_key and not os.environ.get(VARIABLES[0]):
        common.notes.note(f"{VARIABLES[0]} is not set: the command takes the key from it")


def print_preview(
    draft: Draft, prompt: Prompt, common: CommonOptions, output: Output, chat: "Conversation | None" = None
) -> None:
    """Print the request instead of sending it."""
    note_missing_variable(common)
    body = draft.fields.with_messages(await_messages(prompt, common.notes, chat))
    text = preview(body, common, pretty=output.terminal)
    output.write(encode(visible_json(text) if output.terminal else text), is_last=True)


def settle(outcome: "Outcome", notes: Notes, *, usage: bool) -> None:
    """Print the usage of all answers if asked, and raise what is wrong with the last one."""
    if usage:
        from qwen_cli.cost.figures import usage_line
        from qwen_cli.cost.usage import Total

        notes.report(usage_line(Total(outcome.answers).sums, cached=outcome.cached))
    if outcome.verdict.allowed is not None:
        notes.note(str(outcome.verdict.allowed))
    if outcome.verdict.failure is not None:
        raise outcome.verdict.failure


def continue_chat(chat: "Conversation | None", asked: list[Message], outcome: "Outcome") -> None:
    """Add a complete answer to the conversation, if there is one."""
    if chat is not None and outcome.verdict.allowed is None:
        chat.add(asked, outcome.answer.as_message())


def require_different_files(**files: str | None) -> None:
    """InvalidUsage if two of these options name the same file, which one of them would overwrite."""
    given = [(name, path) for name, path in files.items() if path is not None]
    for (name, path), (other, same) in combinations(given, 2):
        try:
            is_same = os.path.realpath(path) == os.path.realpath(same)
        except OSError:  # in a folder that is gone, where neither can be written
            is_same = path == same
        if is_same:
            raise InvalidUsage(f"--{name} and --{other} cannot be the same file")


def open_chat(path: str | None, common: CommonOptions) -> "AbstractContextManager[Conversation | None]":
    """The conversation that is continued, if any."""
    if path is None:
        return nullcontext()
    from qwen_cli.prompt.conversation import Conversation

    return Conversation(path, common.notes, is_read_only=common.is_preview)
