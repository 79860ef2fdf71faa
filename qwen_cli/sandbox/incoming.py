"""Requests as they come in: JSON within the documented limits, or a refusal in the API's own words."""

import json
from typing import Any

from qwen_cli import json_text
from qwen_cli.request import field_limits
from qwen_cli.request.validation import OutsideLimitsError, check_body


class ApiError(Exception):
    """A response other than 200: its HTTP status, the message of its body, and header fields of its own."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}


def parse_request(body: bytes) -> dict[str, Any]:
    """The request as a mapping that is within every documented limit, or an ApiError: 400, or 404 for another model."""
    try:
        request: dict[str, Any] = json_text.loads(body)
    except ValueError as error:
        raise ApiError(400, f"body: Expected JSON in UTF-8, Received something else: {error}") from None
    if not json_text.is_finite(request):
        raise ApiError(400, "body: Expected JSON, Received a number beyond a double")
    try:
        check_body(request)
    except OutsideLimitsError as error:
        raise ApiError(400, str(error)) from None
    if request["model"] != field_limits.MODEL:
        raise ApiError(
            404, f"model: Expected {json.dumps(field_limits.MODEL)}, Received {json.dumps(request['model'][:60])}"
        )
    return request
