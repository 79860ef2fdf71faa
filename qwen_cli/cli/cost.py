"""`qwen-cli cost`: print what was spent."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qwen_cli.cli.option_groups import CommonOptions
from qwen_cli.cli.option_types import Operand
from qwen_cli.errors import IncompleteAnswer, InvalidUsage, ProtocolError, QwenError
from qwen_cli.output.result import open_output
from qwen_cli.output.stderr import Notes
from qwen_cli.text import encode

if TYPE_CHECKING:
    from qwen_cli.answer.completion import Answer


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
    """Print the cost of a request, of saved responses or of the account."""
    from qwen_cli.cost.figures import as_json, lines

    if common.is_preview and (period or balance or estimate):
        raise InvalidUsage(
            "--dry-run and --curl print a request to the model; --period, --balance and --estimate send none"
        )
    words = words or []
    failure: QwenError | None = None
    with open_output(output) as out:
        if saved:
            figures = _of_saved(words, common.notes)
        elif period or balance:
            if words:
                raise InvalidUsage("--period and --balance take no prompt")
            figures = _of_account(period, common)
        else:
            from qwen_cli.cli import preparing

            draft = preparing.draft_request(common)
            prompt = preparing.begin_prompt([Operand().convert(word, None, None) for word in words], common)
            if common.is_preview:
                preparing.print_preview(draft, prompt, common, out)
                return
            if estimate:
                messages = preparing.await_messages(prompt, common.notes)
                figures = _of_estimate(draft.request(messages).body, common, reask=reask)
            else:
                with preparing.open_service(common) as service:
                    messages = preparing.await_messages(prompt, common.notes)
                    outcome = service.ask(draft.request(messages), reask=reask)
                figures, failure = _of_answers(outcome.answers), outcome.verdict.failure
        out.write(encode(as_json(figures) if json else lines(figures, aligned=out.terminal)), is_last=True)
        # The verdict on the answer is not asked for, but a request that failed is no answer.
        if failure is not None and not isinstance(failure, IncompleteAnswer | ProtocolError):
            raise failure


def _of_answers(answers: "Sequence[Answer]") -> Mapping[str, Any]:
    from qwen_cli.cost.usage import Total

    return Total(answers).sums


def _of_saved(paths: Sequence[str], notes: Notes) -> Mapping[str, Any]:
    from qwen_cli.cost.saved_responses import read_saved
    from qwen_cli.cost.usage import Total
    from qwen_cli.prompt.files import read_text
    from qwen_cli.prompt.standard_input import STDIN, standard_input

    def answers() -> "Iterator[Answer]":
        for path in paths or [STDIN]:
            if path == STDIN:
                standard_input.claim(STDIN)
                yield from read_saved(standard_input.read(notes.note), "standard input")
            else:
                yield from read_saved(read_text(path), path)

    total = Total(answers())
    for remark in total.remarks():
        notes.note(remark)
    return total.as_figures()


def _of_account(period: str | None, common: CommonOptions) -> Mapping[str, Any]:
    from qwen_cli.cli.getting import get_from_account
    from qwen_cli.cost.account import read_balance, read_period

    path = f"usage/detail?period={period}" if period else "billing"
    body = get_from_account(path, common.sending, common.notes)
    return read_period(body, period) if period else read_balance(body)


def _of_estimate(body: Mapping[str, Any], common: CommonOptions, *, reask: int) -> Mapping[str, Any]:
    from urllib.parse import urlencode

    from qwen_cli.cli.getting import get_models
    from qwen_cli.cost.upper_bound import estimate

    query = urlencode({"id": body["model"], "include": "pricing"})
    models = get_models(query, common.sending, common.notes)
    figures, remarks = estimate(body, models)
    if reask:
        remarks.append("this is for one request, without --reask")
    for remark in remarks:
        common.notes.note(remark)
    return figures
