"""What to retry, and how long to wait before. No I/O but the wait itself."""

from contextlib import AbstractContextManager, nullcontext
from typing import Final

from qwen_cli.errors import QwenError

STATUSES: Final = frozenset({408, 425, 429, 500, 502, 503, 504, *range(520, 530)})
"""Failures that the service does not charge for."""

_MAX_RETRY_AFTER: Final = 60.0
_FIRST_BACKOFF: Final = 0.5
_MAX_DOUBLINGS: Final = 4


def delay(attempt: int, retry_after: str | None) -> float:
    """Seconds to wait after an attempt, counted from 0: what the server asks for, and a backoff at least."""
    return max(parse_retry_after(retry_after) or 0.0, backoff(attempt))


def backoff(attempt: int) -> float:
    """Seconds that double with each attempt up to 8, with jitter."""
    import random

    longest: float = _FIRST_BACKOFF * 2 ** min(attempt, _MAX_DOUBLINGS)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 -- jitter, not a secret


def parse_retry_after(value: str | None) -> float | None:
    """Seconds, 60 at most, from either form of the header (RFC 9110, 10.2.3); None if it is no number and no date."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return min(float(value), _MAX_RETRY_AFTER)
    from datetime import UTC, datetime
    from email.utils import parsedate_to_datetime

    try:
        date: datetime = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # the latter for a year or a zone that no date can have
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return min(max(0.0, (date - datetime.now(UTC)).total_seconds()), _MAX_RETRY_AFTER)


class Turn:
    """One request among many: here it may be sent at once, and its own retries deal with refusals."""

    def wait(self) -> None:
        """Wait until it may be sent."""

    def answered(self) -> None:
        """The service has accepted it."""

    def refused(self, failure: QwenError, retry_after: str | None, *, is_limit: bool) -> bool:  # noqa: ARG002 -- for others
        """The service is busy: return whether it gets another turn, which is no retry, or raise `failure`.

        `is_limit` says that it was asked too much, so that waiting helps.
        """
        return False


class Pace:
    """When requests may be sent."""

    def turn(self) -> AbstractContextManager[Turn]:
        """The turn of a request, until it is over."""
        return nullcontext(Turn())
