"""`qwen-cli ask`: print the answer."""

from qwen_cli.cli.option_groups import CommonOptions, ShowOptions, Words
from qwen_cli.output.result import open_output, saving


def ask(
    words: Words = None,
    *,
    common: CommonOptions,
    chat: str | None = None,
    show: ShowOptions,
    pretty: bool | None = None,
    reask: int = 0,
    allow_incomplete: bool = False,
    usage: bool = False,
    output: str | None = None,
    save: str | None = None,
) -> None:
    """Print the answer once it is complete."""
    from qwen_cli.cli import preparing

    preparing.require_different_files(output=output, save=save, chat=chat)
    with preparing.open_chat(chat, common) as conversation, open_output(output) as out, saving(save) as receipt:
        draft = preparing.draft_request(common, show=show, allow_incomplete=allow_incomplete)
        prompt = preparing.begin_prompt(words, common, conversation)
        if common.is_preview:
            preparing.print_preview(draft, prompt, common, out, conversation)
            return
        with preparing.open_service(common) as service:
            from qwen_cli.cli.printing import Rendering, print_outcome

            messages = preparing.await_messages(prompt, common.notes, conversation)
            rendering = Rendering.begin(out, draft.expectation, pretty=pretty)
            outcome = service.keep(service.ask(draft.request(messages), reask=reask, receipt=receipt))
            print_outcome(outcome, out, show, rendering)
            preparing.settle(outcome, common.notes, usage=usage)
            preparing.continue_chat(conversation, messages, outcome)
