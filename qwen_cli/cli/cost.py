"""`qwen-cli cost`: print what was spent."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qwen_cli.cli.option_types import Text
from qwen_cli.cli.options import CommonOptions
from qwen_cli.errors import InvalidUsage, RefusedError
from qwen_cli.output.result import open_output
from qwen_cli.output.stderr import Notes
from qwen_cli.output.terminal import encode

if TYPE_CHECKING:
    from qwen_cli.answer.completion import Answer
    from qwen_cli.endpoint import Endpoint
    from qwen_cli.key.sources import Key


def cost(
    words: Annotated[list[str] | None, typer.Argument(metavar="[PROMPT|FILE]...")] = None,
    *,
    common: CommonOptions,
    saved: bool = False,
    period: str | None = None,
    balance: bool = False,
    estimate: bool = False,
    json: bool = False,
    reask: int = 0,
    output: str | None = None,
) -> None:
    """Print the cost of a request, of saved responses or of the account.

    Each line is a name, a tab and a value, in columns on a terminal; a value that the server did not send is '-'. The
    answer is not printed, and the exit status is 0 even if it is incomplete. With --estimate, the model is not asked:
    the values are upper bounds, computed from the prompt's length, --max-tokens or the model's own limit, and the
    server's public prices. With --saved, the arguments are files with responses saved by 'qwen-cli json' or --save;
    '-', or none, is standard input.
    """
    from qwen_cli.cost import usage
    from qwen_cli.cost.figures import as_json, lines

    if common.is_preview and (period or balance or estimate):
        raise InvalidUsage(
            "--dry-run and --curl print a request to the model; --period, --balance and --estimate send none"
        )
    words = words or []
    with open_output(output) as out:
        if saved:
            figures = _of_saved(words, common.notes)
        elif period or balance:
            if words:
                raise InvalidUsage("--period and --balance take no prompt")
            figures = _of_account(period, common)
        else:
            from qwen_cli.cli.prepare import prepare

            prompt = [Text().convert(word, None, None) for word in words]
            if estimate:
                figures = _of_estimate(prompt, common, reask=reask)
            else:
                with prepare(prompt, common).opened(out, reask=reask) as exchange:
                    if exchange is None:
                        return
                    figures = usage.Total(exchange.ask().answers).sums
        out.write(encode(as_json(figures) if json else lines(figures, aligned=out.terminal)))


def _of_saved(paths: Sequence[str], notes: Notes) -> Mapping[str, Any]:
    from qwen_cli.cost import usage
    from qwen_cli.cost.saved_responses import read_saved
    from qwen_cli.prompt.files import StandardInput, read_text

    stdin = StandardInput(notes.note)

    def answers() -> "Iterator[Answer]":
        for path in paths or ["-"]:
            text, name = (stdin.read(), "standard input") if path == "-" else (read_text(path), path)
            yield from read_saved(text, name)

    total = usage.Total(answers())
    for remark in total.remarks():
        notes.note(remark)
    return total.as_figures()


def _of_account(period: str | None, common: CommonOptions) -> Mapping[str, Any]:
    from qwen_cli.cost import usage
    from qwen_cli.endpoint import parse_endpoint
    from qwen_cli.key.sources import find_key

    endpoint = parse_endpoint(common.sending.base_url)
    url = endpoint.account_url(f"usage/detail?period={period}" if period else "billing")
    body = _get(url, endpoint, find_key(endpoint, no_key=common.sending.no_key), common, "asking the account")
    return usage.read_period(body, period) if period else usage.read_balance(body)


def _of_estimate(words: Sequence[str], common: CommonOptions, *, reask: int) -> Mapping[str, Any]:
    from urllib.parse import urlencode

    from qwen_cli.cli.prepare import prepare
    from qwen_cli.cost.upper_bound import estimate

    common = common._replace(sending=common.sending._replace(no_key=True))
    prepared = prepare(words, common)
    url = prepared.endpoint.models_url(urlencode({"id": prepared.body["model"], "include": "pricing"}))
    try:
        models = _get(url, prepared.endpoint, None, common, "waiting for the prices")
    except RefusedError as error:
        raise RefusedError(
            f"the server has no list of models with prices: {error.message}", advice="check --base-url"
        ) from error
    figures, remarks = estimate(prepared.body, models)
    if reask:
        remarks.append("this is for one request, without --reask")
    for remark in remarks:
        common.notes.note(remark)
    return figures


def _get(url: str, endpoint: "Endpoint", key: "Key | None", common: CommonOptions, waiting: str) -> bytes:
    from qwen_cli.connection.client import Client

    notes = common.notes
    with Client(endpoint, key, common.sending, notes) as client, notes.waiting(waiting), client.get(url) as reply:
        return reply.read()
