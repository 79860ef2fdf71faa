"""How figures are printed: in lines, in JSON, in a note. No I/O."""

import json
from collections.abc import Mapping
from decimal import Decimal
from math import isfinite
from typing import Any

from qwen_cli.cost.usage import Figures
from qwen_cli.text import one_line, visible_json


def plain(figure: Decimal | None) -> str:
    """A decimal without an exponent; `-` for an unknown figure."""
    if figure is None:
        return "-"
    text = f"{figure:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def usage_line(values: Figures, *, cached: bool = False) -> str:
    """Tokens and USD in one line; an answer from the cache cost nothing."""
    known = {name: plain(figure) for name, figure in values.items()}
    return (
        f"{known['prompt_tokens']} prompt + {known['completion_tokens']} completion"
        f" ({known['reasoning_tokens']} reasoning) = {known['total_tokens']} tokens, "
        + ("cached, 0 USD" if cached else f"{known['usd_spent']} USD")
    )


def lines(values: Mapping[str, Any], *, aligned: bool = False) -> str:
    """`name<TAB>value` lines, `name:model<TAB>value` for the figures of one model; in columns if `aligned`."""
    flat = {name: value for name, value in values.items() if name != "models"}
    for row in values.get("models", ()):
        flat |= {f"{name}:{row['model']}": value for name, value in row.items() if name != "model"}
    shown = {
        one_line(name): one_line(value) if isinstance(value, str) else plain(value) for name, value in flat.items()
    }
    width = max(map(len, shown))
    return "".join(f"{name:{width}}  {value}\n" if aligned else f"{name}\t{value}\n" for name, value in shown.items())


def as_json(values: Any) -> str:
    """JSON on one line: null for an unknown figure or one that JSON cannot hold, decimals without an exponent."""
    return visible_json(_to_json(values)) + "\n"


def _to_json(value: Any) -> str:
    # `map`, because a generator would take a second frame of the stack for each level of what a server has nested.
    if isinstance(value, Mapping):
        return "{" + ",".join(map("{}:{}".format, map(json.dumps, value), map(_to_json, value.values()))) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_to_json, value)) + "]"
    if isinstance(value, float) and not isfinite(value):
        return "null"
    return plain(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)
