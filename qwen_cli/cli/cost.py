"""`qwen-cli cost`: print what was spent."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qwen_cli.api.endpoint import SendingOptions
from qwen_cli.cli.option_types import Text
from qwen_cli.cli.options import CostOptions, PreviewOptions, PrintingOptions, ReaskOptions
from qwen_cli.errors import InvalidUsage
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
    With --saved, the arguments are files with responses saved by 'qwen-cli json'; '-', or none, is standard input.
    """
    from qwen_cli.api import costs

    words = words or []
    notes = Notes(quiet=printing.quiet, verbose=printing.verbose)
    with open_output(printing.output) as output:
        if cost.saved:
            figures = _of_saved(words, notes)
        elif cost.period or cost.balance:
            if words:
                raise InvalidUsage("--period and --balance ask the account: they take no prompt")
            figures = _of_account(cost, sending, preview, notes)
        else:
            from qwen_cli.cli.prepare import prepare

            words = [Text().convert(word, None, None) for word in words]
            prepared = prepare(words, prompt, request, sending, preview, notes, stream=False)
            if prepared.print_preview(output):
                return
            with prepared.opened(reask=reask.reask) as exchange:
                figures = costs.sum_of(exchange.ask().answers)
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

    figures, remarks = costs.total(answers())
    for remark in remarks:
        notes.note(remark)
    return figures


def _of_account(cost: CostOptions, sending: SendingOptions, preview: PreviewOptions, notes: Notes) -> Mapping[str, Any]:
    from qwen_cli.api import costs
    from qwen_cli.api.client import Client
    from qwen_cli.api.credentials import find_key
    from qwen_cli.api.endpoint import parse_endpoint
    from qwen_cli.cli.prepare import note_unknown_variables

    if preview.dry_run or preview.curl:
        raise InvalidUsage("--dry-run and --curl show a prompt's request; --period and --balance send no prompt")
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
