"""`qwen-cli ask`: print the answer."""

from qwen_cli.cli.options import CommonOptions, ShowOptions, Words
from qwen_cli.output.result import open_output


def ask(
    words: Words = None,
    *,
    common: CommonOptions,
    chat: str | None = None,
    show: ShowOptions,
    reask: int = 0,
    allow_incomplete: bool = False,
    usage: bool = False,
    output: str | None = None,
    save: str | None = None,
) -> None:
    """Print the answer once it is complete.

    The prompt is made of --prompt-file, each -f FILE, standard input and the words, with blank lines between them. A
    '-' stands for standard input.
    """
    from qwen_cli.cli.prepare import open_chat, prepare, require_different_files, settle

    require_different_files(output=output, save=save, chat=chat)
    with open_chat(chat, common.notes) as conversation, open_output(output) as out:
        prepared = prepare(words, common, show=show, allow_incomplete=allow_incomplete, chat=conversation)
        with prepared.opened(out, reask=reask, save=save) as exchange:
            if exchange is None:
                return
            from qwen_cli.cli.printing import print_outcome

            outcome = exchange.ask()
            print_outcome(outcome, out, exchange.expectation, show)
            settle(exchange, outcome, usage=usage, chat=conversation)
