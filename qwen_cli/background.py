"""A call in a thread of its own."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Background(Generic[T]):
    """A call that starts at once in a daemon thread, or in this one if there is no memory for another."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._outcome: list[T] = []
        self._failure: Exception | None = None
        self._done = threading.Event()
        try:
            threading.Thread(target=self._run, daemon=True).start()
        except RuntimeError:
            self._run()

    def _run(self) -> None:
        try:
            self._outcome.append(self._call())
        except Exception as error:
            self._failure = error
        except BaseException as error:  # a panic of an extension: an ordinary failure to whoever waits here
            self._failure = RuntimeError(str(error))
        finally:
            self._done.set()

    @property
    def is_done(self) -> bool:
        return self._done.is_set()

    def result(self, timeout: float | None = None) -> T:
        """What the call returned or raised; TimeoutError if it takes longer than `timeout` seconds."""
        if not self._done.wait(timeout):
            raise TimeoutError
        if self._failure is not None:
            raise self._failure
        return self._outcome[0]
