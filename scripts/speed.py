"""What `docs/speed.md` says of one run of the benchmarks, from `docs/benchmark.json`."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scripts import ROOT

FIGURES = ROOT / "docs/benchmark.json"
PYTHON = "--version / python -c pass"
"""The row whose second command is a bare start of Python."""
RUNS: Mapping[str, tuple[str, str]] = {
    "ask - curl, TLS, 100 ms, in starts of Python": ("`ask` over TLS, 100 ms of round trip", "`curl`"),
    "ask - curl, TLS, 40 ms, in starts of Python": ("`ask` over TLS, 40 ms of round trip", "`curl`"),
    "ask / httpx script": ("`ask`, server on the same machine", "a two-line script with `httpx.Client`"),
    "ask / llm": ("the same", "`llm --no-stream -n`"),
    "ask / openai": ("the same", "`openai api chat.completions.create`"),
    "ask / sgpt": ("the same", "`sgpt`"),
    "ask / curl | jq": ("the same", "`curl \\| jq`"),
    PYTHON: ("`--version`", "`python -c pass`"),
    "--help / import typer": ("`--help`", "importing Typer"),
    "ask --help / import typer": ("`ask --help`", "importing Typer"),
    "stream / curl -N | sed | jq, 20,000 chunks": (
        "`stream` of 20,000 chunks into a pipe",
        "`curl -N \\| sed \\| jq --unbuffered`",
    ),
    "map / xargs -P8, CPU of one more prompt": (
        "`map`, CPU of one more prompt",
        "`xargs -P8 -I{} qwen-cli ask -n {}`",
    ),
    "map, 1,500 items, one in ten a 503 / without": ("`map` of 1,500 items, one answer in ten a 503", "without"),
    "map, 40 items after 60 s of silence / after 1 s": (
        "`map` of 40 items after a minute of silent input, the service limiting",
        "after a second",
    ),
    "map, peak memory, 100,000 items / 1,000": ("`map`, peak memory of 100,000 items", "of 1,000 items"),
}
"""A row of the benchmarks -> what it ran, and what it compares that with, in the order of the table."""
AMOUNTS: Mapping[str, tuple[str, bool]] = {
    "map, seconds for one more prompt": ("`map`, prompts a second", True),
    "json, 50 MB, first byte out / last byte sent": (
        "`json` of 50 MB: when its first byte is out, as a part of the time until the last is sent",
        False,
    ),
}
"""The rows with one command -> what is said of them, and whether it is said the other way round."""
FAR = re.compile(r"slow input \| ask / slow input \| curl, TLS, (\d+) ms")

Figures = Mapping[str, Any]


def read() -> Figures:
    """The figures of the run."""
    figures: Figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    return figures


def medians(figures: Figures) -> dict[str, Any]:
    """Row by name, of those that could be measured."""
    return {row["name"]: row for row in figures["rows"] if "sides" in row}


def machine(figures: Figures) -> Iterator[str]:
    """The sentences about what was measured, and on what."""
    on, versions = figures["machine"], figures["programs"]
    start = medians(figures)[PYTHON]["sides"][1]["wall"]
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    yield f"Medians of {figures['rounds']} rounds on {on['date']}: {on['cores']} cores of {on['processor']},"
    yield f"{on['kernel']}, Python {on['python']}, of which one start (`python -c pass`) took {start * 1000:.1f} ms."
    yield f"The programs: {listed}."


def table(figures: Figures) -> Iterator[str]:
    """The rows, each with the limit that it is held to."""
    rows = medians(figures)
    yield "| run | compared with | median | result | at most |"
    yield "| --- | --- | ---: | ---: | ---: |"
    for name, (run, other) in RUNS.items():
        if name in rows:
            yield _row(rows[name], run, other)
    for name, (run, is_inverse) in AMOUNTS.items():
        if name in rows:
            ratio, limit = rows[name]["ratio"], rows[name]["limit"]
            shown = (f"{1 / ratio:,.0f}", f"{1 / limit:,.0f} or more") if is_inverse else (f"{ratio:.2f}", f"{limit:g}")
            yield f"| {run} | | | {shown[0]} | {shown[1]}{_missed(rows[name])} |"


def _row(row: Figures, run: str, other: str) -> str:
    figure = row["figure"]
    ours, theirs = (_amount(figure, side[figure]) for side in row["sides"][:2])
    is_difference = len(row["sides"]) > len(("ours", "theirs"))
    limit = "" if row["limit"] is None else f"{row['limit']:g}" + (" starts" if is_difference else "")
    ratio = f"{row['ratio']:.1f} starts more" if is_difference else f"{_rounded(row['ratio'])} \N{MULTIPLICATION SIGN}"
    return f"| {run} | {other} | {ours}, {theirs} | {ratio} | {limit}{_missed(row)} |"


def _missed(row: Figures) -> str:
    return " (missed)" if row["verdict"] == "MISSED" else ""


def _amount(figure: str, value: float) -> str:
    """Megabytes of memory, milliseconds of time."""
    return f"{value / 1e6:.0f} MB" if figure == "peak" else f"{_rounded(value * 1000)} ms"


def _rounded(value: float) -> str:
    """Two or three significant digits, never an exponent."""
    decimals = next(digits for least, digits in ((100, 0), (10, 0), (1, 1), (0.01, 2), (0, 3)) if value >= least)
    return f"{value:,.{decimals}f}"


def waiting(figures: Figures) -> Iterator[str]:
    """What a slow input hides: from its end to the first byte of the answer."""
    for name, row in medians(figures).items():
        if far := FAR.fullmatch(name):
            ours, theirs = (side["wall"] * 1000 for side in row["sides"])
            yield f"At {far[1]} ms of round trip: {ours:.0f} ms, against {theirs:.0f} ms with curl."


def parts(figures: Figures) -> Mapping[str, Sequence[str]]:
    """What the lines `@NAME@` of `docs/speed.md.in` stand for."""
    return {
        "MACHINE": list(machine(figures)),
        "TABLE": list(table(figures)),
        "WAITING": list(waiting(figures)),
    }
