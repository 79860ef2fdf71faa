"""`qwen-cli ask`: print the answer."""

from qwen_cli.api.endpoint import SendingOptions
from qwen_cli.cli.options import (
    PreviewOptions,
    PrintingOptions,
    ReaskOptions,
    SaveOptions,
    ShowOptions,
    VerdictOptions,
    Words,
)
from qwen_cli.output.results import open_output
from qwen_cli.output.stderr import Notes
from qwen_cli.request.body import RequestOptions
from qwen_cli.request.prompt import PromptOptions


def ask(
    words: Words = None,
    *,
    prompt: PromptOptions,
    request: RequestOptions,
    show: ShowOptions,
    verdict: VerdictOptions,
    reasking: ReaskOptions,
    saving: SaveOptions,
    printing: PrintingOptions,
    sending: SendingOptions,
    preview: PreviewOptions,
) -> None:
    """Print the answer, once it is whole.

    The prompt is made of --prompt-file, each -f FILE, standard input, and the words, with a blank line between them. A
    '-' among the words stands for standard input at that very place.
    """
    from qwen_cli.cli.prepare import Asked, prepare, require_two_files, settle

    notes = Notes(quiet=printing.quiet, verbose=printing.verbose)
    require_two_files(printing.output, saving.save)
    asked = Asked(show.wanted, show.code, verdict.allow_incomplete)
    with open_output(printing.output) as output:
        prepared = prepare(words, prompt, request, sending, preview, notes, stream=False, asked=asked)
        if prepared.print_preview(output):
            return
        with prepared.opened(reask=reasking.reask, save=saving.save) as exchange:
            from qwen_cli.cli.printing import print_outcome

            outcome = exchange.ask()
            print_outcome(outcome, output, exchange.expectation, show)
            settle(exchange, outcome.answers, outcome.judgement, usage=verdict.usage)
