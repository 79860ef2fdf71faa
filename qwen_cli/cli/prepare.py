"""From the options to a request that is ready to be sent, or printed instead."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

from qwen_cli.cache import Cache, open_cache
from qwen_cli.cli.options import CommonOptions, ShowOptions
from qwen_cli.connection.dialling import dial_ahead
from qwen_cli.endpoint import Endpoint, parse_endpoint
from qwen_cli.errors import InvalidUsage
from qwen_cli.key.sources import VARIABLES, Key, find_key
from qwen_cli.output.result import Output, saving
from qwen_cli.output.stderr import Notes
from qwen_cli.output.terminal import visible_json
from qwen_cli.prompt.files import Awaited, StandardInput
from qwen_cli.prompt.messages import STDIN, read_parts
from qwen_cli.request.body import Body, RequestOptions, as_curl, as_json, build_fields

if TYPE_CHECKING:
    from qwen_cli.answer.verdict import Expectation
    from qwen_cli.exchange import Exchange, Outcome
    from qwen_cli.prompt.conversation import Chat


class Prepared(NamedTuple):
    """A request, read and checked."""

    body: Body
    endpoint: Endpoint
    key: Key | None
    common: CommonOptions
    expectation: "Expectation"
    cache: Cache | None

    @contextmanager
    def opened(self, output: Output, *, reask: int = 0, save: str | None = None) -> "Iterator[Exchange | None]":
        """The exchange with the server; its connection is closed at the end, and the file of `save` replaced.

        None where the options ask for a preview: it has been printed instead.
        """
        preview = previewing(self.endpoint, self.common, pretty=output.terminal)
        if preview is not None:
            text = preview(self.body)
            output.write(f"{visible_json(text) if output.terminal else text}\n".encode())
            yield None
            return

        from qwen_cli.connection.client import Client
        from qwen_cli.exchange import Exchange

        notes = self.common.notes
        with saving(save) as keep, Client(self.endpoint, self.key, self.common.sending, notes) as client:
            yield Exchange(client, self.body, notes, self.expectation, reask, keep, self.cache)


def prepare(
    words: Sequence[str] | None,
    common: CommonOptions,
    *,
    stream: bool = False,
    show: ShowOptions | None = None,
    allow_incomplete: bool = False,
    chat: "Chat | None" = None,
) -> Prepared:
    """Read and check all that the request is made of.

    Mistakes that can be seen without waiting come first, then a missing key, and then standard input is awaited.
    """
    words, show = words or (), show or ShowOptions()
    prompt, request = common.prompt, common.request
    stdin = StandardInput(common.notes.note)
    is_awaited = claim_stdin(stdin, words, common)
    fields = build_fields(request, stream=stream)
    cache = open_cache(common.caching)
    expectation = expect(request, fields, show, allow_incomplete=allow_incomplete)
    endpoint = connect_ahead(common)
    parts = read_parts(words, prompt if chat is None else prompt._replace(messages=chat.read()), stdin)
    if chat is not None:
        chat.continued(parts)
    key = find_key(endpoint, no_key=common.sending.no_key) if common.is_sent else None
    if is_awaited:
        text = stdin.read()
        fields = {name: value.parse(text) if isinstance(value, Awaited) else value for name, value in fields.items()}
        expectation = expect(request, fields, show, allow_incomplete=allow_incomplete)
        if isinstance(prompt.messages, Awaited):
            parts = parts._replace(earlier=prompt.messages.parse(text))
    new = parts.new_messages()
    if chat is not None:
        if not common.is_preview:
            # Only once standard input has ended: its writer may be waiting for the same file.
            chat.take_turn()
        parts = chat.continued(parts._replace(earlier=chat.read()))
    body = {"model": fields["model"], "messages": parts.conversation(new)} | fields
    return Prepared(body, endpoint, key, common, expectation, cache)


def claim_stdin(stdin: StandardInput, words: Sequence[str], common: CommonOptions) -> bool:
    """Reserve standard input for its reader; true if that is an option's value. InvalidUsage if there are two."""
    prompt, request = common.prompt, common.request
    values = (*request, *(request.logit_bias or ()), prompt.messages)
    flags = [value.flag for value in values if isinstance(value, Awaited)]
    operands = (*words, *(prompt.file or ()), *(prompt.image or ()))
    for reader in (*flags, *(operand for operand in operands if operand == STDIN)):
        stdin.claim(reader)
    return bool(flags)


def connect_ahead(common: CommonOptions) -> Endpoint:
    """The server; begins to connect if a request may be sent."""
    endpoint = parse_endpoint(common.sending.base_url)
    if common.is_sent:
        if not common.sending.no_key:
            endpoint.require_privacy()
        dial_ahead(endpoint)
    return endpoint


def previewing(endpoint: Endpoint, common: CommonOptions, *, pretty: bool) -> Callable[[Body], str] | None:
    """Makes the text that --dry-run or --curl prints instead of sending a body; None without them."""
    no_key, request_id = common.sending.no_key, common.sending.request_id
    if common.curl:
        if not no_key and not os.environ.get(VARIABLES[0]):
            common.notes.note(f"{VARIABLES[0]} is not set: the command takes the key from it")
        return lambda body: as_curl(body, endpoint, request_id=request_id, no_key=no_key)
    return (lambda body: as_json(body, pretty=pretty)) if common.dry_run else None


def expect(
    request: RequestOptions, fields: Mapping[str, Any], show: ShowOptions, *, allow_incomplete: bool
) -> "Expectation":
    """What the answer is checked for; InvalidUsage if the schema is not valid."""
    from qwen_cli.answer.verdict import Expectation

    if show.wanted != "content" and (show.code or request.choice):
        flag = "--code" if show.code else "--choice"
        raise InvalidUsage(
            f"{flag} applies to the content of the answer: it cannot be combined with --show {show.wanted}"
        )
    find_misfit = find_code = None
    if request.schema is not None:
        from qwen_cli.answer.schema import compile_schema

        find_misfit = compile_schema(fields["response_format"]["json_schema"]["schema"], request.schema)
    if show.code:
        from qwen_cli.answer import code_block

        find_code = code_block.find_code
    return Expectation.of(
        fields,
        wanted=show.wanted,
        find_misfit=find_misfit,
        choices=tuple(request.choice or ()),
        find_code=find_code,
        allow_incomplete=allow_incomplete,
    )


def settle(exchange: "Exchange", outcome: "Outcome", *, usage: bool, chat: "Chat | None" = None) -> None:
    """Raise what is wrong with the answer, or add it to the conversation; print the usage of all answers if asked."""
    if usage:
        from qwen_cli.cost.figures import usage_line
        from qwen_cli.cost.usage import Total

        exchange.notes.report(usage_line(Total(outcome.answers).sums, cached=outcome.cached))
    allowed, failure = outcome.judgement.allowed, outcome.judgement.failure
    if allowed is not None:
        exchange.notes.note(str(allowed))
    if failure is not None:
        raise failure
    if chat is not None and allowed is None:
        chat.add(exchange.body["messages"], outcome.answer)


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


def open_chat(path: str | None, notes: Notes) -> "AbstractContextManager[Chat | None]":
    """The conversation that is continued, if any."""
    if path is None:
        return nullcontext()
    from qwen_cli.prompt.conversation import Chat

    return Chat(path, notes)
