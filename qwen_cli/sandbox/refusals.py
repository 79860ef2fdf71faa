"""Refusals in the API's own shape, and the requests that get one because they are outside the documented limits."""

from typing import Any

from qwen_cli import json_text
from qwen_cli.request.validation import OutsideLimitsError, check_body


class ApiError(Exception):
    """A response other than 200: its HTTP status, the message of its body, and header fields of its own."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}


def read_request(body: bytes) -> dict[str, Any]:
    """The request in a body; an ApiError 400, which names the field, if it is not within the documented limits."""
    try:
        request: dict[str, Any] = json_text.loads(body)
    except ValueError as error:
        raise ApiError(400, f"body: not JSON that can be read: {error}") from None
    if not json_text.is_finite(request):
        raise ApiError(400, "body: a number is too large for a double")
    try:
        check_body(request)
    except OutsideLimitsError as error:
        raise ApiError(400, str(error)) from None
    return request
