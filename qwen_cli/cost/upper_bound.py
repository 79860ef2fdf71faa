"""What a request costs at most, before it is sent: an upper bound, not a forecast. No I/O."""

import json
import unicodedata
from collections.abc import Iterator, Mapping
from decimal import ROUND_CEILING, Decimal, localcontext
from typing import Any, Final

from qwen_cli.answer.members import JsonObject, as_object, member, parse_object
from qwen_cli.cost.figures import Figures
from qwen_cli.cost.usage import figure_of

_PER_MESSAGE: Final = 32
"""Tokens at most that a chat template adds to a message, and before the answer; usually about five."""

_PER_FORMAT: Final = 1024
"""Tokens at most with which a chat template explains tools or a format; usually about three hundred."""

_PLACE: Final = "the list of models"


def estimate(body: Mapping[str, Any], models: bytes) -> tuple[Figures, list[str]]:
    """The bounds for a request, and a note on each thing that they leave out; `models` is the body of `GET /v1/models`.

    A byte-level tokenizer, such as this model's, makes no more tokens of a text than it has bytes in UTF-8.
    """
    name = body["model"]
    model = _find_model(parse_object(models, _PLACE), name)
    prompt = Decimal(_prompt_tokens(body))
    completion = _completion_tokens(body, model or {})
    prices = None if model is None else _prices(model)
    notes = [] if not _has_images(body) else ["images are not counted, and cost extra"]
    if body.get("prediction") is not None:
        notes.append("rejected tokens of the prediction are not counted, and may be billed")
    if model is None:
        notes.append(f"{name} is not in the server's list of models")
    elif prices is None:
        notes.append(f"the server names no fixed price in USD for {name}")
    if completion is None:
        notes.append(f"the server names no limit to the answers of {name}: give --max-tokens")
    usd = None
    if prices is not None and completion is not None:
        with localcontext(rounding=ROUND_CEILING):
            usd = prompt * prices["input"] + completion * prices["output"]
    values = {"prompt_tokens_at_most": prompt, "completion_tokens_at_most": completion, "usd_at_most": usd}
    return values, notes


def _prompt_tokens(body: Mapping[str, Any]) -> int:
    around = _PER_MESSAGE * (len(body["messages"]) + 1)
    texts = sum(_bytes(text) for message in body["messages"] for text in _texts(message))
    # Templates write JSON in any layout, and may escape what is not ASCII.
    formats = [body[name] for name in ("tools", "response_format") if body.get(name) is not None]
    return around + texts + sum(_PER_FORMAT + len(json.dumps(each)) for each in formats)


def _bytes(text: str) -> int:
    """Length in UTF-8; tokenizers compose characters first (NFC), which makes some longer."""
    return max(len(form.encode()) for form in (text, unicodedata.normalize("NFC", text)))


def _texts(value: Any) -> Iterator[str]:
    """Every text of a message; images are left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            if name not in ("role", "type", "image_url"):
                yield from _texts(each)


def _has_images(body: Mapping[str, Any]) -> bool:
    contents = [message.get("content") for message in body["messages"]]
    return any("image_url" in part for content in contents if isinstance(content, list) for part in content)


def _completion_tokens(body: Mapping[str, Any], model: JsonObject) -> Decimal | None:
    """The limit of the request, otherwise the model's."""
    info = member(model, "info", dict, _PLACE) or {}
    return figure_of(body, "max_tokens") or figure_of(info, "outputMax") or figure_of(info, "contextLength")


def _find_model(response: JsonObject, name: str) -> JsonObject | None:
    """The model of that id or alias; servers that ignore `id` list all of theirs."""
    found = [as_object(each, _PLACE) for each in member(response, "data", list, _PLACE) or ()]
    named = [each for each in found if each.get("id") == name]
    return next(iter(named or [each for each in found if name in (member(each, "aliases", list, _PLACE) or ())]), None)


def _prices(model: JsonObject) -> Mapping[str, Decimal] | None:
    """The highest price of a token of input and of output, in USD; None if it is not fixed."""
    pricing = member(model, "pricing", dict, _PLACE) or {}
    if pricing.get("kind") != "fixed" or pricing.get("currency", "USD") != "USD":
        return None
    prices: dict[str, Decimal] = {}
    for each in member(pricing, "units", list, _PLACE) or ():
        unit = as_object(each, _PLACE)
        price, per, measure = figure_of(unit, "price"), figure_of(unit, "per"), unit.get("measure")
        if price is None or not per or measure not in ("input", "output"):
            return None
        with localcontext(rounding=ROUND_CEILING):
            prices[measure] = max(prices.get(measure, Decimal(0)), price / per)
    return prices if {"input", "output"} <= prices.keys() else None
