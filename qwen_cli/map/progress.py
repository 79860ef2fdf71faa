"""The progress of a run, as one line on the terminal."""

import time
from decimal import Decimal
from typing import Final

from qwen_cli import signals
from qwen_cli.cost.figures import plain
from qwen_cli.map.budget import Budget
from qwen_cli.map.pace import Governor
from qwen_cli.map.tally import Tally
from qwen_cli.output.terminal import screen

_MINUTE, _HOUR = 60, 3600


class Progress:
    """Draws the progress of a run; `total` is the number of items, if known."""

    def __init__(self, tally: Tally, budget: Budget, governor: Governor, total: int | None) -> None:
        signals.before_dying(screen.erase)
        self._tally = tally
        self._budget = budget
        self._governor = governor
        self._total = total
        self._began = self._drawn = time.monotonic()

    def draw(self) -> None:
        """Show it, ten times a second at most."""
        now = time.monotonic()
        if now - self._drawn >= _INTERVAL:
            self._drawn = now
            usd, waiting = self._budget.total.usd, self._governor.is_paused
            screen.draw(line(self._tally, self._total, usd, now - self._began, waiting=waiting))


_INTERVAL: Final = 0.1


def line(tally: Tally, total: int | None, usd: Decimal, elapsed: float, *, waiting: bool) -> str:
    """The progress after `elapsed` seconds: `120 of 500 done, 2 failed, 14.2/s, 0.0312 USD, 27 s left`."""
    rate = tally.done / elapsed if elapsed else 0.0
    parts = [f"{tally.done} done" if total is None else f"{tally.done} of {total} done"]
    if failed := tally.failed.total():
        parts.append(f"{failed} failed")
    parts.append(f"{rate:.1f}/s")
    if rounded := Decimal(format(usd, ".4f")):
        parts.append(f"{plain(rounded)} USD")
    if total is not None and rate:
        parts.append(f"{duration((total - tally.done) / rate)} left")
    if waiting:
        parts.append("waiting for the service's limit")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """`41 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
