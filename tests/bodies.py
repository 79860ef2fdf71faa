"""Builders for the bodies that the API documents: a completion, the chunks of a stream, an error.

Each takes what a test cares about and fills in the rest as the real service does; further fields go in by keyword.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Json = dict[str, Any]

USAGE: Json = {
    "prompt_tokens": 11,
    "completion_tokens": 42,
    "total_tokens": 53,
    "prompt_tokens_details": None,
    "completion_tokens_details": {"reasoning_tokens": 30},
}
META: Json = {"usage": {"credits_used": 260, "usd_spent": 0.00013}}
DOCUMENTED = (
    "prompt_tokens\t11\n"
    "completion_tokens\t42\n"
    "reasoning_tokens\t30\n"
    "total_tokens\t53\n"
    "credits_used\t260\n"
    "usd_spent\t0.00013\n"
)
"""The two, as `cost` prints them."""


def completion(
    content: object = "Hello.",
    *,
    reasoning: object = None,
    finish_reason: object = "stop",
    refusal: object = None,
    tool_calls: object = None,
    **fields: object,
) -> Json:
    """A whole response; `fields` replace top-level ones (`usage=None`, `choices=[]`)."""
    message: Json = {"role": "assistant", "content": content, "reasoning_content": reasoning, "refusal": refusal}
    if tool_calls is not None:
        message["tool_calls"] = tool_calls
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_753_944_369,
        "model": "qwen3.6-35b-a3b",
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
        "usage": USAGE,
        "meta": META,
        **fields,
    }


def chunk(
    content: object = None, *, finish_reason: object = None, delta: Mapping[str, object] = {}, **fields: object
) -> Json:
    """One chunk of a stream; `delta` adds to the delta, `fields` replace top-level ones."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_753_944_369,
        "model": "qwen3.6-35b-a3b",
        "choices": [
            {
                "index": 0,
                "delta": {"content": content, "reasoning_content": None, "refusal": None, **delta},
                "finish_reason": finish_reason,
            }
        ],
        "usage": None,
        **fields,
    }


def chunks(
    *pieces: str, reasoning: Sequence[str] = (), finish_reason: str | None = "stop", usage: bool = True
) -> list[Json]:
    """A whole stream as the service sends it: role, reasoning, content, finish reason, usage with the cost."""
    stream = [chunk(delta={"role": "assistant", "reasoning_content": ""})]
    stream += [chunk(delta={"reasoning_content": piece}) for piece in reasoning]
    stream += [chunk(piece) for piece in pieces]
    if finish_reason is not None:
        stream.append(chunk("", finish_reason=finish_reason))
    if usage:
        stream.append(chunk(choices=[], usage=USAGE, meta=META))
    return stream


def tool_call(name: str = "weather", arguments: str = '{"city": "Paris"}', **fields: object) -> Json:
    """One tool call of a message."""
    return {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}, **fields}


def error(status: int, message: object = "Something went wrong", **fields: object) -> Json:
    """An error in the service's own shape."""
    return {
        "message": message,
        "path": "/v1/chat/completions",
        "requestId": "req-5e1f",
        "statusCode": status,
        "timestamp": "2026-08-01T12:00:00.000Z",
        **fields,
    }


def event(payload: object, *, newline: str = "\n") -> bytes:
    """One server-sent event: a string as it is, anything else as JSON."""
    data = payload if isinstance(payload, str) else json.dumps(payload)
    return f"data: {data}{newline}{newline}".encode()


def event_stream(payloads: Iterable[object], *, done: bool = True, newline: str = "\n") -> bytes:
    """The body of a stream: one event per payload and, by default, `[DONE]`."""
    events = [*payloads, "[DONE]"] if done else payloads
    return b"".join(event(payload, newline=newline) for payload in events)
