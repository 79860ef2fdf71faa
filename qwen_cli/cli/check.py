"""`qwen-cli check`: answer yes or no with the exit status."""

from typing import Annotated

import click
import typer

from qwen_cli.cli.option_types import Text
from qwen_cli.cli.options import CommonOptions, variable
from qwen_cli.errors import InvalidUsage
from qwen_cli.output.result import open_output

YES, NO = "yes", "no"
STATUS_OF_NO = 10


def check(
    words: Annotated[list[str] | None, typer.Argument(metavar="[QUESTION]...", click_type=Text())] = None,
    *,
    common: CommonOptions,
    reask: int = 0,
    usage: bool = False,
    save: str | None = None,
) -> int:
    """Answer yes or no with the exit status.

    The status is 0 for yes and 10 for no; anything else is a failure. Nothing is printed. The question is made like the
    prompt of 'qwen-cli ask'.
    """
    from qwen_cli.cli.prepare import prepare, settle

    _refuse_previews_by_variable(click.get_current_context())
    common = common._replace(request=common.request._replace(choice=[YES, NO]))
    with open_output(None) as out, prepare(words, common).opened(out, reask=reask, save=save) as exchange:
        if exchange is None:
            return 0
        outcome = exchange.ask()
        settle(exchange, outcome, usage=usage)
    return 0 if outcome.judgement.text == YES else STATUS_OF_NO


def _refuse_previews_by_variable(context: click.Context) -> None:
    """InvalidUsage if a variable asks for a preview, whose status 0 a script would read as yes."""
    for name in ("dry_run", "curl"):
        is_from_variable = context.get_parameter_source(name) is click.core.ParameterSource.ENVIRONMENT
        if is_from_variable and context.params[name]:
            raise InvalidUsage(f"{variable(name)} is set, and 'check' answers with its status", advice="unset it")
