"""The documented limits of a request, stated once for the options and for the sandbox.

Source: the provider's OpenAPI document of `POST /v1/chat/completions`.
"""

from collections.abc import Mapping

MODEL = "alibaba/qwen3.6-35b-a3b"

RANGES: Mapping[str, tuple[float, float | None]] = {
    "max_tokens": (1, None),
    "temperature": (0, 2),
    "top_p": (0.01, 1),
    "seed": (1, None),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
    "top_logprobs": (0, 20),
}
"""Field name -> smallest and largest value allowed; None where there is no largest."""

INTEGERS = frozenset({"max_tokens", "seed", "top_logprobs"})
"""Of those, the fields that count something: the flags take whole numbers only."""

LOGIT_BIAS = (-100, 100)
STOP_SEQUENCES = 4
TOOLS = 128

REASONING_EFFORTS = ("low", "medium", "high")
IMAGE_DETAILS = ("low", "high", "auto")
TOOL_CHOICES = ("none", "auto", "required")
RESPONSE_FORMATS = ("text", "json_object")

NAME = r"[a-zA-Z0-9_-]{1,64}"
"""What a function and a JSON schema may be called."""

REQUEST_ID = r"[A-Za-z0-9._:-]{1,128}"
"""`X-Client-Request-Id`; the service silently drops a value outside this alphabet."""

PERIOD_HOURS = 92 * 24
"""The longest `period` of the account's usage report."""

IMAGE_TYPES = ("jpeg", "png", "gif", "webp")
