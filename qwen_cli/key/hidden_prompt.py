"""A prompt at which what is typed is not visible, and which leaves the terminal as it was, however it ends."""

import getpass
import termios

from qwen_cli import signals


def read_secret(question: str) -> str:
    """A line typed at the terminal, without white space around it; empty at the end of input."""
    before = termios.tcgetattr(0)
    signals.before_dying(lambda: termios.tcsetattr(0, termios.TCSANOW, before))
    try:
        return getpass.getpass(question).strip()
    except EOFError:
        return ""
