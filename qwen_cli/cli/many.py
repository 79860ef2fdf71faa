"""What `map` and `filter` share: a run over the items of standard input, from the options to the exit status."""

import gc
import os
import resource
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from decimal import Decimal
from typing import Any, Final, NamedTuple

from qwen_cli.cli.option_groups import CommonOptions, ManyOptions
from qwen_cli.cli.preparing import Draft, connect_ahead, note_missing_variable, open_service, preview
from qwen_cli.errors import Defect, LocalError, QwenError
from qwen_cli.exchange import Outcome, Request, Service
from qwen_cli.map.budget import Budget
from qwen_cli.map.item_prompts import ItemPrompts
from qwen_cli.map.items import (
    Item,
    blocks_ahead,
    count,
    parse_line,
    parse_nul_ended,
    read_blocks,
    split,
    with_members,
)
from qwen_cli.map.one_item import AnswerFiles, ItemAsker, ItemOutcome
from qwen_cli.map.order import Result
from qwen_cli.map.pace import Governor
from qwen_cli.map.progress import Progress
from qwen_cli.map.results import Results, Shown, as_it_came, as_preview, as_text
from qwen_cli.map.run import Interrupted, Limits, Run
from qwen_cli.map.table import Table, read_records
from qwen_cli.map.tally import Tally
from qwen_cli.output.result import Output, WatchedOutput
from qwen_cli.output.stderr import Notes
from qwen_cli.output.terminal import can_redraw, is_terminal, screen

SOME_FAILED, OUT_OF_BUDGET = 11, 12

_RESERVED_DESCRIPTORS: Final = 24
"""Those for files, names and the program itself, beside the one of each connection and of the file that it reads."""


class Job(NamedTuple):
    """What a command makes of the answers."""

    text: Callable[[Outcome], str]
    """What is printed of one."""
    begin: Callable[[Table | None], tuple[bytes, Shown]]
    """What is written before the first item, and how each is shown, for lines or for a table."""
    files: AnswerFiles | None = None
    filed: Shown = as_text
    """What goes into the file of an answer."""
    reask: int = 0
    usage: bool = False


class Source(NamedTuple):
    """The items of standard input, and how each is understood."""

    items: Iterator[Any]
    parse: Callable[[int, Any], Item]
    total: int | None
    """How many there are, if that is known."""
    table: Table | None = None


def open_source(many: ManyOptions, notes: Notes) -> Source:
    """Begin to read standard input; a table is read up to the end of its header."""
    separator = b"\0" if many.null else b"\n"
    ahead, lines = blocks_ahead(0), split(read_blocks(0), separator)
    if many.csv:
        total = None if ahead is None else max(0, sum(1 for _ in read_records(split(ahead, separator))) - 1)
        records = read_records(lines)
        table = Table(records)
        return Source(records, table.parse, total, table)
    if ahead is not None and not (many.null or many.jsonl):
        _note_table(notes)
    parse = parse_nul_ended if many.null else parse_line
    return Source(
        lines,
        (lambda number, data: with_members(parse(number, data))) if many.jsonl else parse,
        None if ahead is None else count(ahead, separator),
    )


def _note_table(notes: Notes) -> None:
    """Note that a file of comma-separated values is not read as one."""
    with suppress(OSError):
        name = os.path.basename(os.readlink("/proc/self/fd/0"))
        if name.lower().endswith(".csv"):
            notes.note(f"the lines of {name} are taken as they are: --csv reads it as a table")


def answer_all(words: Sequence[str], common: CommonOptions, many: ManyOptions, draft: Draft, job: Job) -> int:
    """Ask about every item, have each outcome settled and its result written; the exit status."""
    gc.enable()  # many requests leave cycles behind
    notes = common.notes
    item_notes = Notes(quiet=True, verbose=common.verbose)  # what is noted of one request would be noted of all
    prompts = ItemPrompts(words, common.prompt, members=many.has_members)
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
        is_typed = is_terminal(0)
        if is_typed:
            notes.note("reading standard input from the terminal; end it with Control-D")
        source = open_source(many, notes)
        if source.table is not None:
            source.table.require([*prompts.names, *(job.files.names if job.files else ())])
        results = _results(job, common, source.table, output)
        run = Run(
            enumerate(source.items, 1),
            ItemAsker(source.parse, prompts, draft.request, _asking(service, job.reask), job.files).process,
            _settling(service, results.settle),
            output,
            tally=tally,
            governor=governor,
            budget=budget,
            limits=Limits(parallel, many.fail_fast),
        )
        output.on_leaving = run.reader_left
        is_drawn = can_redraw() and not is_typed and not common.quiet
        progress = Progress(tally, budget, governor, source.total).draw if is_drawn else lambda: None
        try:
            run.finish(progress)
        except Interrupted:
            screen.erase()
            of = "" if source.total is None else f" of {source.total:,}"
            if job.usage:
                _report_usage(tally, budget, notes)
            notes.report(f"stopped: {tally.done:,}{of} done")
            raise
        finally:
            screen.erase()
        return _conclude(run, tally, budget, notes, usage=job.usage)


def _results(job: Job, common: CommonOptions, table: Table | None, output: Output) -> Results:
    """How outcomes are written, once what stands before them is; previews take their place where nothing is sent."""
    filed = None if job.files is None else job.filed
    if common.is_preview:
        return Results(_previewing(common), as_preview, filed and as_text)
    head, shown = job.begin(table)
    if head:
        output.write(as_it_came(head))
    return Results(_texting(job.text), shown, filed)


def _previewing(common: CommonOptions) -> Callable[[ItemOutcome], str | None]:
    return lambda found: preview(found.request.body, common) if found.request and not found.failure else None


def _texting(text: Callable[[Outcome], str]) -> Callable[[ItemOutcome], str | None]:
    """An answer that only could not be kept is not lost."""

    def texted(found: ItemOutcome) -> str | None:
        is_answer = found.failure is None or isinstance(found.failure, LocalError)
        return text(found.outcome) if found.outcome and is_answer else None

    return texted


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
    """Keep each answer in the cache before it is settled; a defect in that fails one item."""

    def settled(found: ItemOutcome) -> tuple[ItemOutcome, Result]:
        try:
            return kept_and_settled(found)
        except QwenError:
            raise
        except Exception as error:
            return settle(found._replace(outcome=None, failure=Defect(error)))

    def kept_and_settled(found: ItemOutcome) -> tuple[ItemOutcome, Result]:
        if service is not None and found.outcome is not None and found.failure is None:
            outcome = service.keep(found.outcome)
            found = found._replace(outcome=outcome, failure=outcome.verdict.failure)
        return settle(found)

    return settled


def _conclude(run: Run, tally: Tally, budget: Budget, notes: Notes, *, usage: bool) -> int:
    """Report how the run ended: return its exit status, or raise the failure that stopped it."""
    if usage:
        _report_usage(tally, budget, notes)
    if tally.failed.total() > (run.failure is not None):
        notes.report(tally.summary())
    if run.failure is not None:
        raise type(run.failure)(f"{run.failure}{_unsent(run)}")
    if budget.is_at_its_end:
        notes.report(f"{budget.ending()}{_unsent(run)}")
        return OUT_OF_BUDGET
    return SOME_FAILED if tally.failed else 0


def _report_usage(tally: Tally, budget: Budget, notes: Notes) -> None:
    from qwen_cli.cost.figures import usage_line

    from_cache = f"; {tally.cached:,} from the cache" if tally.cached else ""
    notes.report((usage_line(budget.total.sums) if budget.total.responses else "0 USD") + from_cache)
    for remark in budget.total.remarks():
        notes.note(remark)


def _unsent(run: Run) -> str:
    """The end of a message about a run that was stopped."""
    count, is_all = run.count_unsent()
    if is_all and not count:
        return ""
    items = "item was" if count == 1 else "items were"
    return f"; {count} {items} not sent" if is_all else f"; at least {count} {items} not sent"
