"""A service that answers with what it was asked, so that each answer says to which item it belongs."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tests.api_server import Request, Step, reply
from tests.bodies import completion


def asked(request: Request) -> str:
    """The last message of a request."""
    content: str = request.json["messages"][-1]["content"]
    return content


def echo(request: Request) -> Sequence[Step]:
    """An answer that repeats what was asked; it costs 0.00013 USD."""
    return reply(completion(asked(request)))


def echoing(delays: Callable[[str], float]) -> Callable[[Request], Iterable[Step]]:
    """The same, after so many seconds for what was asked."""
    return lambda request: (delays(asked(request)), *echo(request))


def records(text: str) -> list[dict[str, Any]]:
    """The JSON objects of the lines."""
    return [json.loads(line) for line in text.splitlines()]
