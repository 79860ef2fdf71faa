"""A prompt at which what is typed is not shown, and which leaves the terminal as it was, however it ends."""

import getpass
import os
import signal
import termios
from contextlib import suppress
from types import FrameType

from qwen_cli import signals


def read_hidden(question: str) -> str:
    """The line that is typed at the terminal of standard input, without white space around it."""
    shown = termios.tcgetattr(0)

    def show() -> None:
        termios.tcsetattr(0, termios.TCSANOW, shown)

    def stop(number: int, _frame: FrameType | None) -> None:
        """Give the terminal its echo back while the shell has it, and ask again afterwards."""
        hidden = termios.tcgetattr(0)
        show()
        signals.take_default(number)
        signal.signal(number, stop)
        termios.tcsetattr(0, termios.TCSANOW, hidden)
        with suppress(OSError):
            os.write(0, question.encode())

    signals.before_dying(show)
    if signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL:
        signal.signal(signal.SIGTSTP, stop)
    try:
        return getpass.getpass(question).strip()
    except EOFError:
        return ""
    finally:
        if signal.getsignal(signal.SIGTSTP) is stop:
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
