"""`qwen-cli stream`: print the answer as it arrives."""

from qwen_cli.cli.options import CommonOptions, ShowOptions, Words
from qwen_cli.output.result import open_output


def stream(
    words: Words = None,
    *,
    common: CommonOptions,
    chat: str | None = None,
    show: ShowOptions,
    allow_incomplete: bool = False,
    usage: bool = False,
    output: str | None = None,
    save: str | None = None,
) -> None:
    """Print the answer as it arrives.

    The prompt is made of --prompt-file, each -f FILE, standard input and the words, with blank lines between them. A
    '-' stands for standard input.
    """
    from qwen_cli.cli.prepare import open_chat, prepare, require_different_files, settle

    require_different_files(output=output, save=save, chat=chat)
    with open_chat(chat, common.notes) as conversation, open_output(output) as out:
        prepared = prepare(words, common, stream=True, show=show, allow_incomplete=allow_incomplete, chat=conversation)
        with prepared.opened(out, save=save) as exchange:
            if exchange is None:
                return
            from qwen_cli.answer.completion import ChunkReader
            from qwen_cli.cli.printing import print_stream, print_tool_calls

            expectation = exchange.expectation
            reader = ChunkReader(keep_content=expectation.needs_content or conversation is not None)
            wanted = ["content", "reasoning"] if show.both else [show.wanted]
            deltas = (delta for _, delta in exchange.chunks(reader, wanted))
            text = print_stream(deltas, out, show, is_held_back=expectation.selects)
            outcome = exchange.judged(reader.finish())
            if expectation.selects:
                text.write(outcome.judgement.text)
                text.end()
                text.flush()
            else:
                print_tool_calls(outcome.answer.tool_calls, text, show)
            settle(exchange, outcome, usage=usage, chat=conversation)
