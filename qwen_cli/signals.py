"""What a signal does: kill the process at once, once what it must not leave behind is gone."""

import os
import select
import signal
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final, NoReturn

_FATAL: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)

_cleanups: Final[list[Callable[[], None]]] = []


def before_dying(cleanup: Callable[[], None]) -> None:
    """From now on, have a fatal signal call `cleanup` in the main thread before the process dies of it.

    It may come at any moment, in the middle of what it cleans up too. From another thread than the main one this
    changes nothing unless the main one has called it before. What the parent ignores (as `nohup` does) stays ignored.
    """
    if cleanup not in _cleanups:
        _cleanups.append(cleanup)
    if threading.current_thread() is threading.main_thread():
        for fatal in _FATAL:
            if signal.getsignal(fatal) is signal.SIG_DFL:
                signal.signal(fatal, lambda number, _frame: die_of(number))


@contextmanager
def dying_with_reader(descriptor: int) -> Iterator[None]:
    """Inside, die of SIGPIPE once nobody reads that pipe any more, even while there is nothing to write to it."""
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        yield
        return

    def leave(_signal_number: int, _frame: FrameType | None) -> NoReturn:
        die_of(signal.SIGPIPE)

    # A thread can end the wait of the main one only by a signal; this one means nothing by itself.
    signal.signal(signal.SIGURG, leave)
    with suppress(RuntimeError):  # no memory for a thread: it is noticed when something is written
        threading.Thread(target=_await_lost_reader, args=(descriptor,), daemon=True).start()
    try:
        yield
    finally:
        signal.signal(signal.SIGURG, signal.SIG_DFL)


def _await_lost_reader(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, 0)  # errors and hang-ups are reported even with an empty event mask
    poll.poll()
    os.kill(os.getpid(), signal.SIGURG)


def die_of(signal_number: int) -> NoReturn:
    """Clean up, then end as a process killed by that signal ends, which is what shells and `make` look at."""
    for cleanup in reversed(_cleanups):
        cleanup()
    take_default(signal_number)
    raise SystemExit(128 + signal_number)  # only where the kernel shields the process, as PID 1 of a container


def take_default(signal_number: int) -> None:
    """Have the signal do to this process what it does by default: end it, or stop it until it is continued."""
    signal.signal(signal_number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal_number])
    os.kill(os.getpid(), signal_number)
