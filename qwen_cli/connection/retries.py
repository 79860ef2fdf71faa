"""What to retry, and how long to wait before. No I/O."""

from typing import Final

from qwen_cli.errors import QwenError

STATUSES: Final = frozenset({429, 500, 502, 503, 504})
"""Failures that the service does not charge for."""

BUSY: Final = frozenset({429, 503})
"""Statuses of a service that is busy rather than broken."""

_MAX_RETRY_AFTER: Final = 60.0
_FIRST_BACKOFF: Final = 0.5
_MAX_DOUBLINGS: Final = 4


def delay(attempt: int, retry_after: str | None) -> float:
    """Seconds to wait after an attempt, counted from 0: what the server asks for, or backoff with jitter."""
    if (seconds := parse_retry_after(retry_after)) is not None:
        return seconds
    import random

    backoff: float = _FIRST_BACKOFF * 2 ** min(attempt, _MAX_DOUBLINGS)
    return backoff * random.uniform(0.5, 1.0)  # noqa: S311 -- jitter, not a secret


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


class Pace:
    """When requests may be sent: here at once, and the retries of each request deal with refusals."""

    def turn(self) -> int:
        """Wait until one more may be sent; the value identifies it to `limited`."""
        return 0

    def answered(self) -> None:
        """The service has accepted a request."""

    def limited(self, turn: int, failure: QwenError, retry_after: str | None) -> bool:  # noqa: ARG002 -- for others
        """The service is busy: return whether the request gets another turn, which is no retry, or raise `failure`."""
        return False
