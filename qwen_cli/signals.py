"""Fatal signals: clean up, then die of them."""

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
    """Call `cleanup` in the main thread before the process dies of a signal.

    A signal may arrive at any moment, even in the middle of what `cleanup` undoes. The handlers are installed by the
    first call from the main thread. A signal that the parent ignores (as `nohup` does) stays ignored.
    """
    if cleanup not in _cleanups:
        _cleanups.append(cleanup)
    if threading.current_thread() is threading.main_thread():
        for fatal in _FATAL:
            if signal.getsignal(fatal) is signal.SIG_DFL:
                signal.signal(fatal, lambda number, _frame: die_of(number))


@contextmanager
def dying_with_reader(descriptor: int) -> Iterator[None]:
    """Die of SIGPIPE as soon as nobody reads that pipe any more, even while nothing is written to it."""
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        yield
        return

    def leave(_signal_number: int, _frame: FrameType | None) -> NoReturn:
        die_of(signal.SIGPIPE)

    # Only a signal can end the wait of the main thread; this one has no other meaning here.
    signal.signal(signal.SIGURG, leave)
    with suppress(RuntimeError):  # no memory for a thread: the next write will notice
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
    """Clean up, then die of the signal, which is what shells and `make` look for."""
    for cleanup in reversed(_cleanups):
        cleanup()
    take_default(signal_number)
    raise SystemExit(128 + signal_number)  # only where the kernel shields the process, as PID 1 of a container


def take_default(signal_number: int) -> None:
    """Send this process the signal with its default action: to end it, or to stop it until it is continued."""
    signal.signal(signal_number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal_number])
    os.kill(os.getpid(), signal_number)
