"""Draw docs/session.svg: a session at a terminal, typed into a real shell, with the real program.

The answers are those of `scripts/scripted_model.py`.

Usage: python -m scripts.session_picture
"""

import os
import pty
import re
import select
import sys
import tempfile
import termios
import time
from html import unescape
from io import StringIO
from pathlib import Path
from subprocess import Popen

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from scripts import ROOT
from scripts.scripted_model import CAPITALS, UNANSWERED, serving

PICTURE = ROOT / "docs/session.svg"
COLUMNS, ROWS, SECONDS = 92, 50, 60

COMMANDS = (
    "qwen-cli ask 'How do I undo my last commit?'",
    "qwen-cli ask --max-tokens 9000 'How does TCP open a connection?'; echo \"status $?\"",
    "qwen-cli map --csv 'The capital of {country}, one word' <trip.csv",
)
"""What is typed."""

TABLE = "day,country\n" + "".join(f"{day},{name}\n" for day, name in enumerate((*CAPITALS, *UNANSWERED), 1))
LAST_FRAME = f"{len(CAPITALS)} of {len(CAPITALS) + len(UNANSWERED)} done".encode()
"""Where the picture ends: in the middle of the last command, which waits for the answers that are held."""
TIMES = ((r"\d+\.\d/s", "4.2/s"), (r"\d+ s left", "1 s left"))
"""What differs from run to run -> what is drawn."""

PROMPT = "\x1b[1;32m$\x1b[0m "
BASHRC = r"PS1='\[\e[1;32m\]$\[\e[0m\] '; set +o emacs; unset HISTFILE"

SVG = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
  font-size: {char_height}px;
  font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
}}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""rich's own picture of a terminal, without the fonts that it would fetch."""


def record() -> bytes:
    """Type the commands into bash, in an empty home; what the terminal received, up to the end of the picture."""
    # The last command is still ending when its terminal has gone.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home, serving(seconds=0.3) as server:
        Path(home, ".bashrc").write_text(BASHRC)
        Path(home, "trip.csv").write_text(TABLE)
        variables = {
            "HOME": home,
            "LANG": "C.UTF-8",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "TERM": "xterm-256color",
            **server,
        }
        terminal, slave = pty.openpty()
        termios.tcsetwinsize(slave, (ROWS, COLUMNS))
        # The leader of a new session gets its controlling terminal by opening one.
        argv = ["/bin/sh", "-c", ': <"$0" && exec bash', os.ttyname(slave)]
        shell = Popen(  # noqa: S603 -- nothing of it comes from outside
            argv, stdin=slave, stdout=slave, stderr=slave, cwd=home, env=variables, start_new_session=True
        )
        os.close(slave)
        try:
            output = read_until(terminal, PROMPT.encode())
            for command in COMMANDS[:-1]:
                os.write(terminal, f"{command}\n".encode())
                output += read_until(terminal, PROMPT.encode())
            os.write(terminal, f"{COMMANDS[-1]}\n".encode())
            output += read_until(terminal, LAST_FRAME)
            return output + read_until(terminal, b" left")
        finally:
            os.close(terminal)
            shell.wait()


def read_until(terminal: int, marker: bytes) -> bytes:
    """What the terminal receives, up to the marker."""
    output, end = b"", time.monotonic() + SECONDS
    while marker not in output:
        if not select.select([terminal], [], [], max(0, end - time.monotonic()))[0]:
            raise TimeoutError(f"{marker!r} did not come within {SECONDS} s: {output!r}")
        output += os.read(terminal, 1)
    return output


def screen(output: bytes) -> str:
    """What a terminal shows after this output: of a line that was drawn over, the last state."""
    lines = (line.rpartition("\r")[2].replace("\x1b[2K", "") for line in output.decode().split("\r\n"))
    text = "\n".join(lines)
    for pattern, shown in TIMES:
        text = re.sub(pattern, shown, text)
    return text


def draw(screen: str) -> str:
    """The picture of such a screen, as SVG."""
    console = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.from_ansi(screen), overflow="fold")
    return console.export_svg(title="qwen-cli", theme=MONOKAI, code_format=SVG, unique_id="session")


def text(svg: str) -> str:
    """The words of such a picture, whatever version of rich has drawn it."""
    words = re.findall(r"<text[^>]*>(.*?)</text>", svg)
    return " ".join(unescape(" ".join(words)).split())


def main() -> int:
    """Draw."""
    PICTURE.write_text(draw(screen(record())), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
