"""The bar chart `docs/wait.svg`: how long an answer takes with each program, from the figures of a run."""

from collections.abc import Iterator
from statistics import median

from scripts.speed import Figures, medians

PEERS = {"curl | jq": "curl | jq", "llm": "llm", "openai": "openai", "sgpt": "shell-gpt"}
"""A program's name in the benchmark -> in the picture."""
PLACES = {"": "Server on the same machine", ", TLS, 100 ms": "Server at 100 ms of round trip, TLS"}
"""How the names of a place's rows end -> its title."""
OURS, THEIRS = "#0b6e99", "#a9b4bc"
WIDTH, MARGIN, NAMES, GAP, VALUE = 860, 16, 110, 40, 74
TOP, STEP, BAR = 56, 34, 22
"""Pixels: the whole width, around it, for the names, between the places, for a value; down to the bars, each, thick."""


def waits(figures: Figures, place: str) -> dict[str, float]:
    """Program -> milliseconds from its start to its end, of those that could be measured."""
    sides = {name: [1000 * side["wall"] for side in row["sides"]] for name, row in medians(figures).items()}
    pairs = {shown: sides[name] for peer, shown in PEERS.items() if (name := f"ask / {peer}{place}") in sides}
    if not pairs:
        return {}
    ours = median(own for own, _ in pairs.values())
    return {"qwen-cli ask": ours} | {name: other for name, (_, other) in pairs.items()}


def draw(figures: Figures) -> str:
    """The whole picture, as SVG."""
    shown = {title: found for place, title in PLACES.items() if (found := waits(figures, place))}
    names = list(dict.fromkeys(name for found in shown.values() for name in found))
    height = TOP + STEP * len(names) + MARGIN - (STEP - BAR)
    lines = [
        f'<svg viewBox="0 0 {WIDTH} {height}" xmlns="http://www.w3.org/2000/svg" role="img">',
        "<style>text { font: 14px sans-serif; fill: #1f2328 } .title { font-weight: bold } .name { text-anchor: end }",
        "</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        *_names(names),
        *(line for column, title in enumerate(shown) for line in _place(column, title, shown[title], names)),
        "</svg>",
    ]
    return "".join(f"{line}\n" for line in lines)


def _middle(row: int) -> int:
    """Where the text of a row stands."""
    return TOP + STEP * row + BAR // 2 + 5


def _names(names: list[str]) -> Iterator[str]:
    for row, name in enumerate(names):
        yield f'<text class="name" x="{MARGIN + NAMES}" y="{_middle(row)}">{name}</text>'


def _place(column: int, title: str, found: dict[str, float], names: list[str]) -> Iterator[str]:
    """One column of bars, all of one scale."""
    width = (WIDTH - 2 * MARGIN - NAMES - GAP) / len(PLACES)
    left = MARGIN + NAMES + 10 + column * (width + GAP / 2)
    scale = (width - VALUE) / max(found.values())
    yield f'<text class="title" x="{left:.1f}" y="{TOP - 22}">{title}</text>'
    for row, name in enumerate(names):
        if name in found:
            bar = found[name] * scale
            colour = OURS if row == 0 else THEIRS
            yield f'<rect x="{left:.1f}" y="{TOP + STEP * row}" width="{bar:.1f}" height="{BAR}" fill="{colour}"/>'
            yield f'<text x="{left + bar + 6:.1f}" y="{_middle(row)}">{found[name]:.0f} ms</text>'
