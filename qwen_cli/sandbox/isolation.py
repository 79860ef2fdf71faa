"""Runs the search for an instance in a process of its own, so that no schema can stop the server."""

import json
import subprocess
import sys
import threading
from functools import lru_cache
from typing import Any

from qwen_cli.sandbox.incoming import ApiError

_COMMAND = (sys.executable, "-P", "-m", "qwen_cli.sandbox.schema_instance")
_SECONDS = 10
"""How long to wait; the search limits its own CPU time to one second."""

_one_search = threading.Lock()


def instance_and_misfits(schema: object, field: str) -> tuple[Any, list[Any]]:
    """A small value that is valid against the schema, and a list of one that is not, or of none.

    `field` is the schema's dotted name, for the ApiError 400 if it is not a schema or the sandbox cannot meet it.
    """
    with _one_search:
        outcome = _search(json.dumps(schema))
    if isinstance(outcome, dict):
        place = ".".join(map(str, [field, *outcome["place"]]))
        raise ApiError(400, f"{place}: Expected {outcome['expected']}, Received another")
    if outcome is None:
        raise ApiError(
            400, f"{field}: Expected a schema of common keywords that the sandbox can meet, Received another"
        )
    instance, misfits = outcome
    return instance, misfits


@lru_cache(maxsize=100)
def _search(schema: str) -> Any:
    try:
        done = subprocess.run(  # noqa: S603 -- this very program
            _COMMAND, input=schema, capture_output=True, text=True, timeout=_SECONDS, check=True
        )
    except (subprocess.SubprocessError, OSError):
        return None
    return json.loads(done.stdout)
