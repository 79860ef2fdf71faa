"""A valid request -> the completion, as one body or as chunks. Pure: the same request, the same completion."""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import islice
from typing import Any

from qwen_cli.sandbox import schema_instance
from qwen_cli.sandbox.requested_format import parts, requested_format

NOW = 1767225600
"""The sandbox's one moment, 2026-01-01T00:00:00Z in Unix seconds."""

PROMPT_PRICE = Decimal("0.4875")
COMPLETION_PRICE = Decimal("2.925")
"""USD for a million tokens, the prices of the real model."""

CREDITS_PER_USD = 2_000_000

REASONING = "This is a sandbox without a model: it repeats the prompt."
OUTSIDE = "The sandbox answers outside the requested format, as it was asked to."
"""An invalid answer where the format is not a schema, or one that every value fits."""

Body = dict[str, Any]

_IMAGE_TOKENS = 256
_TOKEN = re.compile(r"\s*\S{1,32}|\s+")


def complete(request: Mapping[str, Any], digest: str, fault: str | None = None) -> Body:
    """The body that answers a request that passed `read_request`; `digest` (hexadecimal) names it.

    The faults `length`, `invalid`, `fenced`, `think` and `noformat` are met here. ApiError 400 for a format, or a
    schema, that is not taken.
    """
    whole, function = _answer(request, fault)
    budget = int(min(request.get("max_tokens", sys.maxsize), sys.maxsize))
    reasoning, reasoning_tokens = _cut(REASONING, budget)
    text, text_tokens = _cut(whole, budget - reasoning_tokens)
    if fault == "length":
        text, text_tokens = _cut(text, (text_tokens + 1) // 2)
    is_cut = fault == "length" or (reasoning, text) != (REASONING, whole)
    message: Body = {"role": "assistant", "content": text, "reasoning_content": reasoning, "refusal": None}
    is_call = function is not None and text_tokens > 0
    if is_call:
        called = {"name": function, "arguments": text}
        message["tool_calls"] = [{"id": f"call_{digest[:24]}", "type": "function", "function": called}]
    if is_call or (is_cut and not text):  # reasoning that ate the whole budget leaves no content, not an empty one
        message["content"] = None
    if fault == "think":
        end = "\n</think>\n\n" if reasoning == REASONING else ""
        message |= {"content": f"<think>\n{reasoning}{end}{message['content'] or ''}", "reasoning_content": None}
    prompt_tokens = sum(_prompt_tokens(part) for each in request["messages"] for part in parts(each))
    usage = {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": reasoning_tokens + text_tokens,
        "total_tokens": prompt_tokens + reasoning_tokens + text_tokens,
        "completion_tokens_details": {"reasoning_tokens": reasoning_tokens},
        "prompt_tokens_details": {"cached_tokens": 0},
    }
    usd = price(usage)
    finish_reason = "length" if is_cut else "tool_calls" if is_call else "stop"
    return {
        "id": f"chatcmpl-{digest[:32]}",
        "object": "chat.completion",
        "created": NOW,
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


def _tokens(text: str) -> Iterator[str]:
    """The text in pieces: words with the white space before them, long ones in several."""
    return (match.group() for match in _TOKEN.finditer(text))


def _cut(text: str, max_tokens: int) -> tuple[str, int]:
    """The text cut to `max_tokens`, and the number of its tokens."""
    number = end = 0
    for match in islice(_TOKEN.finditer(text), max_tokens):
        number, end = number + 1, match.end()
    return text[:end], number


def _prompt_tokens(part: Mapping[str, Any]) -> int:
    return _IMAGE_TOKENS if part["type"] == "image_url" else sum(1 for _ in _tokens(part.get("text", "")))


def _prompt(request: Mapping[str, Any]) -> str:
    """The text of the last user message, or the number of its images if there is no text."""
    users = [message for message in request["messages"] if message["role"] == "user"]
    said = parts(users[-1]) if users else []
    texts = [part["text"] for part in said if part["type"] == "text"]
    images = len(said) - len(texts)
    return f"({images} image{'s' if images > 1 else ''})" if images and not any(texts) else "\n\n".join(texts)


def _answer(request: Mapping[str, Any], fault: str | None) -> tuple[str, str | None]:
    """What the request asks for, before any limit: the content, or the arguments and name of a function to call."""
    asked = requested_format(request, is_refused=fault == "noformat")
    choice = request.get("tool_choice")
    for index, function in enumerate(tool["function"] for tool in request.get("tools", ())):
        if choice == "required" or (isinstance(choice, dict) and choice["function"]["name"] == function["name"]):
            field = f"tools.{index}.function.parameters"
            return _json_for(function["parameters"], field, fault), function["name"]
    if asked.schema is not None:
        text = _json_for(asked.schema, asked.field, fault)
    elif fault == "invalid":
        text = OUTSIDE
    elif asked.type == "text":
        text = _prompt(request)
    else:
        text = json.dumps({"prompt": _prompt(request)}, ensure_ascii=False)
    if fault == "fenced" and asked.type != "text":
        text = f"```json\n{text}\n```"
    stop = request.get("stop") or []
    ends = [text.find(sequence) for sequence in ([stop] if isinstance(stop, str) else stop) if sequence]
    return text[: min((end for end in ends if end >= 0), default=len(text))], None


def _json_for(schema: Any, field: str, fault: str | None) -> str:
    instance, misfit = schema_instance.find(schema, field)
    if fault == "invalid" and misfit is None:
        return OUTSIDE
    return json.dumps(misfit if fault == "invalid" else instance, ensure_ascii=False)
