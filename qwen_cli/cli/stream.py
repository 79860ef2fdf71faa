"""`qwen-cli stream`: print the answer as it arrives."""

from qwen_cli.api.endpoint import SendingOptions
from qwen_cli.cli.options import PreviewOptions, PrintingOptions, ShowOptions, VerdictOptions, Words
from qwen_cli.output.results import open_output
from qwen_cli.output.stderr import Notes
from qwen_cli.request.body import RequestOptions
from qwen_cli.request.prompt import PromptOptions


def stream(
    words: Words = None,
    *,
    prompt: PromptOptions,
    request: RequestOptions,
    show: ShowOptions,
    verdict: VerdictOptions,
    printing: PrintingOptions,
    sending: SendingOptions,
    preview: PreviewOptions,
) -> None:
    """Print the answer as it arrives.

    The prompt is made of --prompt-file, each -f FILE, standard input, and the words, with a blank line between them. A
    '-' among the words stands for standard input at that very place.
    """
    from qwen_cli.cli.prepare import judge, prepare

    notes = Notes(quiet=printing.quiet, verbose=printing.verbose)
    with open_output(printing.output) as output:
        prepared = prepare(words, prompt, request, sending, preview, notes, stream=True)
        if prepared.print_preview(output):
            return
        with prepared.opened() as exchange:
            from qwen_cli.api.answer import ChunkReader
            from qwen_cli.cli.printing import print_stream, print_tool_calls

            reader = ChunkReader(keep_content=exchange.wants_json)
            wanted = ["content", "reasoning"] if show.both else [show.wanted]
            text = print_stream((delta for _, delta in exchange.chunks(reader, wanted)), output, show)
            answer = reader.finish()
            print_tool_calls(answer, text, show)
            judge(exchange, answer, show.wanted, verdict)
