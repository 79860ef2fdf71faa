"""A valid request -> the completion, as one body or as chunks. Pure: the same request, the same completion."""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from qwen_cli.sandbox.request import ApiError, requested_format, text_of
from qwen_cli.sandbox.schema_instance import find

PROMPT_PRICE = Decimal("0.4875")
COMPLETION_PRICE = Decimal("2.925")
"""USD for a million tokens, the prices of the real model."""

CREDITS_PER_USD = 2_000_000

REASONING = "This is a sandbox without a model: it repeats the prompt."
OUTSIDE = '"The sandbox answers outside the format."'
"""An invalid answer: JSON, but neither an object nor a choice."""

Body = dict[str, Any]

_NOW = 1767225600
"""The sandbox's one moment, 2026-01-01T00:00:00Z in Unix seconds."""


def complete(request: Mapping[str, Any], digest: str, fault: str | None = None) -> Body:
    """The body that answers a request that passed `read_request`; `digest` (hexadecimal) names it.

    The faults `length`, `invalid`, `fenced`, `think` and `noformat` are met here. ApiError 400 for a format, or a
    schema, that is not taken.
    """
    whole, function = _answer(request, fault)
    budget = int(request.get("max_tokens", sys.maxsize))
    thoughts = _tokens(REASONING)[:budget]
    tokens = _tokens(whole)[: budget - len(thoughts)]
    if fault == "length":
        tokens = tokens[: (len(tokens) + 1) // 2]
    reasoning, text = "".join(thoughts), "".join(tokens)
    is_cut = fault == "length" or (reasoning, text) != (REASONING, whole)
    finish_reason = "length" if is_cut else "tool_calls" if function else "stop"
    message: Body = {"role": "assistant", "content": text or None, "reasoning_content": reasoning, "refusal": None}
    if function and text:
        called = {"name": function, "arguments": text}
        message["tool_calls"] = [{"id": f"call_{digest[:24]}", "type": "function", "function": called}]
        message["content"] = None
    if fault == "think":
        message["content"] = f"<think>\n{reasoning}\n</think>\n\n{message['content'] or ''}"
        message["reasoning_content"] = None
    prompt_tokens = sum(len(_tokens(text_of(message))) for message in request["messages"])
    completion_tokens = len(thoughts) + len(tokens)
    usage = {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "completion_tokens_details": {"reasoning_tokens": len(thoughts)},
    }
    usd = price(usage)
    return {
        "id": f"chatcmpl-{digest[:32]}",
        "object": "chat.completion",
        "created": _NOW,
        "model": request["model"].removeprefix("alibaba/"),
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason, "logprobs": None}],
        "usage": usage,
        "meta": {"usage": {"credits_used": float(usd * CREDITS_PER_USD), "usd_spent": float(usd)}},
    }


def price(usage: Mapping[str, Any]) -> Decimal:
    """What the tokens cost in USD, exactly."""
    prompt, completion = usage["prompt_tokens"] * PROMPT_PRICE, usage["completion_tokens"] * COMPLETION_PRICE
    return Decimal(prompt + completion) / 1_000_000


def chunks(completion: Body, *, include_usage: bool) -> Iterator[Body]:
    """The same as a stream: role, reasoning, content or a tool call, finish reason, usage if asked for, cost."""
    chunk: Body = {"object": "chat.completion.chunk", "choices": [], "usage": None}
    chunk |= {name: completion[name] for name in ("id", "created", "model")}
    message, finish_reason = completion["choices"][0]["message"], completion["choices"][0]["finish_reason"]

    def delta(finish_reason: str | None = None, **fields: Any) -> Body:
        fields = {"content": None, "reasoning_content": None} | fields
        return chunk | {"choices": [{"index": 0, "delta": fields, "finish_reason": finish_reason, "logprobs": None}]}

    yield delta(role="assistant", refusal=None)
    for field in ("reasoning_content", "content"):
        for token in _tokens(message[field] or ""):
            yield delta(**{field: token})
    for call in message.get("tool_calls", ()):
        yield delta(tool_calls=[{"index": 0} | call | {"function": call["function"] | {"arguments": ""}}])
        for token in _tokens(call["function"]["arguments"]):
            yield delta(tool_calls=[{"index": 0, "function": {"arguments": token}}])
    last = delta(finish_reason, content="")
    if include_usage:
        yield last
        last = chunk | {"usage": completion["usage"]}
    yield last | {"meta": completion["meta"]}


def _tokens(text: str) -> list[str]:
    """The text in pieces: words with the white space before them, long ones in several."""
    return re.findall(r"\s*\S{1,32}|\s+", text)


def _answer(request: Mapping[str, Any], fault: str | None) -> tuple[str, str | None]:
    """What the request asks for, before any limit: the content, or the arguments and name of a function to call."""
    asked = requested_format(request)
    is_json = asked.type in ("json_object", "json_schema")
    if fault == "noformat" and is_json and "response_format" in request:
        raise ApiError(400, f"response_format: {asked.type} is not supported by this model")
    prompt = next((text_of(each) for each in reversed(request["messages"]) if each["role"] == "user"), "")
    if fault == "invalid":
        text = OUTSIDE
    elif asked.schema is not None:
        text = json.dumps(find(asked.schema, asked.field), ensure_ascii=False)
    else:
        text = json.dumps({"prompt": prompt}, ensure_ascii=False) if is_json else prompt
    if fault == "fenced" and is_json:
        text = f"```json\n{text}\n```"
    stop = request.get("stop") or []
    ends = [text.find(sequence) for sequence in ([stop] if isinstance(stop, str) else stop) if sequence]
    return text[: min((end for end in ends if end >= 0), default=len(text))], asked.function
