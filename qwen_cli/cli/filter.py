"""`qwen-cli filter`: print the lines of standard input for which the answer is yes."""

from typing import TYPE_CHECKING

from qwen_cli.answer.choice import NO, YES
from qwen_cli.cli.check import STATUS_OF_NO, Question, asking_yes_or_no, refuse_previews_by_variable
from qwen_cli.cli.option_groups import CommonOptions, ManyOptions

if TYPE_CHECKING:
    from qwen_cli.map.one_item import ItemOutcome
    from qwen_cli.map.results import Shown
    from qwen_cli.map.table import Table


def filter(  # noqa: A001 -- the command's name
    words: Question = None,
    *,
    common: CommonOptions,
    many: ManyOptions,
    inverted: bool = False,
    reask: int = 0,
    usage: bool = False,
) -> int:
    """Print the lines of standard input for which the answer is yes."""
    from qwen_cli.cli.many import Job, answer_all
    from qwen_cli.cli.preparing import draft_request
    from qwen_cli.map.results import as_it_came

    refuse_previews_by_variable()
    common = asking_yes_or_no(common)
    wanted = NO if inverted else YES
    printed = 0

    def begin(table: "Table | None") -> "tuple[bytes, Shown]":
        def shown(found: "ItemOutcome", text: str | None) -> bytes:
            nonlocal printed
            if text != wanted:
                return b""
            printed += 1
            return as_it_came(found.data if table is None else found.data.raw)

        return b"" if table is None else table.head, shown

    job = Job(text=lambda outcome: outcome.verdict.text, begin=begin, reask=reask, usage=usage)
    status = answer_all(words or (), common, many, draft_request(common), job)
    return status or (0 if printed or common.is_preview else STATUS_OF_NO)
