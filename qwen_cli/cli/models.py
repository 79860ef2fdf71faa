"""`qwen-cli models`: print the server's models."""

from typing import Annotated

import typer

from qwen_cli.cli.option_types import Text
from qwen_cli.endpoint import SendingOptions
from qwen_cli.errors import InvalidUsage
from qwen_cli.output.result import RawOutput, open_output
from qwen_cli.output.stderr import Notes
from qwen_cli.text import encode, visible, visible_json


def models(
    texts: Annotated[list[str] | None, typer.Argument(metavar="[TEXT]...", click_type=Text())] = None,
    *,
    sending: SendingOptions,
    json: bool = False,
    output: str | None = None,
    verbose: bool = False,
    quiet: bool = False,
) -> None:
    """Print the server's models."""
    from qwen_cli.cli.getting import get_models
    from qwen_cli.cost.model_list import lines, read_models, with_texts

    if json and texts:
        raise InvalidUsage("--json prints the list as the server sent it", advice="select with jq, or omit TEXT")
    notes = Notes(quiet=quiet, verbose=verbose)
    with open_output(output) as out:
        body = get_models("include=pricing", sending, notes)
        found = with_texts(read_models(body), texts or ())
        if json:
            raw = RawOutput(out, escape=visible_json)
            raw.write(body)
            raw.end_line()
            return
        text = lines(found, aligned=out.terminal)
        out.write(encode(visible(text) if out.terminal else text), is_last=True)
    if texts and not found:
        notes.note(f"no model of the server contains {' and '.join(texts)}")
