"""Requests as they come in: JSON within the documented limits, or a refusal in the API's own words."""

import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn

from qwen_cli.request import limits
from qwen_cli.request.checking import OutsideLimitsError, check_body


class ApiError(OutsideLimitsError):
    """An answer other than 200: its HTTP status, the message of its body, and header fields of its own."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits[:60]} is beyond a double")
    return value


def parse_request(body: bytes) -> dict[str, Any]:
    """The request as a mapping that is within every documented limit, or an ApiError: 400, or 404 for another model."""
    try:
        request: dict[str, Any] = json.loads(body.decode("utf-8"), parse_float=_finite, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"body: Expected JSON in UTF-8, Received something else: {error}") from None
    check_body(request)
    if request["model"] != limits.MODEL:
        raise ApiError(404, f"model: Expected {json.dumps(limits.MODEL)}, Received {json.dumps(request['model'][:60])}")
    return request
