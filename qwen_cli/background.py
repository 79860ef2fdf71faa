"""Threads beside the main one, which alone takes signals: what it must not be killed in, it can put off."""

# The half of `signal` that is built in: the first connection is dialled before there is time to import the rest.
import _signal  # type: ignore[import-not-found]  # typeshed does not know it
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


def start_thread(call: Callable[..., None], *arguments: Any) -> threading.Thread:
    """Start a daemon thread that takes no signal; RuntimeError if there is no memory for one."""
    thread = threading.Thread(target=call, args=arguments, daemon=True)
    before = _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
    try:
        thread.start()
    finally:
        _signal.pthread_sigmask(_signal.SIG_SETMASK, before)
    return thread


class Background(Generic[T]):
    """A call that starts at once in a thread of its own, or in this one if there is no memory for another."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._outcome: list[T] = []
        self._failure: Exception | None = None
        self._done = threading.Event()
        try:
            start_thread(self._run)
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
