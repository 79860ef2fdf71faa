"""`qwen-cli map`: ask about every line of standard input."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from qwen_cli.cli.option_groups import CommonOptions, ManyOptions, ShowOptions, Words
from qwen_cli.errors import InvalidUsage

if TYPE_CHECKING:
    from qwen_cli.cli.preparing import Draft


def map(  # noqa: A001 -- the command's name
    words: Words = None,
    *,
    common: CommonOptions,
    many: ManyOptions,
    records: bool = False,
    show: ShowOptions,
    reask: int = 0,
    allow_incomplete: bool = False,
    usage: bool = False,
    output: str | None = None,
) -> int:
    """Print one answer per line of standard input, in order."""
    from qwen_cli.cli import preparing
    from qwen_cli.cli.many import Job, answer_all
    from qwen_cli.cli.printing import result_text
    from qwen_cli.map import results
    from qwen_cli.map.one_item import AnswerFiles
    from qwen_cli.map.placeholders import Template
    from qwen_cli.map.table import Table

    files = None
    if output is not None:
        name = Template(output, members=many.has_members)
        if name.is_constant:
            raise InvalidUsage(
                "-o needs {} in the file name, because each answer gets its own file",
                advice="redirect standard output to have them all in one file",
            )
        files = AnswerFiles(name)
    draft = preparing.draft_request(common, show=show, allow_incomplete=allow_incomplete)

    def begin(table: Table | None) -> tuple[bytes, results.Shown]:
        if records:
            return b"", results.as_record
        if table is None:
            return b"", results.as_nul_ended if many.null else results.as_line
        properties = _properties(draft)
        head = table.with_columns(properties or ["answer"])
        return b"" if files else head, partial(results.as_row, table=table, properties=properties)

    job = Job(
        text=lambda outcome: result_text(outcome, show),
        begin=begin,
        files=files,
        filed=results.as_record if records else results.as_text,
        reask=reask,
        usage=usage,
    )
    return answer_all(words or (), common, many, draft, job)


def _properties(draft: "Draft") -> Sequence[str]:
    """The properties of the JSON object that was requested, if any are named: each gets a column of its own."""
    expectation = draft.expectation
    if expectation.choices or not expectation.is_format_asked:
        return ()
    schema = draft.fields.body["response_format"].get("json_schema", {}).get("schema", {})
    properties = schema.get("properties", {})
    return list(properties) if isinstance(properties, dict) else ()
