"""`qwen-cli json`: print the response itself."""

from qwen_cli.cli.option_groups import CommonOptions, Words
from qwen_cli.output.result import open_output


def json(
    words: Words = None,
    *,
    common: CommonOptions,
    stream: bool = False,
    pretty: bool | None = None,
    allow_incomplete: bool = False,
    usage: bool = False,
    output: str | None = None,
) -> None:
    """Print the response as JSON."""
    from qwen_cli.cli import preparing

    with open_output(output) as out:
        draft = preparing.draft_request(common, stream=stream, allow_incomplete=allow_incomplete)
        prompt = preparing.begin_prompt(words, common)
        if common.is_preview:
            preparing.print_preview(draft, prompt, common, out)
            return
        with preparing.open_service(common) as service:
            from qwen_cli.cli.printing import PrintedBody, PrintedEvents

            request = draft.request(preparing.await_messages(prompt, common.notes))
            if stream:
                events = PrintedEvents(out, pretty=bool(pretty), keeps_content=draft.expectation.needs_content)
                outcome = service.ask(request, watch=events)
            else:
                body = PrintedBody(out, pretty=out.is_for_person if pretty is None else pretty)
                outcome = service.keep(service.ask(request, watch=body))
            preparing.settle(outcome, common.notes, usage=usage)
