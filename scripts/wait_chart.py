"""Draw docs/wait.svg, how long an answer takes with each program, from docs/benchmark.json.

Usage: python3 benchmarks/run.py --json docs/benchmark.json && python -m scripts.wait_chart
"""

import json
import sys
from statistics import median
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from scripts import ROOT

FOLDER = ROOT / "docs"
PEERS = {"curl | jq": "curl | jq", "llm": "llm", "openai": "openai", "sgpt": "shell-gpt"}
"""A program's name in the benchmark -> in the picture."""
PLACES = {"": "Server on the same machine", ", TLS, 100 ms": "Server at 100 ms of round trip, TLS"}
"""How the names of a place's rows end -> its title."""
STYLE: Any = {
    "axes.spines.bottom": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": "medium",
    "font.family": ["DejaVu Sans", "sans-serif"],
    "svg.fonttype": "none",
    "svg.hashsalt": "qwen-cli",
}
OURS, THEIRS = "#0b6e99", "#a9b4bc"


def waits(figures: list[dict[str, Any]], place: str) -> dict[str, float]:
    """Program -> milliseconds from its start to its end; KeyError for one that the benchmark could not measure."""
    sides = {row["name"]: [1000 * side["wall"] for side in row.get("sides", [])] for row in figures}
    pairs = {shown: sides[f"ask / {peer}{place}"] for peer, shown in PEERS.items()}
    return {"qwen-cli ask": median(ours for ours, _ in pairs.values())} | {name: it for name, (_, it) in pairs.items()}


def main() -> int:
    """Draw."""
    figures = json.loads((FOLDER / "benchmark.json").read_text(encoding="utf-8"))
    with mpl.rc_context(STYLE):
        picture = Figure(figsize=(9, 2.6), layout="constrained")
        for axes, (place, title) in zip(picture.subplots(1, 2, sharey=True), PLACES.items(), strict=True):
            times = waits(figures, place)
            bars = axes.barh(list(times), list(times.values()), color=[OURS] + [THEIRS] * len(PEERS))
            axes.bar_label(bars, fmt="%.0f ms", padding=4)
            axes.set_title(title)
            axes.margins(x=0.25)
            axes.tick_params(left=False, bottom=False, labelbottom=False)
        picture.axes[0].invert_yaxis()
        picture.savefig(FOLDER / "wait.svg", metadata={"Date": None})
    return 0


if __name__ == "__main__":
    sys.exit(main())
