"""Real shells to press Tab in: each says what it offers for the word before the cursor.

The completions stand where `pip install --user` puts them, under `~/.local/share`, and are found there by the shells'
own rules; only zsh is told the folder, and bash without its package reads the file. In PATH, before everything else,
stand programs of Python's names and of this project's that leave a trace when they are run.
"""

import os
import pty
import re
import select
import shlex
import shutil
import termios
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from tests.program import SECONDS, require_tool

ROOT = Path(__file__).parent.parent
BASH_COMPLETION = Path("/usr/share/bash-completion/bash_completion")
SHARED = {
    "qwen-cli.bash": "bash-completion/completions/qwen-cli",
    "_qwen-cli": "zsh/site-functions/_qwen-cli",
    "qwen-cli.fish": "fish/vendor_completions.d/qwen-cli.fish",
}

PROMPT = b"ready> "
START, END = b"<<<", b">>>"

BASHRC = r"""
PS1='ready> '
bind 'set completion-query-items 0'; bind 'set page-completions off'
bind 'set bell-style none'; bind 'set enable-bracketed-paste off'
bind '"\C-xa": insert-completions'
bind -x '"\C-xp": printf "<<<%s>>>" "$READLINE_LINE"'
complete -W 'alpha beta' wordy
"""

ZSHRC = r"""
PS1='ready> '
setopt no_beep
unsetopt prompt_cr prompt_sp zle_bracketed_paste
fpath=(~/.local/share/zsh/site-functions $fpath)
autoload -Uz compinit && compinit -D -u
zstyle ':completion:all-matches:*' completer _all_matches _complete
zstyle ':completion:all-matches:*' insert true
zle -C all-matches complete-word _generic && bindkey '^Xa' all-matches
show_buffer() { print -rn -- "<<<$BUFFER>>>" }
zle -N show_buffer && bindkey '^Xp' show_buffer
_wordy() { compadd alpha beta }
compdef _wordy wordy
"""

FISH_CONFIG = """
complete -c wordy -f -a 'alpha beta'
"""

TRAPPED = ("python", "python3", "qwen-cli")


class Shell(ABC):
    """One shell in a HOME of its own, with a working folder to make files in."""

    def __init__(self, folder: Path) -> None:
        self.home, self.work, self.bin = folder / "home", folder / "work", folder / "bin"
        self.trace = folder / "trace"
        for each in (self.home, self.work, self.bin):
            each.mkdir()
        for source, target in SHARED.items():
            path = self.home / ".local/share" / target
            path.parent.mkdir(parents=True)
            shutil.copy(ROOT / "completions" / source, path)
        for name in (*TRAPPED, "wordy"):
            program = self.bin / name
            program.write_text(f'#!/bin/sh\necho "$0 $*" >>{shlex.quote(str(self.trace))}\n')
            program.chmod(0o755)

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "HOME": str(self.home),
            "PATH": f"{self.bin}:/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "TERM": "xterm",
        }

    def offered(self, head: str, written: str = "") -> set[str]:
        """What stands to choose when Tab is pressed after `head`, a space and `written`.

        Values without their `--option=`, folders without their slash.
        """
        return set(self.in_order(head, written))

    def in_order(self, head: str, written: str = "") -> list[str]:
        """The same, as the shell lists it."""
        option = re.match(r"--[\w-]+=", written)
        prefix = option[0] if option else ""
        return [
            match.removeprefix(prefix).removesuffix("/").removesuffix("=") for match in self._matches(head, written)
        ]

    @abstractmethod
    def _matches(self, head: str, written: str) -> list[str]:
        """The words offered, unquoted."""

    @abstractmethod
    def descriptions(self, head: str, written: str) -> str:
        """What is shown when the choices are listed, each with its description."""

    def check_trace(self) -> None:
        """Fail if one of the trapped programs has been run."""
        assert not self.trace.exists(), f"completing has run: {self.trace.read_text()}"

    @abstractmethod
    def close(self) -> None:
        """End the shell."""


def unquoted(words: str) -> list[str]:
    """The words of a line, whose last one may still stand in an open quotation."""
    try:
        return shlex.split(words)
    except ValueError:
        return shlex.split(words + words[0])


def read_until(descriptor: int, marker: bytes) -> bytes:
    """What comes up to the marker, which may not be long in coming."""
    data = b""
    end = time.monotonic() + SECONDS
    while marker not in data:
        ready, _, _ = select.select([descriptor], [], [], max(0, end - time.monotonic()))
        piece = os.read(descriptor, 1 << 16) if ready else b""
        if not piece:
            pytest.fail(f"{marker!r} did not come within {SECONDS} s, but {data!r}")
        data += piece
    return data


class TerminalShell(Shell):
    """A shell with a line editor, at a terminal of its own."""

    LIST_KEY: bytes

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (200, 1000))
        # The leader of a new session gets its controlling terminal by opening one.
        self.process = Popen(
            ["sh", "-c", ': <"$0" && exec "$@"', os.ttyname(slave), *self.command()],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=self.work,
            env=self.environment,
            start_new_session=True,
        )
        os.close(slave)
        read_until(self.master, PROMPT)

    @abstractmethod
    def command(self) -> list[str]:
        """How the shell is started."""

    def press(self, line: str, keys: bytes) -> str:
        """Type a line and press keys; the line that then stands there, which is taken away again."""
        os.write(self.master, line.encode() + keys + b"\x18p")
        shown = read_until(self.master, END)
        os.write(self.master, b"\x05\x15")
        return shown.partition(START)[2].partition(END)[0].decode()

    def _matches(self, head: str, written: str) -> list[str]:
        line = f"{head} {written}"
        after = self.press(line, b"\x18a")
        return [] if after == line else unquoted(after.removeprefix(f"{head} "))

    def descriptions(self, head: str, written: str) -> str:
        os.write(self.master, f"{head} {written}".encode() + self.LIST_KEY + b"\x18p")
        shown = read_until(self.master, END)
        os.write(self.master, b"\x05\x15")
        return re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", shown.decode())

    def close(self) -> None:
        os.close(self.master)
        self.process.wait(SECONDS)


class Bash(TerminalShell):
    """Bash alone; the file is read by hand."""

    LIST_KEY = b"\x1b?"

    def command(self) -> list[str]:
        rc = self.home / ".bashrc"
        rc.write_text(self.setup() + BASHRC)
        return [require_tool("bash"), "--noprofile", "--rcfile", str(rc), "-i"]

    def setup(self) -> str:
        """How the completion gets there."""
        return "source ~/.local/share/bash-completion/completions/qwen-cli\n"


class BashWithPackage(Bash):
    """Bash with the bash-completion package, which finds the file when it is needed."""

    def setup(self) -> str:
        if not BASH_COMPLETION.exists():
            if os.environ.get("CI") == "true":
                pytest.fail("bash-completion is not installed")
            pytest.skip("bash-completion is not installed")
        return f"source {BASH_COMPLETION}\n"


class Zsh(TerminalShell):
    """Zsh with its completion system switched on."""

    LIST_KEY = b"\x04"

    def command(self) -> list[str]:
        (self.home / ".zshrc").write_text(ZSHRC)
        return [require_tool("zsh"), "-d", "-i"]


class Fish(Shell):
    """Fish, asked by its own `complete -C`, about one line after another."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        fish = require_tool("fish")
        config = self.home / ".config/fish/config.fish"
        config.parent.mkdir(parents=True)
        config.write_text(FISH_CONFIG)
        self.errors = folder / "errors"
        with self.errors.open("wb") as errors:
            self.process = Popen(
                [fish, "-c", 'while read -l line; complete -C "$line"; printf "\\0"; end'],
                stdin=PIPE,
                stdout=PIPE,
                stderr=errors,
                cwd=self.work,
                env=self.environment,
            )

    def _matches(self, head: str, written: str) -> list[str]:
        return [line.partition("\t")[0] for line in self.descriptions(head, written).splitlines()]

    def descriptions(self, head: str, written: str) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        os.write(self.process.stdin.fileno(), f"{head} {written}\n".encode())
        shown = read_until(self.process.stdout.fileno(), b"\0")
        assert not self.errors.read_bytes(), self.errors.read_text()
        return shown.decode().removesuffix("\0")

    def close(self) -> None:
        self.process.communicate(timeout=SECONDS)


SHELLS: Mapping[str, type[Shell]] = {
    "bash": Bash,
    "bash with its package": BashWithPackage,
    "zsh": Zsh,
    "fish": Fish,
}
