"""What the answers of a run cost, and whether that is as much as was allowed."""

import threading
from collections.abc import Iterable
from decimal import Decimal

from qwen_cli.answer.completion import Answer
from qwen_cli.cost.figures import plain
from qwen_cli.cost.usage import Total


class Budget:
    """Adds up what was paid for; any thread may use it."""

    def __init__(self, max_usd: Decimal | None) -> None:
        self._max_usd = max_usd
        self._lock = threading.Lock()
        self.total = Total()

    def spend(self, answers: Iterable[Answer]) -> None:
        """Count answers that were paid for, fitting or not."""
        with self._lock:
            for answer in answers:
                self.total.add(answer)

    @property
    def is_at_its_end(self) -> bool:
        """Whether nothing new may be started: all is spent, or nobody knows how much."""
        if self._max_usd is None:
            return False
        return self.total.usd >= self._max_usd or not self.total.is_priced

    def ending(self) -> str:
        """Why the run was stopped."""
        if not self.total.is_priced:
            return "stopped, since --max-usd cannot be kept: the server sends no price with an answer"
        return f"stopped at --max-usd after {plain(self.total.usd)} USD"
