"""`qwen-cli check`: answer yes or no with the exit status."""

from typing import Annotated

import typer

from qwen_cli.api.cache import CacheOptions
from qwen_cli.api.endpoint import SendingOptions
from qwen_cli.cli.option_types import Text
from qwen_cli.cli.options import CheckOptions, PreviewOptions, ReaskOptions, SaveOptions
from qwen_cli.errors import InvalidUsage
from qwen_cli.output.results import open_output
from qwen_cli.output.stderr import Notes
from qwen_cli.request.body import RequestOptions
from qwen_cli.request.prompt import PromptOptions

YES, NO = "yes", "no"
STATUS_OF_NO = 10


def check(
    words: Annotated[list[str] | None, typer.Argument(metavar="[QUESTION]...", click_type=Text())] = None,
    *,
    prompt: PromptOptions,
    request: RequestOptions,
    reask: ReaskOptions,
    saving: SaveOptions,
    display: CheckOptions,
    caching: CacheOptions,
    sending: SendingOptions,
    preview: PreviewOptions,
) -> int:
    """Answer yes or no with the exit status.

    The status is 0 for yes and 10 for no; anything else is a failure. Nothing is printed. The question is made as the
    prompt of 'qwen-cli ask'.
    """
    from qwen_cli.cli.prepare import prepare, settle

    if request.choice or request.schema or request.response_format:
        raise InvalidUsage("check takes no --choice, --schema or --response-format: the answer is yes or no")
    notes = Notes(quiet=display.quiet, verbose=display.verbose)
    request = request._replace(choice=[YES, NO])
    with open_output(None) as output:
        prepared = prepare(words, prompt, request, sending, preview, notes, stream=False, caching=caching)
        if prepared.print_preview(output):
            return 0
        with prepared.opened(reask=reask.reask, save=saving.save) as exchange:
            outcome = exchange.ask()
            settle(exchange, outcome, usage=display.usage)
    return 0 if outcome.judgement.text == YES else STATUS_OF_NO
