"""What `map` and `filter` share: a run over the items of standard input, from the options to the exit status."""

import gc
import resource
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from decimal import Decimal
from typing import Any, Final, NamedTuple

from qwen_cli.cli.option_groups import CommonOptions, ManyOptions
from qwen_cli.cli.preparing import Draft, connect_ahead, note_missing_variable, open_service
from qwen_cli.exchange import Outcome, Request, Service
from qwen_cli.map.budget import Budget
from qwen_cli.map.item_prompts import ItemPrompts
from qwen_cli.map.items import Item, count_items, parse_line, parse_nul_ended, read_items, with_members
from qwen_cli.map.one_item import AnswerFiles, ItemAsker, ItemOutcome
from qwen_cli.map.order import Result
from qwen_cli.map.pace import Governor
from qwen_cli.map.progress import Progress
from qwen_cli.map.run import Interrupted, Limits, Run
from qwen_cli.map.tally import Tally
from qwen_cli.output.result import WatchedOutput
from qwen_cli.output.stderr import Notes
from qwen_cli.output.terminal import can_redraw, is_terminal, screen

SOME_FAILED, OUT_OF_BUDGET = 11, 12

_RESERVED_DESCRIPTORS: Final = 24
"""Those for files, names and the program itself, beside the one of each connection and of the file that it reads."""


class Source(NamedTuple):
    """The items of standard input, and how each is understood."""

    items: Iterator[Any]
    parse: Callable[[int, Any], Item]
    total: int | None
    """How many there are, if that is known."""


def open_source(many: ManyOptions) -> Source:
    separator = b"\0" if many.null else b"\n"
    parse = parse_nul_ended if many.null else parse_line
    return Source(
        read_items(0, separator),
        (lambda number, data: with_members(parse(number, data))) if many.jsonl else parse,
        count_items(0, separator),
    )


def answer_all(
    words: Sequence[str],
    common: CommonOptions,
    many: ManyOptions,
    draft: Draft,
    settle: Callable[[ItemOutcome], tuple[ItemOutcome, Result]],
    *,
    files: AnswerFiles | None = None,
    reask: int = 0,
    usage: bool = False,
) -> int:
    """Ask about every item, and have each outcome settled and its result written; the exit status."""
    gc.enable()  # many requests leave cycles behind
    notes = common.notes
    item_notes = Notes(quiet=True, verbose=common.verbose)  # what is noted of one request would be noted of all
    prompts = ItemPrompts(words, common.prompt, members=many.jsonl)
    connect_ahead(common)
    parallel = _affordable(many.parallel, notes)
    governor = Governor(notes, patience=common.sending.timeout)
    budget, tally = Budget(None if many.max_usd is None else Decimal(str(many.max_usd))), Tally(notes)
    with ExitStack() as stack:
        output = stack.enter_context(WatchedOutput())
        service = None
        if common.is_preview:
            note_missing_variable(common)
        else:
            service = stack.enter_context(
                open_service(common, notes=item_notes, max_connections=parallel, pace=governor)
            )
        source = open_source(many)
        run = Run(
            enumerate(source.items, 1),
            ItemAsker(source.parse, prompts, draft.request, _asking(service, reask), files).process,
            _settling(service, settle),
            output,
            tally=tally,
            governor=governor,
            budget=budget,
            limits=Limits(parallel, many.fail_fast),
        )
        output.on_leaving = run.reader_left
        is_typed = is_terminal(0)
        if is_typed:
            notes.note("reading items from the terminal, one per line; end them with Control-D")
        is_drawn = can_redraw() and not is_typed and not common.quiet
        progress = Progress(tally, budget, governor, source.total).draw if is_drawn else lambda: None
        try:
            run.finish(progress)
        except Interrupted:
            screen.erase()
            of = "" if source.total is None else f" of {source.total:,}"
            notes.report(f"stopped: {tally.done:,}{of} done")
            raise
        finally:
            screen.erase()
        return _conclude(run, tally, budget, notes, usage=usage)


def _affordable(parallel: int, notes: Notes) -> int:
    """As many connections as there are descriptors for."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = max(1, (limit - _RESERVED_DESCRIPTORS) // 2)
    if limit == resource.RLIM_INFINITY or parallel <= most:
        return parallel
    notes.note(f"{most} requests at once instead of {parallel}: only {limit} files may be open (ulimit -n)")
    return most


def _asking(service: Service | None, reask: int) -> Callable[[Request], Outcome] | None:
    return None if service is None else lambda request: service.ask(request, reask=reask)


def _settling(
    service: Service | None, settle: Callable[[ItemOutcome], tuple[ItemOutcome, Result]]
) -> Callable[[ItemOutcome], tuple[ItemOutcome, Result]]:
    """Keep each answer in the cache before it is settled."""

    def settled(found: ItemOutcome) -> tuple[ItemOutcome, Result]:
        if service is not None and found.outcome is not None and found.failure is None:
            outcome = service.keep(found.outcome)
            found = found._replace(outcome=outcome, failure=outcome.verdict.failure)
        return settle(found)

    return settled


def _conclude(run: Run, tally: Tally, budget: Budget, notes: Notes, *, usage: bool) -> int:
    """Report how the run ended: return its exit status, or raise the failure that stopped it."""
    if usage:
        from qwen_cli.cost.figures import usage_line

        notes.report(usage_line(budget.total.sums))
        for remark in budget.total.remarks():
            notes.note(remark)
    if tally.failed.total() > (run.failure is not None):
        notes.report(tally.summary())
    if run.failure is not None:
        raise type(run.failure)(f"{run.failure}{_unsent(run)}")
    if budget.is_at_its_end:
        notes.report(f"{budget.ending()}{_unsent(run)}")
        return OUT_OF_BUDGET
    return SOME_FAILED if tally.failed else 0


def _unsent(run: Run) -> str:
    """The end of a message about a run that was stopped."""
    count, is_all = run.count_unsent()
    if is_all and not count:
        return ""
    items = "item was" if count == 1 else "items were"
    return f"; {count} {items} not sent" if is_all else f"; at least {count} {items} not sent"
