"""`qwen-cli cost`: print what was spent."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qwen_cli.api.endpoint import SendingOptions
from qwen_cli.cli.option_types import Text
from qwen_cli.cli.options import CostOptions, PreviewOptions, PrintingOptions, ReaskOptions
from qwen_cli.errors import InvalidUsage, RefusedError
from qwen_cli.output.results import open_output
from qwen_cli.output.stderr import Notes
from qwen_cli.output.terminal import encode
from qwen_cli.request.body import RequestOptions
from qwen_cli.request.prompt import PromptOptions

if TYPE_CHECKING:
    from qwen_cli.api.answer import Answer


def cost(
    words: Annotated[list[str] | None, typer.Argument(metavar="[PROMPT|FILE]...")] = None,
    *,
    cost: CostOptions,
    prompt: PromptOptions,
    request: RequestOptions,
    reask: ReaskOptions,
    printing: PrintingOptions,
    sending: SendingOptions,
    preview: PreviewOptions,
) -> None:
    """Print what a request, saved responses or the account cost.

    Each line is a name, a tab and a value, which is '-' if the server did not send it. The answer is not printed.
    With --estimate, they are upper bounds, made of the prompt's length, --max-tokens or the model's own limit, and the
    server's public prices; the model is not asked. With --saved, the arguments are files with responses saved by
    'qwen-cli json'; '-', or none, is standard input.
    """
    from qwen_cli.api import costs

    words = words or []
    notes = Notes(quiet=printing.quiet, verbose=printing.verbose)
    with open_output(printing.output) as output:
        if cost.saved:
            figures = _of_saved(words, notes)
        elif cost.period or cost.balance:
            if words:
                raise InvalidUsage("--period and --balance take no prompt")
            figures = _of_account(cost, sending, preview, notes)
        elif cost.estimate:
            figures = _of_estimate(_texts(words), prompt, request, reask, sending, preview, notes)
        else:
            from qwen_cli.cli.prepare import prepare

            words = _texts(words)
            prepared = prepare(words, prompt, request, sending, preview, notes, stream=False)
            if prepared.print_preview(output):
                return
            with prepared.opened(reask=reask.reask) as exchange:
                figures = costs.Total(exchange.ask().answers).sums
        output.write(encode(costs.as_json(figures) if cost.json else costs.lines(figures)))


def _of_saved(paths: Sequence[str], notes: Notes) -> Mapping[str, Any]:
    from qwen_cli.api import costs
    from qwen_cli.api.saved import read_saved
    from qwen_cli.request.inputs import StandardInput, read_text

    stdin = StandardInput(notes.note)

    def answers() -> "Iterator[Answer]":
        for path in paths or ["-"]:
            if path == "-":
                yield from read_saved(stdin.read(), "standard input")
            else:
                yield from read_saved(read_text(path), path)

    total = costs.Total(answers())
    for remark in total.remarks():
        notes.note(remark)
    return total.as_figures()


def _of_account(cost: CostOptions, sending: SendingOptions, preview: PreviewOptions, notes: Notes) -> Mapping[str, Any]:
    from qwen_cli.api import costs
    from qwen_cli.api.client import Client
    from qwen_cli.api.credentials import find_key
    from qwen_cli.api.endpoint import parse_endpoint
    from qwen_cli.cli.prepare import note_unknown_variables

    if preview.dry_run or preview.curl:
        raise InvalidUsage("--dry-run and --curl print the request for a prompt; --period and --balance send none")
    note_unknown_variables(notes)
    endpoint = parse_endpoint(sending.base_url)
    query = f"usage/detail?period={cost.period}" if cost.period else "billing"
    with (
        Client(endpoint, find_key(endpoint, no_key=sending.no_key), sending, notes) as client,
        notes.waiting("asking the account"),
        client.get(endpoint.account_url(query)) as reply,
    ):
        body = reply.read()
    return costs.read_balance(body) if cost.period is None else costs.read_period(body, cost.period)


def _texts(words: Sequence[str]) -> list[str]:
    return [Text().convert(word, None, None) for word in words]


def _of_estimate(
    words: Sequence[str],
    prompt: PromptOptions,
    request: RequestOptions,
    reask: ReaskOptions,
    sending: SendingOptions,
    preview: PreviewOptions,
    notes: Notes,
) -> Mapping[str, Any]:
    from urllib.parse import urlencode

    from qwen_cli.api.client import Client
    from qwen_cli.api.estimates import estimate
    from qwen_cli.cli.prepare import prepare

    if preview.dry_run or preview.curl:
        raise InvalidUsage("--dry-run and --curl show a request to the model; --estimate sends none")
    sending = sending._replace(no_key=True)
    prepared = prepare(words, prompt, request, sending, preview, notes, stream=False)
    query = urlencode({"id": prepared.body["model"], "include": "pricing"})
    try:
        with (
            Client(prepared.endpoint, None, sending, notes) as client,
            notes.waiting("waiting for the prices"),
            client.get(prepared.endpoint.models_url(query)) as reply,
        ):
            models = reply.read()
    except RefusedError as error:
        raise RefusedError(
            f"the server has no list of models with prices: {error.message}", advice="check --base-url"
        ) from error
    figures, remarks = estimate(prepared.body, models)
    if reask.reask:
        remarks.append("this is for asking once, without --reask")
    for remark in remarks:
        notes.note(remark)
    return figures
