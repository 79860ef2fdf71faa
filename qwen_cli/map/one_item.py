"""One item, from its bytes to its outcome: asked and judged as by `ask`, in any thread."""

import os
import threading
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from qwen_cli.errors import Defect, LocalError, QwenError
from qwen_cli.exchange import Outcome, Request
from qwen_cli.map.item_prompts import ItemPrompts
from qwen_cli.map.items import Item
from qwen_cli.map.placeholders import Template
from qwen_cli.output.result import Output, open_target
from qwen_cli.prompt.messages import Message

T = TypeVar("T")


class ItemOutcome(NamedTuple):
    """The outcome of one item."""

    number: int
    data: Any
    """What it was understood from."""
    item: Item | None = None
    """None if it could not be understood."""
    request: Request | None = None
    """None if nothing was to be asked."""
    outcome: Outcome | None = None
    """None if there is no answer."""
    failure: QwenError | None = None
    file: Output | None = None
    """Where the answer goes, if each has its own file."""


class ItemAsker(NamedTuple, Generic[T]):
    """What is the same for every item: how to understand it, what to ask about it, and whom."""

    parse: Callable[[int, T], Item]
    prompts: ItemPrompts
    request: Callable[[list[Message]], Request]
    ask: Callable[[Request], Outcome] | None
    """None for a preview, which asks nobody."""
    files: "AnswerFiles | None"

    def process(self, number: int, data: T) -> ItemOutcome:
        """Answer an item; a failure is part of the outcome, be it a defect."""
        found = ItemOutcome(number, data)
        try:
            item = self.parse(number, data)
            found = found._replace(item=item)
            if item.is_blank:
                return found
            request = self.request(self.prompts.messages(item))
            found = found._replace(request=request, file=None if self.files is None else self.files.open(item))
            if self.ask is not None:
                outcome = self.ask(request)
                found = found._replace(outcome=outcome, failure=outcome.verdict.failure)
        except QwenError as error:
            found = found._replace(failure=error)
        except BaseException as error:
            found = found._replace(failure=Defect(error))
        if found.failure is not None and found.file is not None and self.files is not None:
            self.files.release(found.file.name)
        return found


class AnswerFiles:
    """The files of `-o`, one for each item; no two answers of a run go into the same one."""

    def __init__(self, name: Template) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._taken: set[str] = set()

    @property
    def names(self) -> list[str]:
        """The names of the placeholders."""
        return self._name.names

    def open(self, item: Item) -> Output:
        """The file of an item, before it is sent; LocalError if it cannot be written, or is another's."""
        target = open_target(self._name.fill_target(item.value))
        path = os.path.realpath(target.name)
        with self._lock:
            if path in self._taken:
                raise LocalError(f"another item's answer goes into {target.name} already")
            self._taken.add(path)
        return target

    def release(self, name: str) -> None:
        """Let another item have that file: nothing was written."""
        with self._lock:
            self._taken.discard(os.path.realpath(name))
