"""Results in the order of the items, and the bound on what is under way between the oldest and the newest of them."""

import threading
from collections.abc import Callable
from typing import Final

_MAX_ITEMS: Final = 1024
"""Items that may be under way or waiting for an older one: enough to go on beside an answer that takes long."""

_MAX_BYTES: Final = 32 << 20
"""Bytes of results that wait for an older one before nothing new is started."""


class Window:
    """Takes results in any order, from any thread, and has them written in the order of their numbers from 1."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._ready: dict[int, bytes] = {}
        self._bytes = 0
        self._entered = 0
        self._written = 0
        self._is_closed = False

    def enter(self) -> bool:
        """Wait until one more item may be started; False once it is closed."""
        with self._changed:
            while not self._is_closed and (self._entered - self._written >= _MAX_ITEMS or self._bytes > _MAX_BYTES):
                self._changed.wait()
            self._entered += 1
            return not self._is_closed

    def put(self, number: int, result: bytes) -> None:
        """Write the result, and those that waited for it, unless its turn is still to come."""
        with self._changed:
            self._ready[number] = result
            self._bytes += len(result)
        with self._writing:
            while (ready := self._ready.get(self._written + 1)) is not None:
                if ready:
                    self._write(ready)
                with self._changed:
                    self._written += 1
                    self._bytes -= len(self._ready.pop(self._written))
                    self._changed.notify()

    def close(self) -> None:
        """Let nothing more begin."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def break_off(self) -> None:
        """Let nothing more be written, once the current line is complete, or nobody has read it in time."""
        self._writing.acquire(timeout=0.5)
