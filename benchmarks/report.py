"""From runs to figures, the table and the verdicts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median

from benchmarks.measure import Run, WrongResult
from benchmarks.rows import CURL, HTTPX, PASS, Promise

REFERENCES = (PASS, HTTPX, CURL)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What the runs of one row come to: medians in seconds, and the highest peak in bytes."""

    runs: int
    wall: float
    wall_min: float
    first_byte: float | None
    cpu: float
    peak: int
    sent: float | None


def summarise(runs: Sequence[Run]) -> Figures:
    """Put the runs of one row together."""
    return Figures(
        runs=len(runs),
        wall=median(run.wall for run in runs),
        wall_min=min(run.wall for run in runs),
        first_byte=_median_of([run.first_byte for run in runs]),
        cpu=median(run.cpu for run in runs),
        peak=max(run.peak for run in runs),
        sent=_median_of([run.sent for run in runs]),
    )


def _median_of(values: Sequence[float | None]) -> float | None:
    given = [value for value in values if value is not None]
    return median(given) if given else None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a promise holds: its value, None where a row of it was not measured."""

    promise: Promise
    value: float | None

    @property
    def holds(self) -> bool | None:
        return None if self.value is None else self.value <= self.promise.at_most


def judge(promise: Promise, figures: Mapping[str, Figures]) -> Verdict:
    """Hold the promise against the figures."""
    value = _figure(figures, promise.row, promise.figure)
    if value is not None and promise.other is not None:
        other = _figure(figures, promise.other, promise.other_figure)
        value = value / other if other else None
    return Verdict(promise=promise, value=value)


def _figure(figures: Mapping[str, Figures], row: str, figure: str) -> float | None:
    if row not in figures:
        return None
    value: float | None = asdict(figures[row])[figure]
    return value


def ratios(row: Figures, figures: Mapping[str, Figures]) -> dict[str, float]:
    """How many times each reference's wall time the row's is."""
    return {name: row.wall / figures[name].wall for name in REFERENCES if name in figures}


HEADS = ["wall, CPU: ms", "median", "min", "first byte", "CPU", "peak MB", "x pass", "x httpx", "x curl", "runs"]


def table(figures: Mapping[str, Figures], missing: Mapping[str, Exception]) -> Iterator[str]:
    """The lines of the table: times in milliseconds, memory in megabytes, ratios of the medians."""
    lines = [HEADS, *(_cells(name, row, figures) for name, row in figures.items())]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for name, *cells in lines:
        padded = (f"{cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True))
        yield "  ".join([f"{name:{widths[0]}}", *padded])
    for name, error in missing.items():
        yield f"{name:{widths[0]}}  {'wrong' if isinstance(error, WrongResult) else 'missing'}: {error}"


def _cells(name: str, row: Figures, figures: Mapping[str, Figures]) -> list[str]:
    times = [_ms(row.wall), _ms(row.wall_min), _ms(row.first_byte), _ms(row.cpu)]
    against = ratios(row, figures)
    compared = [f"{against[reference]:.2f}" if reference in against else "-" for reference in REFERENCES]
    return [name, *times, f"{row.peak / 1e6:.0f}", *compared, str(row.runs)]


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.1f}"


def verdict_line(verdict: Verdict) -> str:
    """One promise in words."""
    promise = verdict.promise
    word = {None: "unknown", True: "holds", False: "MISSED"}[verdict.holds]
    # Only memory is promised in units of its own.
    scale, unit = (1.0, f" x {promise.other}") if promise.other else (1e6, " MB")
    value = "not measured" if verdict.value is None else f"{verdict.value / scale:.2f}"
    figures = promise.figure if promise.other_figure == "wall" else f"{promise.figure} / {promise.other_figure}"
    return f"{word:7}  {promise.row}: {figures.replace('_', ' ')} {value}, at most {promise.at_most / scale:g}{unit}"


def record(
    heading: Sequence[str],
    figures: Mapping[str, Figures],
    missing: Mapping[str, Exception],
    verdicts: Sequence[Verdict],
) -> dict[str, object]:
    """Everything for `--json`: seconds and bytes."""
    return {
        "machine": list(heading),
        "rows": {name: {**asdict(row), "ratios": ratios(row, figures)} for name, row in figures.items()},
        "missing": {name: str(error) for name, error in missing.items()},
        "promises": [{**asdict(verdict), "holds": verdict.holds} for verdict in verdicts],
    }
