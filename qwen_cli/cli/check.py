"""`qwen-cli check`: answer yes or no with the exit status."""

from typing import Annotated

import click
import typer

from qwen_cli.answer.choice import NO, YES
from qwen_cli.cli.option_groups import CommonOptions
from qwen_cli.cli.option_types import Operand, is_from_variable
from qwen_cli.cli.options import variable
from qwen_cli.errors import InvalidUsage
from qwen_cli.output.result import open_output, saving

STATUS_OF_NO = 10

Question = Annotated[list[str] | None, typer.Argument(metavar="[QUESTION]...", click_type=Operand())]
"""The operands of a command that answers yes or no."""


def check(
    words: Question = None,
    *,
    common: CommonOptions,
    reask: int = 0,
    usage: bool = False,
    save: str | None = None,
) -> int:
    """Answer yes or no with the exit status."""
    from qwen_cli.cli import preparing

    refuse_previews_by_variable()
    common = asking_yes_or_no(common)
    with open_output(None) as out, saving(save) as receipt:
        draft = preparing.draft_request(common)
        prompt = preparing.begin_prompt(words, common)
        if common.is_preview:
            preparing.print_preview(draft, prompt, common, out)
            return 0
        with preparing.open_service(common) as service:
            request = draft.request(preparing.await_messages(prompt, common.notes))
            outcome = service.keep(service.ask(request, reask=reask, receipt=receipt))
            preparing.settle(outcome, common.notes, usage=usage)
    return 0 if outcome.verdict.text == YES else STATUS_OF_NO


def asking_yes_or_no(common: CommonOptions) -> CommonOptions:
    """The options for a question that is answered by yes or no."""
    return common._replace(request=common.request._replace(choice=[YES, NO]))


def refuse_previews_by_variable() -> None:
    """InvalidUsage if a variable asks for a preview, whose status 0 a script would read as yes."""
    context = click.get_current_context()
    for name in ("dry_run", "curl"):
        if is_from_variable(name, context) and context.params[name]:
            raise InvalidUsage(
                f"{variable(name)} is set, and '{context.info_name}' answers with its status", advice="unset it"
            )
