"""From the options to a request that is ready to be sent, or shown instead."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from qwen_cli.api.credentials import VARIABLES, Key, find_key
from qwen_cli.api.dialling import dial_ahead
from qwen_cli.api.endpoint import Endpoint, SendingOptions, parse_endpoint
from qwen_cli.cli.options import PreviewOptions, VerdictOptions
from qwen_cli.errors import IncompleteAnswer
from qwen_cli.output.results import Output
from qwen_cli.output.stderr import Notes
from qwen_cli.output.terminal import visible_json
from qwen_cli.request.body import RequestOptions, as_curl, as_json, build_fields
from qwen_cli.request.inputs import Awaited, StandardInput
from qwen_cli.request.prompt import STDIN, PromptOptions, read_parts

if TYPE_CHECKING:
    from qwen_cli.api.answer import Answer
    from qwen_cli.api.exchange import Exchange


G = TypeVar("G", RequestOptions, PromptOptions)


class Prepared(NamedTuple):
    """A request, read and checked."""

    body: dict[str, Any]
    endpoint: Endpoint
    key: Key | None
    sending: SendingOptions
    preview: PreviewOptions
    notes: Notes

    def print_preview(self, output: Output) -> bool:
        """Print the request instead of sending it, if that is asked for."""
        if self.preview.curl:
            no_key = self.sending.no_key
            text = as_curl(self.body, self.endpoint, request_id=self.sending.request_id, no_key=no_key)
            if not no_key and not os.environ.get(VARIABLES[0]):
                self.notes.note(f"{VARIABLES[0]} is not set: the command takes the key from it")
        elif self.preview.dry_run:
            text = as_json(self.body, pretty=output.terminal)
        else:
            return False
        output.write(f"{visible_json(text) if output.terminal else text}\n".encode())
        return True

    @contextmanager
    def opened(self) -> "Iterator[Exchange]":
        """The exchange with the server; its connection is closed at the end."""
        from qwen_cli.api.client import Client
        from qwen_cli.api.exchange import Exchange

        with Client(self.endpoint, self.key, self.sending, self.notes) as client:
            yield Exchange(client, self.body, self.notes)


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
) -> Prepared:
    """Read and check all that the request is made of.

    Mistakes that can be seen without waiting come first, then a missing key, and then standard input is awaited.
    """
    endpoint = parse_endpoint(sending.base_url)
    stdin = StandardInput(notes.note)
    awaited = find_awaited(request, prompt)
    for reader in (
        *(each.flag for each in awaited),
        *({STDIN} & {*(words or ()), *(prompt.file or ()), *(prompt.image or ())}),
    ):
        stdin.claim(reader)
    fields = build_fields(replace_awaited(request, lambda each: each.stand_in), stream=stream)
    key = None
    is_sent = not (preview.dry_run or preview.curl)
    if is_sent and not sending.no_key:
        endpoint.require_privacy()
    if is_sent:
        dial_ahead(endpoint)
    parts = read_parts(words or (), replace_awaited(prompt, lambda each: each.stand_in), stdin)
    if is_sent:
        key = find_key(endpoint, no_key=sending.no_key)
    if awaited:
        value = awaited[0].parse(stdin.read())
        fields = build_fields(replace_awaited(request, lambda _: value), stream=stream)
        parts = parts._replace(earlier=replace_awaited(prompt, lambda _: value).messages or [])
    body = {"model": fields.pop("model"), "messages": parts.messages()} | fields
    return Prepared(body, endpoint, key, sending, preview, notes)


def judge(exchange: "Exchange", answer: "Answer", wanted: str, options: VerdictOptions) -> None:
    """Raise what the answer lacks, unless that is allowed; print its usage if asked to."""
    if options.usage:
        from qwen_cli.api.costs import usage_line

        exchange.notes.tell(usage_line(answer))
    failure = exchange.verdict(answer, wanted)
    if isinstance(failure, IncompleteAnswer) and options.allow_incomplete:
        exchange.notes.note(str(failure))
    elif failure is not None:
        raise failure
