"""The server's list of models: ids, prices and context lengths. No I/O."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import ROUND_CEILING, Decimal, localcontext
from typing import Any, Final, NamedTuple

from qwen_cli.answer.members import JsonObject, kind_of, parse_object
from qwen_cli.answer.server_errors import error_in
from qwen_cli.cost.figures import plain
from qwen_cli.cost.usage import figure_of
from qwen_cli.errors import ProtocolError
from qwen_cli.text import one_line

_MILLION = 1_000_000


class Model(NamedTuple):
    """A model. Prices are USD per million tokens, the highest where there are several; None for what is not said."""

    id: str
    aliases: Sequence[str]
    input_price: Decimal | None
    output_price: Decimal | None
    context_tokens: Decimal | None
    output_tokens: Decimal | None


def read_models(body: bytes) -> list[Model]:
    """The body of `GET /v1/models` -> the models, in its order; ProtocolError if it is no list of models.

    Some servers send the array alone, and some an error with the status 200, which is raised.
    """
    data = _array(body)
    models = [_model(each) for each in data if isinstance(each, dict) and isinstance(each.get("id"), str)]
    if data and not models:
        raise ProtocolError("the list of models has no model with an id")
    return models


def _array(body: bytes) -> list[Any]:
    if body.lstrip().startswith(b"["):
        body = b'{"data":' + body + b"}"
    document = parse_object(body, "the list of models")
    data = document.get("data")
    if not isinstance(data, list):
        message = f"the list of models has no array 'data' but {kind_of(data)}"
        raise error_in(document, "the server sent an error") or ProtocolError(message)
    return data


def with_texts(models: Iterable[Model], texts: Collection[str]) -> list[Model]:
    """Those whose id contains each of the texts, in any case, sorted."""
    wanted = [text.casefold() for text in texts]
    found = (model for model in models if all(text in model.id.casefold() for text in wanted))
    return sorted(found, key=lambda model: model.id)


_HEADING: Final = ("MODEL", "USD/M IN", "USD/M OUT", "CONTEXT")


def lines(models: Iterable[Model], *, aligned: bool) -> str:
    """`id<TAB>price of input<TAB>price of output<TAB>context length`; in columns with a heading if `aligned`."""
    rows = [
        (one_line(model.id), plain(model.input_price), plain(model.output_price), plain(model.context_tokens))
        for model in models
    ]
    if not aligned or not rows:
        return "".join("\t".join(row) + "\n" for row in rows)
    rows = [_HEADING, *rows]
    width, *widths = (max(map(len, column)) for column in zip(*rows, strict=True))
    return "".join("  ".join([name.ljust(width), *map(str.rjust, figures, widths)]) + "\n" for name, *figures in rows)


def find_model(models: Iterable[Model], name: str) -> Model | None:
    """The model of that id or alias; servers that ignore `id` in the query list all of theirs."""
    found = list(models)
    named = [each for each in found if each.id == name]
    return next(iter(named or [each for each in found if name in each.aliases]), None)


def _model(entry: JsonObject) -> Model:
    aliases = entry.get("aliases")
    sources = [each for each in (entry.get("info"), entry, entry.get("meta")) if isinstance(each, dict)]
    return Model(
        id=entry["id"],
        aliases=[each for each in aliases if isinstance(each, str)] if isinstance(aliases, list) else [],
        input_price=_price(entry.get("pricing"), "input"),
        output_price=_price(entry.get("pricing"), "output"),
        context_tokens=_first(sources, _CONTEXT_LENGTHS),
        output_tokens=_first(sources, ("outputMax", "max_output_tokens")),
    )


_CONTEXT_LENGTHS: Final = (
    *("contextLength", "context_length", "max_context_length", "context_window", "max_model_len"),
    *("n_ctx", "n_ctx_train"),
)


def _first(sources: Iterable[Mapping[str, Any]], names: Iterable[str]) -> Decimal | None:
    return next(filter(None, (figure_of(source, name) for source in sources for name in names)), None)


def _price(pricing: Any, measure: str) -> Decimal | None:
    """USD per million tokens, where the server names a fixed price: by its units, or as text for one token."""
    if not isinstance(pricing, dict) or pricing.get("currency", "USD") != "USD":
        return None
    if "kind" not in pricing:
        each = pricing.get({"input": "prompt", "output": "completion"}[measure])
        return Decimal(each) * _MILLION if isinstance(each, str) and re.fullmatch(r"\d*\.?\d+", each) else None
    if pricing["kind"] != "fixed":
        return None
    units = pricing.get("units")
    prices = []
    for unit in units if isinstance(units, list) else ():
        if not isinstance(unit, dict) or unit.get("measure") not in ("input", "output"):
            return None
        price, per = figure_of(unit, "price"), figure_of(unit, "per")
        if price is None or not per:
            return None
        if unit["measure"] == measure:
            with localcontext(rounding=ROUND_CEILING):
                prices.append(price * _MILLION / per)
    return max(prices, default=None)
