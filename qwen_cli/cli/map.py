"""`qwen-cli map`: ask about every line of standard input."""

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from qwen_cli.cache import open_cache
from qwen_cli.cli.options import CommonOptions, ShowOptions, Words
from qwen_cli.errors import InvalidUsage, QwenError
from qwen_cli.key.sources import find_key
from qwen_cli.output.result import open_output
from qwen_cli.output.stderr import Notes
from qwen_cli.output.terminal import can_redraw, is_terminal, screen
from qwen_cli.request.body import build_fields

if TYPE_CHECKING:
    from qwen_cli.map.placeholders import Template
    from qwen_cli.map.run import Run
    from qwen_cli.map.tally import Tally

SOME_FAILED, OUT_OF_BUDGET = 11, 12


def map(  # noqa: A001 -- the command's name
    words: Words = None,
    *,
    common: CommonOptions,
    parallel: int = 8,
    null: bool = False,
    jsonl: bool = False,
    records: bool = False,
    fail_fast: bool = False,
    max_usd: float | None = None,
    show: ShowOptions,
    reask: int = 0,
    allow_incomplete: bool = False,
    usage: bool = False,
    output: str | None = None,
) -> int:
    """Print one answer per line of standard input, in order.

    '{}' in the prompt, -s, -f, -i and -o stands for the line; without it, the line is the last part of the prompt. An
    answer is printed on one line: backslash, newline, carriage return and tab become \\\\, \\n, \\r and \\t. If an item
    fails, its line is empty, the others go on, and the exit status is 11.
    """
    import gc
    from decimal import Decimal

    from qwen_cli.cli.prepare import claim_stdin, connect_ahead, expect, previewing
    from qwen_cli.cli.printing import print_outcome
    from qwen_cli.connection.client import Client
    from qwen_cli.exchange import Exchange
    from qwen_cli.map.item_prompts import Prompts
    from qwen_cli.map.items import count_items, read_items
    from qwen_cli.map.job import Job
    from qwen_cli.map.pace import Governor
    from qwen_cli.map.progress import Progress
    from qwen_cli.map.run import Run
    from qwen_cli.map.tally import Tally
    from qwen_cli.prompt.files import StandardInput

    gc.enable()  # many requests leave cycles behind
    notes = common.notes
    item_notes = Notes(quiet=True, verbose=common.verbose)  # what is noted of one request would be noted of all
    stdin = StandardInput(notes.note)
    stdin.claim("map")
    claim_stdin(stdin, words or (), common)
    cache = open_cache(common.caching)
    file_name = _file_name(output, jsonl=jsonl)
    fields = build_fields(common.request, stream=False)
    expectation = expect(common.request, fields, show, allow_incomplete=allow_incomplete)
    endpoint = connect_ahead(common)
    prompts = Prompts(words or (), common.prompt, jsonl=jsonl, stdin=stdin)
    key = find_key(endpoint, no_key=common.sending.no_key) if common.is_sent else None
    governor = Governor(notes, patience=common.sending.timeout)
    with ExitStack() as stack:
        out = stack.enter_context(open_output(None))
        exchange = previewing(endpoint, common, pretty=False) or Exchange(
            stack.enter_context(
                Client(endpoint, key, common.sending, item_notes, max_connections=parallel, pace=governor)
            ),
            {},
            item_notes,
            expectation,
            reask,
            cache=cache,
        )
        job = Job(
            prompts=prompts,
            fields=fields,
            exchange=exchange,
            print_outcome=partial(print_outcome, expectation=expectation, show=show),
            file_name=file_name,
            jsonl=jsonl,
            nul=null,
            records=records,
            terminal=out.terminal,
        )
        separator = b"\0" if null else b"\n"
        tally = Tally(notes)
        run = Run(
            enumerate(read_items(0, separator), 1),
            job.process,
            out.write,
            tally,
            governor,
            workers=parallel,
            fail_fast=fail_fast,
            max_usd=None if max_usd is None else Decimal(str(max_usd)),
        )
        is_typed = is_terminal(0)
        if is_typed:
            notes.note("reading items from the terminal, one per line; end them with Control-D")
        is_drawn = can_redraw() and not is_typed and not common.quiet
        progress = Progress(tally, governor, count_items(0, separator)).draw if is_drawn else lambda: None
        try:
            failure = run.finish(progress)
        finally:
            screen.erase()
        return _conclude(run, failure, tally, notes, usage=usage)


def _file_name(output: str | None, *, jsonl: bool) -> "Template | None":
    """The name of each answer's file; InvalidUsage where it would be the same for all."""
    from qwen_cli.map.placeholders import Template

    if output is None:
        return None
    name = Template(output, members=jsonl)
    if name.is_constant:
        raise InvalidUsage(
            "-o needs {} in the file name, because each answer gets its own file",
            advice="redirect standard output to have them all in one file",
        )
    return name


def _conclude(run: "Run", failure: BaseException | None, tally: "Tally", notes: Notes, *, usage: bool) -> int:
    """Report how the run ended: return its exit status, or raise the failure that stopped it."""
    if usage:
        from qwen_cli.cost.figures import usage_line

        notes.report(usage_line(tally.cost.sums))
        for remark in tally.cost.remarks():
            notes.note(remark)
    if tally.failed.total() > (failure is not None):
        notes.report(tally.summary())
    if isinstance(failure, QwenError):
        raise type(failure)(f"{failure}{_unsent(run)}")
    if failure is not None:
        raise failure
    if run.is_out_of_budget:
        from qwen_cli.cost.figures import plain

        notes.report(f"stopped at --max-usd after {plain(tally.usd)} USD{_unsent(run)}")
        return OUT_OF_BUDGET
    return SOME_FAILED if tally.failed else 0


def _unsent(run: "Run") -> str:
    """The end of a message about a run that was stopped."""
    count, is_all = run.count_unsent()
    if is_all and not count:
        return ""
    items = "item was" if count == 1 else "items were"
    return f"; {count} {items} not sent" if is_all else f"; at least {count} {items} not sent"
