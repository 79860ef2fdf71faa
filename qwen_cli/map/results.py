"""What is written for an item, and where: a line, a record, or a file of its own."""

from collections.abc import Callable
from typing import Any, NamedTuple

from qwen_cli.errors import LocalError, ProtocolError
from qwen_cli.exchange import Outcome
from qwen_cli.map.one_item import ItemOutcome
from qwen_cli.map.order import Result
from qwen_cli.map.pace import NotSent
from qwen_cli.map.records import line, nul_ended, record
from qwen_cli.output.terminal import STDOUT, is_terminal
from qwen_cli.text import encode


class Results(NamedTuple):
    """How the outcomes of a run are written, by the main thread."""

    text: Callable[[Outcome], str]
    """What `ask` would print of an answer."""
    preview: Callable[[dict[str, Any]], str] | None
    """What is printed of a body that is not sent."""
    records: bool
    nul: bool
    has_files: bool
    """Whether each answer goes into its own file."""

    def settle(self, found: ItemOutcome) -> tuple[ItemOutcome, Result]:
        """Write the answer to its file, if it has one; the outcome after that, and what goes to standard output."""
        answer = self._answer(found)
        if answer is not None and found.file is not None:
            try:
                found.file.write(encode(record(found) if self.records and not self.preview else answer))
                found.file.commit()
            except LocalError as error:  # it was paid for: it is printed instead
                found = found._replace(failure=error)
            else:
                return found, Result(b"")
        elif self.has_files:
            return found, Result(b"", is_answer=False)
        try:
            shown = self._shown(found, answer)
        except ProtocolError as error:
            answer, found = None, found._replace(failure=error)
            shown = self._shown(found, answer)
        is_record = self.records and not isinstance(found.failure, NotSent)
        return found, Result(encode(shown), is_answer=answer is not None or is_record)

    def _answer(self, found: ItemOutcome) -> str | None:
        """What there is to print; an answer that only could not be kept is not lost."""
        if self.preview is not None:
            return self.preview(found.request.body) if found.request and not found.failure else None
        is_answer = found.failure is None or isinstance(found.failure, LocalError)
        return self.text(found.outcome) if found.outcome and is_answer else None

    def _shown(self, found: ItemOutcome, answer: str | None) -> str:
        terminal = is_terminal(STDOUT)
        if self.preview is not None:
            return answer or "\n"
        if self.records:
            return record(found)
        return nul_ended(answer or "", terminal=terminal) if self.nul else line(answer or "", terminal=terminal)
