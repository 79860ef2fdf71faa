"""What a wait looks like: a spinner on a terminal, elsewhere one note if it takes long."""

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from qwen_cli import signals
from qwen_cli.background import start_thread
from qwen_cli.output.stderr import Notes
from qwen_cli.output.terminal import can_redraw, screen

_DELAY: Final = 0.3
_FRAME_SECONDS: Final = 0.1
_FRAMES: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


@contextmanager
def waiting(what: str, notes: Notes, *, patience: float = 30.0) -> Iterator["Wait"]:
    """Show that something is awaited, until `Wait.over` or the end."""
    wait = Wait(what, notes, patience=patience)
    if not notes.quiet:
        wait.begin(spinning=can_redraw())
    try:
        yield wait
    finally:
        wait.over()


class Wait:
    """A wait and how it is shown: by a spinner, or by one note after `patience` seconds."""

    def __init__(self, what: str, notes: Notes, *, patience: float = 30.0) -> None:
        self._what = what
        self._notes = notes
        self._patience = patience
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, *, spinning: bool) -> None:
        if spinning:
            signals.before_dying(screen.erase)
        with suppress(RuntimeError):  # no memory for a thread: wait silently
            self._thread = start_thread(self._spin if spinning else self._note)

    def _spin(self) -> None:
        pause = _DELAY
        start = time.monotonic()
        for frame in itertools.cycle(_FRAMES):
            if self._over.wait(pause):
                break
            screen.draw(f"{frame} {self._what} ({time.monotonic() - start:.0f} s)")
            pause = _FRAME_SECONDS

    def _note(self) -> None:
        if not self._over.wait(self._patience):
            self._notes.note(f"still {self._what}, after {self._patience:.0f} s")

    def over(self) -> None:
        """End the wait; return once the spinner is erased."""
        if self._thread is not None:
            self._over.set()
            self._thread.join()
            self._thread = None
            screen.erase()
