"""`qwen-cli ask`: print the answer."""

from qwen_cli.api.cache import CacheOptions
from qwen_cli.api.endpoint import SendingOptions
from qwen_cli.cli.options import (
    ChatOptions,
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
    chat: ChatOptions,
    request: RequestOptions,
    show: ShowOptions,
    verdict: VerdictOptions,
    reask: ReaskOptions,
    saving: SaveOptions,
    printing: PrintingOptions,
    caching: CacheOptions,
    sending: SendingOptions,
    preview: PreviewOptions,
) -> None:
    """Print the answer once it is complete.

    The prompt is made of --prompt-file, each -f FILE, standard input and the words, with blank lines between them. A
    '-' stands for standard input.
    """
    from qwen_cli.cli.prepare import Asked, open_chat, prepare, require_different_files, settle

    notes = Notes(quiet=printing.quiet, verbose=printing.verbose)
    require_different_files(output=printing.output, save=saving.save, chat=chat.chat)
    asked = Asked(show.wanted, show.code, verdict.allow_incomplete)
    with open_chat(chat, notes) as talk, open_output(printing.output) as output:
        prepared = prepare(
            words, prompt, request, sending, preview, notes, stream=False, asked=asked, chat=talk, caching=caching
        )
        if prepared.print_preview(output):
            return
        with prepared.opened(reask=reask.reask, save=saving.save) as exchange:
            from qwen_cli.cli.printing import print_outcome

            outcome = exchange.ask()
            print_outcome(outcome, output, exchange.expectation, show)
            settle(exchange, outcome, usage=verdict.usage)
            if talk is not None and outcome.judgement.allowed is None:
                talk.add(prepared.body["messages"], outcome.answer)
