"""Fatal signals: clean up, then die of them; and putting them off while something must not be done by halves."""

import os
import select
import signal
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, NoReturn

from qwen_cli.background import start_thread

_FATAL: Final = (
    *(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT),
    *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGXCPU),
    *(signal.SIGABRT, signal.SIGIO),
)
"""What people and limits end a process with."""

_AGAIN: Final = 0.1
"""Seconds until the signal that tells of a lost reader is sent again."""

_cleanups: Final[list[Callable[[], None]]] = []


def before_dying(cleanup: Callable[[], None]) -> None:
    """Call `cleanup` before the process dies of a signal; to be called from the main thread.

    A signal may arrive at any moment, even in the middle of what `cleanup` undoes. A signal that the parent ignores (as
    `nohup` does) stays ignored.
    """
    if cleanup not in _cleanups:
        _cleanups.append(cleanup)
    for fatal in _FATAL:
        if signal.getsignal(fatal) is signal.SIG_DFL:
            signal.signal(fatal, lambda number, _frame: die_of(number))


def not_ignored(numbers: Iterable[signal.Signals]) -> list[signal.Signals]:
    """Those that the parent does not ignore, as `nohup` does: the others stay ignored."""
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]


def forget(cleanup: Callable[[], None]) -> None:
    """No longer call `cleanup`: what it would undo or finish is done."""
    if cleanup in _cleanups:
        _cleanups.remove(cleanup)


@contextmanager
def held() -> Iterator[None]:
    """Put every signal off until the end of the block; the other threads take none (`start_thread`)."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Reader:
    """Whoever reads standard output, watched so that its leaving is noticed while nothing is written.

    `on_leaving` is called in the main thread, and again as long as nothing comes of it. Only a signal can end what the
    main thread waits for; SIGURG has no other meaning here.
    """

    def __init__(self, descriptor: int, on_leaving: Callable[[], None]) -> None:
        mode = os.fstat(descriptor).st_mode
        self._is_watched = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
        if self._is_watched:
            signal.signal(signal.SIGURG, lambda _number, _frame: on_leaving())
            with suppress(RuntimeError):  # no memory for a thread: the next write will notice
                start_thread(_await_lost_reader, descriptor)

    def let_go(self) -> None:
        """From now on, the reader may leave: the rest of the result is about to be written."""
        if self._is_watched:
            signal.signal(signal.SIGURG, signal.SIG_DFL)
            self._is_watched = False


def _await_lost_reader(descriptor: int) -> NoReturn:
    poll = select.poll()
    poll.register(descriptor, 0)  # errors and hang-ups are reported even with an empty event mask
    poll.poll()
    while True:  # one that comes just before the main thread begins to wait would not end that wait
        os.kill(os.getpid(), signal.SIGURG)
        time.sleep(_AGAIN)


def die_of(signal_number: int) -> NoReturn:
    """Clean up, then die of the signal, which is what shells and `make` look for."""
    for cleanup in reversed(_cleanups):
        cleanup()
    signal.signal(signal_number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal_number])
    os.kill(os.getpid(), signal_number)
    raise SystemExit(128 + signal_number)  # only where the kernel shields the process, as PID 1 of a container
