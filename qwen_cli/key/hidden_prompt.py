"""A prompt at which what is typed is not visible, and which leaves the terminal as it was, however it ends."""

import getpass
import os
import signal
import sys
import termios
from contextlib import suppress
from types import FrameType

from qwen_cli import signals
from qwen_cli.output.stderr import report
from qwen_cli.prompt.files import StandardInput


def read_secret(question: str) -> str:
    """A line typed at the terminal, without white space around it, or all of standard input if it is not a terminal."""
    if sys.stdin is None or not os.isatty(0):
        return StandardInput(report).read()
    before = termios.tcgetattr(0)

    def restore() -> None:
        termios.tcsetattr(0, termios.TCSANOW, before)

    def stop(number: int, _frame: FrameType | None) -> None:
        """Give the terminal its echo back while the shell has it, and ask again afterwards."""
        hidden = termios.tcgetattr(0)
        restore()
        signals.take_default(number)
        signal.signal(number, stop)
        termios.tcsetattr(0, termios.TCSANOW, hidden)
        with suppress(OSError):
            os.write(0, question.encode())

    signals.before_dying(restore)
    if signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL:
        signal.signal(signal.SIGTSTP, stop)
    try:
        return getpass.getpass(question).strip()
    except EOFError:
        return ""
    finally:
        if signal.getsignal(signal.SIGTSTP) is stop:
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
