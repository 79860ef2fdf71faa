"""Writes results in the order of the items, and bounds how far the newest item may be ahead of the oldest."""

import threading
from collections.abc import Callable
from typing import Final

_MAX_ITEMS: Final = 1024
"""Items that may be under way or waiting for an older one: enough to go on while one answer takes long."""

_MAX_BYTES: Final = 32 << 20
"""Bytes of results waiting for an older one: with more than that, no item is started."""


class Window:
    """Takes results in any order, from any thread, and writes them in the order of their numbers, from 1."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._changed = threading.Condition()
        self._writing = threading.RLock()  # the main thread breaks off after a failure, and again before it dies
        self._ready: dict[int, bytes] = {}
        self._bytes = 0
        self._entered = 0
        self._written = 0
        self._is_closed = False

    def enter(self) -> bool:
        """Wait until another item may be started; False once the window is closed."""
        with self._changed:
            while not self._is_closed and (self._entered - self._written >= _MAX_ITEMS or self._bytes > _MAX_BYTES):
                self._changed.wait()
            self._entered += 1
            return not self._is_closed

    def put(self, number: int, result: bytes) -> None:
        """Write the result and those that waited for it, if it is its turn."""
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
        """Start no more items."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def break_off(self) -> None:
        """Write nothing more, once the current line is complete or has found no reader in time."""
        self._writing.acquire(timeout=0.5)
