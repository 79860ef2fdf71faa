"""`qwen-cli stream`: print the answer as it arrives."""

from qwen_cli.api.endpoint import SendingOptions
from qwen_cli.cli.options import (
    ChatOptions,
    PreviewOptions,
    PrintingOptions,
    SaveOptions,
    ShowOptions,
    VerdictOptions,
    Words,
)
from qwen_cli.output.results import open_output
from qwen_cli.output.stderr import Notes
from qwen_cli.request.body import RequestOptions
from qwen_cli.request.prompt import PromptOptions


def stream(
    words: Words = None,
    *,
    prompt: PromptOptions,
    chat: ChatOptions,
    request: RequestOptions,
    show: ShowOptions,
    verdict: VerdictOptions,
    saving: SaveOptions,
    printing: PrintingOptions,
    sending: SendingOptions,
    preview: PreviewOptions,
) -> None:
    """Print the answer as it arrives.

    The prompt is made of --prompt-file, each -f FILE, standard input and the words, with blank lines between them. A
    '-' stands for standard input.
    """
    from qwen_cli.cli.prepare import Asked, open_chat, prepare, require_different_files, settle

    notes = Notes(quiet=printing.quiet, verbose=printing.verbose)
    require_different_files(output=printing.output, save=saving.save, chat=chat.chat)
    asked = Asked(show.wanted, show.code, verdict.allow_incomplete)
    with open_chat(chat, notes) as talk, open_output(printing.output) as output:
        prepared = prepare(words, prompt, request, sending, preview, notes, stream=True, asked=asked, chat=talk)
        if prepared.print_preview(output):
            return
        with prepared.opened(save=saving.save) as exchange:
            from qwen_cli.api.answer import ChunkReader
            from qwen_cli.cli.printing import print_stream, print_tool_calls

            expectation = exchange.expectation
            reader = ChunkReader(keep_content=expectation.needs_content or talk is not None)
            wanted = ["content", "reasoning"] if show.both else [show.wanted]
            deltas = (delta for _, delta in exchange.chunks(reader, wanted))
            text = print_stream(deltas, output, show, is_held_back=expectation.selects)
            answer = reader.finish()
            outcome = exchange.judged(answer)
            if expectation.selects:
                text.write(outcome.judgement.text)
                text.end()
            print_tool_calls([] if expectation.selects else answer.tool_calls, text, show)
            settle(exchange, outcome, usage=verdict.usage)
            if talk is not None and outcome.judgement.allowed is None:
                talk.add(prepared.body["messages"], answer)
