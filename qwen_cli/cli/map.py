"""`qwen-cli map`: ask about every line of standard input."""

from qwen_cli.cli.option_groups import CommonOptions, ManyOptions, ShowOptions, Words
from qwen_cli.errors import InvalidUsage


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
    from qwen_cli.cli.many import answer_all
    from qwen_cli.cli.printing import result_text
    from qwen_cli.map.one_item import AnswerFiles
    from qwen_cli.map.placeholders import Template
    from qwen_cli.map.results import Results

    files = None
    if output is not None:
        name = Template(output, members=many.jsonl)
        if name.is_constant:
            raise InvalidUsage(
                "-o needs {} in the file name, because each answer gets its own file",
                advice="redirect standard output to have them all in one file",
            )
        files = AnswerFiles(name)
    draft = preparing.draft_request(common, show=show, allow_incomplete=allow_incomplete)
    results = Results(
        text=lambda outcome: result_text(outcome, show),
        preview=(lambda body: preparing.preview(body, common)) if common.is_preview else None,
        records=records,
        nul=many.null,
        has_files=files is not None,
    )
    return answer_all(words or (), common, many, draft, results.settle, files=files, reask=reask, usage=usage)
