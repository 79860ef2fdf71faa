"""What a request costs at most, before it is sent: an upper bound, not a forecast. No I/O."""

import json
import unicodedata
from collections.abc import Iterator, Mapping
from decimal import ROUND_CEILING, Decimal, localcontext
from typing import Any, Final

from qwen_cli.cost.model_list import Model, find_model, read_models
from qwen_cli.cost.usage import Figures, figure_of

_PER_MESSAGE: Final = 32
"""Tokens at most that a chat template adds to a message, and before the answer; usually about five."""

_PER_FORMAT: Final = 1024
"""Tokens at most with which a chat template explains tools or a format; usually about three hundred."""


def estimate(body: Mapping[str, Any], models: bytes) -> tuple[Figures, list[str]]:
    """The bounds for a request, and a note on each thing that they leave out; `models` is the body of `GET /v1/models`.

    A byte-level tokenizer, such as this model's, makes no more tokens of a text than it has bytes in UTF-8.
    """
    name = body["model"]
    model = find_model(read_models(models), name)
    prompt = Decimal(_prompt_tokens(body))
    completion = _completion_tokens(body, model)
    notes = [] if not _has_images(body) else ["images are not counted, and cost extra"]
    if body.get("prediction") is not None:
        notes.append("rejected tokens of the prediction are not counted, and may be billed")
    if model is None:
        notes.append(f"{name} is not in the server's list of models")
    elif model.input_price is None or model.output_price is None:
        notes.append(f"the server names no fixed price in USD for {name}")
    if completion is None:
        notes.append(f"the server names no limit to the answers of {name}: give --max-tokens")
    usd = None
    if model and model.input_price is not None and model.output_price is not None and completion is not None:
        with localcontext(rounding=ROUND_CEILING):
            usd = (prompt * model.input_price + completion * model.output_price) / 1_000_000
    return {"prompt_tokens_at_most": prompt, "completion_tokens_at_most": completion, "usd_at_most": usd}, notes


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


def _completion_tokens(body: Mapping[str, Any], model: Model | None) -> Decimal | None:
    """The limit of the request, otherwise the model's."""
    limit = figure_of(body, "max_tokens")
    return limit or (model and (model.output_tokens or model.context_tokens))
