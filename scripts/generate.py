"""Write the completions and the manual, or with --check say which of them are out of step with the declarations.

Usage: python -m scripts.generate [--check]
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts import ROOT, bash_completion, fish_completion, manual, zsh_completion
from scripts.declarations import read_commands, with_help


def generate() -> Mapping[str, str]:
    """File name, relative to the project's folder -> what it has to hold."""
    commands = read_commands()
    completed = with_help(commands)
    return {
        "completions/qwen-cli.bash": bash_completion.render(completed),
        "completions/_qwen-cli": zsh_completion.render(completed),
        "completions/qwen-cli.fish": fish_completion.render(completed),
        "man/qwen-cli.1": manual.render(commands),
    }


def drifted(root: Path) -> Mapping[str, str]:
    """The files that differ from what the declarations say, with what they have to hold."""
    return {
        name: text
        for name, text in generate().items()
        if not (root / name).is_file() or (root / name).read_text(encoding="utf-8") != text
    }


def main(arguments: Sequence[str]) -> int:
    """Write, or check; status 1 when a check finds something."""
    parser = argparse.ArgumentParser(prog="python -m scripts.generate", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 if something is out of step")
    check = parser.parse_args(arguments).check
    stale = drifted(ROOT)
    for name, text in stale.items():
        if check:
            sys.stderr.write(f"{name} is out of step with the options: run 'python -m scripts.generate'\n")
        else:
            (ROOT / name).parent.mkdir(exist_ok=True)
            (ROOT / name).write_text(text, encoding="utf-8")
            sys.stderr.write(f"wrote {name}\n")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
