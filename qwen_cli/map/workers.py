"""Threads that answer items: each takes the next one, until the input ends or nothing more is to be started."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final, Generic, TypeVar

from qwen_cli.background import start_thread
from qwen_cli.errors import QwenError
from qwen_cli.map.order import Window

_COUNTING: Final = 0.5
"""Seconds that counting the items that were not sent may take."""

T = TypeVar("T")
R = TypeVar("R")


class Workers(Generic[T, R]):
    """So many threads over numbered items, which they `answer`; the window says when the next one may be started."""

    def __init__(self, items: Iterator[tuple[int, T]], answer: Callable[[int, T], R], window: Window) -> None:
        self._items = items
        self._answer = answer
        self._window = window
        self._reading = threading.Lock()
        self._done: SimpleQueue[tuple[int, R] | QwenError | None] = SimpleQueue()
        self._under_way: dict[int, T] = {}
        self._running = 0
        self._unsent = 0
        self.is_stopped = False

    def start(self, count: int) -> None:
        """Start them, or as many as there is memory for."""
        for _ in range(count):
            try:
                start_thread(self._work)
            except RuntimeError:
                break
            self._running += 1
        if not self._running:
            raise MemoryError

    @property
    def are_over(self) -> bool:
        """Whether all have ended, and all that they have done was taken."""
        return not self._running and self._done.empty()

    @property
    def has_done(self) -> bool:
        """Whether something they have done was not taken yet."""
        return not self._done.empty()

    def take(self, timeout: float) -> R | None:
        """The next answer; None if there is none in time. Raises what made reading the items fail."""
        try:
            done = self._done.get(timeout=timeout) if timeout else self._done.get_nowait()
        except Empty:
            return None
        if done is None:
            self._running -= 1
            return None
        if isinstance(done, QwenError):
            raise done
        number, answer = done
        del self._under_way[number]
        return answer

    def abandoned(self) -> list[tuple[int, T]]:
        """The items that were begun, and whose answers will not be taken any more."""
        return list(self._under_way.items())

    def _work(self) -> None:
        try:
            while self._window.enter() and (read := self._next()) is not None:
                self._done.put((read[0], self._answer(*read)))
        except QwenError as error:
            self._done.put(error)
        finally:
            self._done.put(None)

    def _next(self) -> tuple[int, T] | None:
        with self._reading:
            read = None if self.is_stopped else next(self._items, None)
            if read is not None and self.is_stopped:  # it came too late
                self._unsent += 1
                return None
            if read is not None:
                self._under_way[read[0]] = read[1]
            return read

    def stop(self) -> None:
        """Start nothing more; what is under way is finished."""
        self.is_stopped = True
        self._window.close()

    def count_unsent(self) -> tuple[int, bool]:
        """How many items were not taken, and whether that is all of them: a pipe may have more to come."""
        if not self._reading.acquire(timeout=_COUNTING):
            return self._unsent, False  # still waiting for input
        counter = start_thread(self._skip)
        counter.join(_COUNTING)
        return self._unsent, not counter.is_alive()

    def _skip(self) -> None:
        with suppress(QwenError):
            for _ in self._items:
                self._unsent += 1
