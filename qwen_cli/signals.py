"""What a signal does: kill the process at once, unless there is something to clean up first."""

import os
import select
import signal
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from qwen_cli.errors import Killed

_FATAL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def unwinding() -> Iterator[None]:
    """Inside, a fatal signal raises `Killed`, so that `finally` blocks run before the process dies.

    They run undisturbed: what is sent after the first signal changes nothing.
    """
    killed = False

    def unwind(signal_number: int, _frame: FrameType | None) -> None:
        nonlocal killed
        if not killed:
            killed = True
            raise Killed(signal_number)

    replaced = [fatal for fatal in _FATAL if signal.getsignal(fatal) is signal.SIG_DFL]
    for fatal in replaced:
        signal.signal(fatal, unwind)
    try:
        yield
    finally:
        # Blocked meanwhile, since Python complains of a signal that comes between its handler and none.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, replaced)
        for fatal in replaced:
            signal.signal(fatal, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@contextmanager
def dying_with_reader(descriptor: int) -> Iterator[None]:
    """Inside, raise `Killed` once nobody reads that pipe any more, even while there is nothing to write to it."""
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        yield
        return

    def leave(_signal_number: int, _frame: FrameType | None) -> NoReturn:
        raise Killed(signal.SIGPIPE)

    # A thread can end the wait of the main one only by a signal; this one means nothing by itself.
    signal.signal(signal.SIGURG, leave)
    threading.Thread(target=_await_lost_reader, args=(descriptor,), daemon=True).start()
    try:
        yield
    finally:
        signal.signal(signal.SIGURG, signal.SIG_DFL)


def _await_lost_reader(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, 0)  # errors and hang-ups are told without being asked for
    poll.poll()
    os.kill(os.getpid(), signal.SIGURG)


def die_of(signal_number: int) -> NoReturn:
    """End as a process killed by that signal ends, which is what shells and `make` look at."""
    signal.signal(signal_number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal_number])
    os.kill(os.getpid(), signal_number)
    raise SystemExit(128 + signal_number)  # only where the kernel shields the process, as PID 1 of a container
