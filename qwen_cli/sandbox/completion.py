"""A valid request -> the completion, as one body or as chunks; a pure function of the request."""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any

from qwen_cli.sandbox.isolation import instance_and_misfits

NOW = 1767225600
"""The sandbox's one moment, 2026-01-01T00:00:00Z in Unix seconds, so that the same request has the same answer."""

_CREDITS_PER_USD = 2_000_000
PROMPT_PRICE = Decimal("0.4875")
COMPLETION_PRICE = Decimal("2.925")
"""USD for a million tokens, the prices of the real model."""

OUTSIDE = "The sandbox answers outside the requested format, as it was asked to."
"""The text of an invalid answer if the format is not a schema, or one that every value fits."""

REASONING = "This is a sandbox without a model: it repeats the prompt."

_IMAGE_TOKENS = 256
_TOKEN = re.compile(r"\s*\S{1,32}|\s+")


@dataclass(frozen=True, slots=True)
class Completion:
    """The one choice of an answer. `text` is the content or, where `function` names one, the arguments of its call."""

    id: str
    model: str
    reasoning: str
    text: str
    function: str | None
    finish_reason: str
    prompt_tokens: int
    reasoning_tokens: int
    text_tokens: int
    top_logprobs: int | None

    @property
    def completion_tokens(self) -> int:
        """Includes reasoning, which is billed as well."""
        return self.reasoning_tokens + self.text_tokens

    @property
    def usd(self) -> Decimal:
        """What the completion costs, exactly."""
        return (self.prompt_tokens * PROMPT_PRICE + self.completion_tokens * COMPLETION_PRICE) / 1_000_000

    @property
    def credits_used(self) -> Decimal:
        return self.usd * _CREDITS_PER_USD


def tokens(text: str) -> Iterator[str]:
    """The text in pieces: words with the white space before them, long ones in several."""
    return (match.group() for match in _TOKEN.finditer(text))


def _cut(text: str, max_tokens: int) -> tuple[str, int]:
    """The text cut to `max_tokens`, and the number of its tokens."""
    number = end = 0
    for match in islice(_TOKEN.finditer(text), max_tokens):
        number, end = number + 1, match.end()
    return text[:end], number


def complete(request: Mapping[str, Any], digest: str, fault: str | None = None) -> Completion:
    """Answer a request that passed `parse_request`; `digest` (hexadecimal) names it.

    The fault `length` ends the answer half-way, and `invalid` makes it one that does not fit the requested format.
    """
    whole, function = _answer(request, invalid=fault == "invalid")
    budget = int(min(request.get("max_tokens", sys.maxsize), sys.maxsize))
    reasoning, reasoning_tokens = _cut(REASONING, budget)
    text, text_tokens = _cut(whole, budget - reasoning_tokens)
    if fault == "length":
        text, text_tokens = _cut(text, (text_tokens + 1) // 2)
    is_cut = fault == "length" or (reasoning, text) != (REASONING, whole)
    called = function if text_tokens else None
    top_logprobs = int(request.get("top_logprobs") or 0) if request.get("logprobs") else None
    return Completion(
        id=f"chatcmpl-{digest[:32]}",
        model=request["model"].removeprefix("alibaba/"),
        reasoning=reasoning,
        text=text,
        function=called,
        finish_reason="length" if is_cut else "tool_calls" if called else "stop",
        prompt_tokens=sum(_prompt_tokens(message) for message in request["messages"]),
        reasoning_tokens=reasoning_tokens,
        text_tokens=text_tokens,
        top_logprobs=top_logprobs,
    )


def _parts(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A message's content as a list of parts, whichever form it has."""
    content = message.get("content") or []
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _prompt_tokens(message: Mapping[str, Any]) -> int:
    """The tokens of a message; an image has a fixed number of them."""
    return sum(
        _IMAGE_TOKENS if part["type"] == "image_url" else sum(1 for _ in tokens(part.get("text", "")))
        for part in _parts(message)
    )


def _prompt(request: Mapping[str, Any]) -> str:
    """The text of the last user message, or the number of its images if there is no text."""
    users = [message for message in request["messages"] if message["role"] == "user"]
    parts = _parts(users[-1]) if users else []
    texts = [part["text"] for part in parts if part["type"] == "text"]
    images = sum(part["type"] == "image_url" for part in parts)
    if images and not any(texts):
        return f"({images} image{'s' if images > 1 else ''})"
    return "\n\n".join(texts)


def _answer(request: Mapping[str, Any], *, invalid: bool) -> tuple[str, str | None]:
    """What the request asks for, before any limit: the content, or the arguments and name of a function to call."""
    function = _called(request)
    if function:
        name, parameters, field = function
        return _json_for(parameters, field, invalid=invalid), name
    response_format = request.get("response_format", {"type": "text"})
    schema = response_format.get("json_schema", {}).get("schema")
    if schema is not None:
        text = _json_for(schema, "response_format.json_schema.schema", invalid=invalid)
    elif invalid:
        text = OUTSIDE
    elif response_format["type"] == "text":
        text = _prompt(request)
    else:
        text = json.dumps({"prompt": _prompt(request)}, ensure_ascii=False)
    stop = request.get("stop") or []
    ends = [text.find(sequence) for sequence in ([stop] if isinstance(stop, str) else stop) if sequence]
    return text[: min((end for end in ends if end >= 0), default=len(text))], None


def _json_for(schema: dict[str, Any], field: str, *, invalid: bool) -> str:
    instance, misfits = instance_and_misfits(schema, field)
    values = misfits if invalid else [instance]
    return json.dumps(values[0], ensure_ascii=False) if values else OUTSIDE


def _called(request: Mapping[str, Any]) -> tuple[str, dict[str, Any], str] | None:
    """Name, parameters and the parameters' field, of the function that `tool_choice` demands; None for no call."""
    choice = request.get("tool_choice", "auto")
    for index, tool in enumerate(request.get("tools", ())):
        function = tool["function"]
        if choice == "required" or (isinstance(choice, dict) and choice["function"]["name"] == function["name"]):
            return function["name"], function["parameters"], f"tools.{index}.function.parameters"
    return None


def usage(completion: Completion) -> dict[str, Any]:
    """The `usage` object: tokens."""
    return {
        "prompt_tokens": completion.prompt_tokens,
        "completion_tokens": completion.completion_tokens,
        "total_tokens": completion.prompt_tokens + completion.completion_tokens,
        "completion_tokens_details": {"reasoning_tokens": completion.reasoning_tokens},
        "prompt_tokens_details": {"cached_tokens": 0},
    }


def meta(completion: Completion) -> dict[str, Any]:
    """The `meta` object: what it cost, in credits and in USD."""
    return {"usage": {"credits_used": float(completion.credits_used), "usd_spent": float(completion.usd)}}


def _logprobs(completion: Completion, pieces: Iterator[str]) -> dict[str, Any] | None:
    """Log probabilities of repeated text: every token is certain."""
    if completion.top_logprobs is None or completion.function:
        return None
    certain = ({"token": piece, "bytes": list(piece.encode(errors="replace")), "logprob": 0.0} for piece in pieces)
    content = [{**token, "top_logprobs": [token][: completion.top_logprobs]} for token in certain]
    return {"content": content, "refusal": []}


def _body(completion: Completion, kind: str, **fields: Any) -> dict[str, Any]:
    return {"id": completion.id, "object": kind, "created": NOW, "model": completion.model, **fields}


def _call(completion: Completion, arguments: str) -> dict[str, Any]:
    function = {"name": completion.function, "arguments": arguments}
    return {"id": completion.id.replace("chatcmpl-", "call_")[:29], "type": "function", "function": function}


def response(completion: Completion) -> dict[str, Any]:
    """The body of a response that is not streamed."""
    # Reasoning that ate the whole budget leaves no content, not an empty one.
    starved = completion.finish_reason == "length" and not completion.text
    message = {
        "role": "assistant",
        "content": None if completion.function or starved else completion.text,
        "reasoning_content": completion.reasoning,
        "refusal": None,
    } | ({"tool_calls": [_call(completion, completion.text)]} if completion.function else {})
    choice = {
        "index": 0,
        "message": message,
        "finish_reason": completion.finish_reason,
        "logprobs": _logprobs(completion, tokens(completion.text)),
    }
    return _body(completion, "chat.completion", choices=[choice], usage=usage(completion), meta=meta(completion))


def chunks(completion: Completion, *, include_usage: bool) -> Iterator[dict[str, Any]]:
    """The chunks of a streamed answer: role, reasoning, content or a tool call, finish reason, usage if asked for."""
    chunk = _body(completion, "chat.completion.chunk", choices=[], usage=None)

    def delta(finish_reason: str | None = None, logprobs: Any = None, **fields: Any) -> dict[str, Any]:
        fields = {"content": None, "reasoning_content": None} | fields
        choice = {"index": 0, "delta": fields, "finish_reason": finish_reason, "logprobs": logprobs}
        return chunk | {"choices": [choice]}

    yield delta(role="assistant", refusal=None, reasoning_content="")
    for piece in tokens(completion.reasoning):
        yield delta(reasoning_content=piece)
    if completion.function:
        yield delta(tool_calls=[{"index": 0} | _call(completion, "")])
    for piece in tokens(completion.text):
        if completion.function:
            yield delta(tool_calls=[{"index": 0, "function": {"arguments": piece}}])
        else:
            yield delta(content=piece, logprobs=_logprobs(completion, iter([piece])))
    last = delta(completion.finish_reason, content="")
    if include_usage:
        yield last
        last = chunk | {"usage": usage(completion)}
    yield last | {"meta": meta(completion)}


def half(completion: Completion) -> int:
    """How many chunks there are up to the middle of the content."""
    role_and_call = 1 + bool(completion.function)
    return role_and_call + completion.reasoning_tokens + (completion.text_tokens + 1) // 2
