"""`qwen-cli check`: answer yes or no with the exit status."""

from typing import Annotated

import typer

from qwen_cli.cli.option_types import Text
from qwen_cli.cli.options import CommonOptions
from qwen_cli.output.results import open_output

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

    common = common._replace(request=common.request._replace(choice=[YES, NO]))
    with open_output(None) as out, prepare(words, common).opened(out, reask=reask, save=save) as exchange:
        if exchange is None:
            return 0
        outcome = exchange.ask()
        settle(exchange, outcome, usage=usage)
    return 0 if outcome.judgement.text == YES else STATUS_OF_NO
