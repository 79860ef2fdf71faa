"""Results in the order of the items, and a bound on how far the newest item may be ahead of the oldest."""

import threading
from collections.abc import Iterator
from typing import Final, NamedTuple

_MAX_ITEMS: Final = 1024
"""Items that may be under way or waiting for an older one: enough to go on while one answer takes long."""

_MAX_BYTES: Final = 32 << 20
"""Bytes of results waiting for an older one: with more than that, no item is started."""


class Result(NamedTuple):
    """What is written for an item, and whether there is an answer in it."""

    data: bytes
    is_answer: bool = True


class Window:
    """Takes results in any order, and hands them out in the order of their numbers, from 1.

    `enter` is for the workers, the rest for the one thread that writes.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._ready: dict[int, Result] = {}
        self._bytes = 0
        self._entered = 0
        self._taken = 0
        self._is_closed = False

    def enter(self) -> bool:
        """Wait until another item may be started; False once the window is closed."""
        with self._changed:
            while not self._is_closed and (self._entered - self._taken >= _MAX_ITEMS or self._bytes > _MAX_BYTES):
                self._changed.wait()
            self._entered += 1
            return not self._is_closed

    def close(self) -> None:
        """Start no more items."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def put(self, number: int, result: Result) -> None:
        with self._changed:
            self._ready[number] = result
            self._bytes += len(result.data)

    def take(self) -> Iterator[Result]:
        """The results whose turn it is."""
        while (result := self._ready.pop(self._taken + 1, None)) is not None:
            with self._changed:
                self._taken += 1
                self._bytes -= len(result.data)
                self._changed.notify()
            yield result
