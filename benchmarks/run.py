"""How fast `qwen-cli` is, side by side with what people would use instead.

    python3 benchmarks/run.py [--rounds N] [--only NAME]… [--json FILE] [--keep FOLDER]

Sets itself up in a temporary folder: this project and its peers, each installed into a virtual environment of its own,
and a local server in a process of its own. After a warm-up round everything runs in turn, round after round. What
can't be had is listed as missing, and a command that fails or prints something else than it should as wrong, each with
the reason. The exit status is 1 when a promise of the project was missed or a result was wrong.

It needs Python 3.11 on Linux and openssl; curl, jq, bash, zsh, fish and gnome-keyring-daemon where they are installed.
"""

import argparse
import contextlib
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import environment, report
from benchmarks.measure import Command, Run, WrongResult, run
from benchmarks.rows import PROMISES, Row, rows

PACKAGES = ("qwen-cli", "httpx", "typer", "keyring", "llm", "openai", "shell-gpt")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Measure qwen-cli beside its peers.")
    parser.add_argument("--rounds", type=int, default=20, metavar="N", help="rounds after the warm-up (20)")
    parser.add_argument("--only", action="append", metavar="NAME", help="only the rows with NAME in their name")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="set up there, use what is there, and leave it")
    arguments = parser.parse_args(argv)
    if arguments.rounds < 1:
        parser.error("--rounds must be at least 1")
    return arguments


def note(text: str) -> None:
    """Tell how far it has come."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def prepare(chosen: Sequence[Row]) -> tuple[dict[str, Command], dict[str, Exception]]:
    """Set up each row and run it once; gives the commands that work, and why the others don't."""
    commands: dict[str, Command] = {}
    missing: dict[str, Exception] = {}
    for row in chosen:
        note(f"warming up: {row.name}")
        try:
            commands[row.name] = row.prepare()
            run(commands[row.name])
        except (environment.Missing, WrongResult) as error:
            commands.pop(row.name, None)
            missing[row.name] = error
    return commands, missing


def measure(chosen: Sequence[Row], rounds: int) -> tuple[dict[str, list[Run]], dict[str, Exception]]:
    """Run all rows in turn, in so many rounds; gives each row's runs, and why some have none."""
    commands, missing = prepare(chosen)
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for number in range(rounds):
        note(f"round {number + 1} of {rounds}")
        for row in chosen:
            if row.name in commands and number % row.every == 0:
                try:
                    runs[row.name].append(run(commands[row.name]))
                except WrongResult as error:
                    del commands[row.name], runs[row.name]
                    missing[row.name] = error
    return runs, missing


def main(argv: Sequence[str] | None = None) -> int:
    """Set up, measure, print; returns the exit status."""
    arguments = parse(argv)
    with contextlib.ExitStack() as stack:
        if arguments.keep:
            arguments.keep.mkdir(parents=True, exist_ok=True)
        folder = (arguments.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))).resolve()
        note(f"setting up in {folder}")
        environment.install(folder / "qwen-cli", str(environment.PROJECT))
        place = stack.enter_context(environment.place(folder))
        wanted = arguments.only or [""]
        chosen = [row for row in rows(place, stack) if any(name in row.name for name in wanted)]
        promises = [promise for promise in PROMISES if promise.row in {row.name for row in chosen}]
        runs, missing = measure(chosen, arguments.rounds)
        heading = [environment.machine(), environment.installed(folder, PACKAGES)]
    figures = {name: report.summarise(row) for name, row in runs.items()}
    verdicts = [report.judge(promise, figures) for promise in promises]
    lines = [*heading, "", *report.table(figures, missing), "", *map(report.verdict_line, verdicts)]
    sys.stdout.write("\n".join(lines) + "\n")
    if arguments.json:
        arguments.json.write_text(json.dumps(report.record(heading, figures, missing, verdicts), indent=2) + "\n")
    wrong = any(isinstance(error, WrongResult) for error in missing.values())
    return int(wrong or any(verdict.holds is False for verdict in verdicts))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except environment.Missing as error:
        sys.exit(f"cannot be set up: {error}")
