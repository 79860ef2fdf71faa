"""Write the completions, the manual and what docs/ has of it and of the benchmarks; or with --check compare them.

Usage: python -m scripts.generate [--check]
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts import ROOT, bash_completion, fish_completion, manual, manual_markdown, speed, wait_chart, zsh_completion
from scripts.declarations import read_commands, with_help
from scripts.templates import filled


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


def documents() -> Mapping[str, str]:
    """The same for docs/: the manual as Markdown, and what the last run of the benchmarks has shown."""
    figures = speed.read()
    return {
        "docs/manual.md": manual_markdown.render(manual.render(read_commands())),
        "docs/speed.md": filled("docs/speed.md", **speed.parts(figures)),
        "docs/wait.svg": wait_chart.draw(figures),
    }


def drifted(root: Path, files: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """Which of these files, or else of those that are installed, differ, with what they have to hold."""
    return {
        name: text
        for name, text in (generate() if files is None else files).items()
        if not (root / name).is_file() or (root / name).read_text(encoding="utf-8") != text
    }


def main(arguments: Sequence[str]) -> int:
    """Write, or check; status 1 when a check finds something."""
    parser = argparse.ArgumentParser(prog="python -m scripts.generate", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 if something is out of step")
    check = parser.parse_args(arguments).check
    stale = drifted(ROOT, {**generate(), **documents()})
    for name, text in stale.items():
        if check:
            sys.stderr.write(f"{name} is out of step with what it is made of: run 'python -m scripts.generate'\n")
        else:
            (ROOT / name).parent.mkdir(exist_ok=True)
            (ROOT / name).write_text(text, encoding="utf-8")
            sys.stderr.write(f"wrote {name}\n")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
