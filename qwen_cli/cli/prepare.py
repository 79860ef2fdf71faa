"""From the options to a request that is ready to be sent, or shown instead."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from qwen_cli.api.cache import Cache, CacheOptions, open_cache
from qwen_cli.api.credentials import VARIABLES, Key, find_key
from qwen_cli.api.dialling import dial_ahead
from qwen_cli.api.endpoint import Endpoint, SendingOptions, parse_endpoint
from qwen_cli.cli.options import OPTIONS, VARIABLE_PREFIX, ChatOptions, PreviewOptions
from qwen_cli.errors import InvalidUsage
from qwen_cli.output.results import Output, saving
from qwen_cli.output.stderr import Notes
from qwen_cli.output.terminal import visible_json
from qwen_cli.request.body import Body, RequestOptions, as_curl, as_json, build_fields
from qwen_cli.request.inputs import Awaited, StandardInput
from qwen_cli.request.prompt import STDIN, Parts, PromptOptions, read_parts

if TYPE_CHECKING:
    from qwen_cli.api.checks import Expectation
    from qwen_cli.api.exchange import Exchange, Outcome
    from qwen_cli.request.chat import Chat

T = TypeVar("T")
G = TypeVar("G", RequestOptions, PromptOptions)


class Asked(NamedTuple):
    """What a command wants of the answer, beside what the request says."""

    wanted: str = "content"
    code: bool = False
    allow_incomplete: bool = False


class Prepared(NamedTuple):
    """A request, read and checked."""

    body: dict[str, Any]
    endpoint: Endpoint
    key: Key | None
    sending: SendingOptions
    preview: PreviewOptions
    notes: Notes
    expectation: "Expectation"
    cache: Cache | None = None

    def print_preview(self, output: Output) -> bool:
        """Print the request instead of sending it, if that is asked for."""
        text_of = previewing(self.endpoint, self.sending, self.preview, self.notes, pretty=output.terminal)
        if text_of is None:
            return False
        text = text_of(self.body)
        output.write(f"{visible_json(text) if output.terminal else text}\n".encode())
        return True

    @contextmanager
    def opened(self, *, reask: int = 0, save: str | None = None) -> "Iterator[Exchange]":
        """The exchange with the server; its connection is closed at the end, and the file of `save` replaced."""
        from qwen_cli.api.client import Client
        from qwen_cli.api.exchange import Exchange

        with saving(save) as keep, Client(self.endpoint, self.key, self.sending, self.notes) as client:
            yield Exchange(client, self.body, self.notes, self.expectation, reask, keep, self.cache)


def find_awaited(*groups: tuple[Any, ...]) -> list[Awaited]:
    """The values of these groups of options, and in their lists, that standard input is to deliver."""
    values = [value for group in groups for value in group]
    every = [each for value in values for each in (value if isinstance(value, list) else [value])]
    return [each for each in every if isinstance(each, Awaited)]


def replace_awaited(options: G, replacement: Callable[[Awaited], Any]) -> G:
    """The options with another value for each that is awaited."""

    def replaced(value: Any) -> Any:
        if isinstance(value, list):
            return [replaced(each) for each in value]
        return replacement(value) if isinstance(value, Awaited) else value

    return options._replace(**{name: replaced(value) for name, value in options._asdict().items()})


def prepare(
    words: Sequence[str] | None,
    prompt: PromptOptions,
    request: RequestOptions,
    sending: SendingOptions,
    preview: PreviewOptions,
    notes: Notes,
    *,
    stream: bool,
    asked: Asked | None = None,
    chat: "Chat | None" = None,
    caching: CacheOptions | None = None,
) -> Prepared:
    """Read and check all that the request is made of.

    Mistakes that can be seen without waiting come first, then a missing key, and then standard input is awaited.
    """
    note_unknown_variables(notes)
    stdin = StandardInput(notes.note)
    awaited = claim_stdin(stdin, words or (), prompt, request)
    fields = build_fields(replace_awaited(request, lambda each: each.stand_in), stream=stream)
    caching = caching or CacheOptions()
    cache = open_cache(caching)
    expectation = expect(request, fields, asked or Asked())

    def read() -> Parts:
        given = prompt if chat is None else prompt._replace(messages=chat.read())
        parts = read_parts(words or (), replace_awaited(given, lambda each: each.stand_in), stdin)
        if chat is not None:
            chat.continued(parts)
        return parts

    endpoint, key, parts = prepare_sending(sending, read, is_sent=is_sent(preview, caching))
    if awaited:
        value = awaited[0].parse(stdin.read())
        fields = build_fields(replace_awaited(request, lambda _: value), stream=stream)
        expectation = expect(request, fields, asked or Asked())
        parts = parts._replace(earlier=replace_awaited(prompt, lambda _: value).messages or [])
    new = parts.new_messages()
    if chat is not None:
        if not (preview.dry_run or preview.curl):
            # Not before standard input has ended: who writes it may be awaiting the same file.
            chat.take_turn()
        parts = chat.continued(parts._replace(earlier=chat.read()))
    body = {"model": fields.pop("model"), "messages": parts.conversation(new)} | fields
    return Prepared(body, endpoint, key, sending, preview, notes, expectation, cache)


def is_sent(preview: PreviewOptions, caching: CacheOptions) -> bool:
    """Whether a request may be sent at all."""
    return not (preview.dry_run or preview.curl or caching.cache_only)


def claim_stdin(
    stdin: StandardInput, words: Sequence[str], prompt: PromptOptions, request: RequestOptions
) -> list[Awaited]:
    """Keep standard input for what reads it; the values that it is to deliver. InvalidUsage if two want it."""
    awaited = find_awaited(request, prompt)
    for reader in (
        *(each.flag for each in awaited),
        *({STDIN} & {*words, *(prompt.file or ()), *(prompt.image or ())}),
    ):
        stdin.claim(reader)
    return awaited


def prepare_sending(sending: SendingOptions, read: Callable[[], T], *, is_sent: bool) -> tuple[Endpoint, Key | None, T]:
    """Where requests go, the key that goes with them, and what `read` returns, whose mistakes come before the key's."""
    endpoint = parse_endpoint(sending.base_url)
    if is_sent and not sending.no_key:
        endpoint.require_privacy()
    if is_sent:
        dial_ahead(endpoint)
    what = read()
    return endpoint, find_key(endpoint, no_key=sending.no_key) if is_sent else None, what


def previewing(
    endpoint: Endpoint, sending: SendingOptions, preview: PreviewOptions, notes: Notes, *, pretty: bool
) -> Callable[[Body], str] | None:
    """What turns a request body into the text that is printed instead of sending it, if that is asked for."""
    if preview.curl:
        if not sending.no_key and not os.environ.get(VARIABLES[0]):
            notes.note(f"{VARIABLES[0]} is not set: the command takes the key from it")
        return lambda body: as_curl(body, endpoint, request_id=sending.request_id, no_key=sending.no_key)
    return (lambda body: as_json(body, pretty=pretty)) if preview.dry_run else None


def expect(request: RequestOptions, fields: Mapping[str, Any], asked: Asked) -> "Expectation":
    """What is asked of the answer; InvalidUsage for a schema that is none."""
    from qwen_cli.api.checks import Expectation

    if asked.wanted != "content" and (asked.code or request.choice):
        flag = "--code" if asked.code else "--choice"
        raise InvalidUsage(
            f"{flag} applies to the content of the answer: it cannot be combined with --show {asked.wanted}"
        )
    is_overruled = any(name == "response_format" for name, _ in request.field or ())
    find_misfit = None
    if request.schema is not None and not is_overruled:
        from qwen_cli.api.schemas import compile_schema

        find_misfit = compile_schema(fields["response_format"]["json_schema"]["schema"], request.schema)
    return Expectation.of(
        fields,
        wanted=asked.wanted,
        find_misfit=find_misfit,
        choices=() if is_overruled else tuple(request.choice or ()),
        find_code=_code_finder() if asked.code else None,
        allow_incomplete=asked.allow_incomplete,
    )


def _code_finder() -> Callable[[str], str | None]:
    from qwen_cli.api.fences import find_code

    return find_code


def settle(exchange: "Exchange", outcome: "Outcome", *, usage: bool) -> None:
    """Raise what is wrong with the answer; print the usage of all answers if asked to."""
    if usage:
        from qwen_cli.api.costs import Total, usage_line

        exchange.notes.tell(usage_line(Total(outcome.answers).sums, cached=outcome.cached))
    allowed, failure = outcome.judgement.allowed, outcome.judgement.failure
    if allowed is not None:
        exchange.notes.note(str(allowed))
    if failure is not None:
        raise failure


def require_different_files(**files: str | None) -> None:
    """InvalidUsage where two of the options of these names would replace each other's file."""
    given = [(name, path) for name, path in files.items() if path is not None]
    for (name, path), (other, same) in combinations(given, 2):
        try:
            is_same = os.path.realpath(path) == os.path.realpath(same)
        except OSError:  # in a folder that is gone, where neither can be written
            is_same = path == same
        if is_same:
            raise InvalidUsage(f"--{name} and --{other} cannot be the same file")


def open_chat(options: ChatOptions, notes: Notes) -> "AbstractContextManager[Chat | None]":
    """The conversation that is continued, if any."""
    if options.chat is None:
        return nullcontext()
    from qwen_cli.request.chat import Chat

    return Chat(options.chat, notes)


def note_unknown_variables(notes: Notes) -> None:
    """Name each variable that is spelled as an option's but is none, and the nearest that is one."""
    known = {name.removeprefix(VARIABLE_PREFIX) for option in OPTIONS.values() for name in option.envvar or ()}
    for name in sorted(os.environ):
        option = name.removeprefix(VARIABLE_PREFIX)
        if option not in (name, *known):
            from difflib import get_close_matches

            close = get_close_matches(option, known, n=1)
            hint = f"; did you mean {VARIABLE_PREFIX}{close[0]}?" if close else ""
            notes.note(f"unknown variable {name}{hint}")
