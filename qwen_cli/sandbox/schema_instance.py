"""A small instance of a JSON Schema: the sandbox's answer where JSON is requested.

It is built from the common keywords of draft 2020-12, and the validator confirms it. References are replaced by what
they name first, within limits: what is left is a tree, and no schema can keep the validator busy.
"""

import math
from contextlib import suppress
from typing import Any

from jsonschema_rs import Draft202012Validator, FancyRegexOptions

from qwen_cli.sandbox.request import ApiError

_DEPTHS = (0, 1, 2, 4, 8)
"""References within references; few first, so that a schema that contains itself has a small instance."""

_MAX_STEPS = 30_000
"""Values in the tree, values and characters in the instance: a few seconds of work at most."""

_PATTERNS = FancyRegexOptions(backtrack_limit=1000, size_limit=1 << 16)
_UNSUPPORTED = {"$dynamicRef", "unevaluatedItems", "unevaluatedProperties"}
_FORMATS = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "email": "a@example.org",
    "uri": "https://example.org/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def find(schema: dict[str, Any], field: str = "schema") -> Any:
    """A valid value, an object if any type is allowed.

    An ApiError 400 that names the field if it is not a schema, or if the common keywords do not lead to an instance.
    """
    reason = "the common keywords lead to none"
    search = _Search(schema)
    try:
        for depth in _DEPTHS:
            with suppress(LookupError):
                return search.find(depth)
    except (ArithmeticError, ValueError, RecursionError) as error:
        reason = str(error).partition("\n")[0][:300]
    raise ApiError(400, f"{field}: the sandbox makes no instance of this schema: {reason}")


class _Search:
    """A LookupError in it is a dead end, a ValueError the end of all."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._steps = _MAX_STEPS

    def find(self, depth: int) -> Any:
        tree = self._tree({**self._root, "$defs": {}, "definitions": {}}, depth)
        validator = Draft202012Validator(tree, validate_formats=True, pattern_options=_PATTERNS)
        instance = self._build(tree)
        if not validator.is_valid(instance):
            raise LookupError
        return instance

    def _spend(self, steps: int = 1) -> None:
        self._steps -= steps
        if self._steps < 0:
            raise ValueError("it is too large")

    def _tree(self, node: Any, depth: int) -> Any:
        """The schema with what a reference names in its place, or False, which nothing fits, where that is too deep."""
        self._spend()
        if isinstance(node, list):
            return [self._tree(each, depth) for each in node]
        if not isinstance(node, dict):
            return node
        if unsupported := _UNSUPPORTED & node.keys():
            raise ValueError(f"it uses {min(unsupported)}")
        # A string is the value of a keyword such as `$id`, anything else belongs to a property of that name.
        kept = {name: each for name, each in node.items() if not (name.startswith("$") and isinstance(each, str))}
        tree = {name: self._tree(each, depth) for name, each in kept.items()}
        if isinstance(node.get("$ref"), str):
            return {"allOf": [tree, self._tree(self._named(node["$ref"]), depth - 1) if depth else False]}
        return tree

    def _named(self, reference: str) -> Any:
        part: Any = {"#": self._root}
        for step in reference.split("/"):
            part = part.get(step) if isinstance(part, dict) else None
        if not isinstance(part, dict | bool):
            raise ValueError(f"it has no {reference[:100]}, and nothing is fetched")
        return part

    def _build(self, schema: Any) -> Any:
        """A value for this part of the tree."""
        flat = self._flatten(schema)
        branches = flat.pop("anyOf", None) or flat.pop("oneOf", [])
        for branch in branches:
            with suppress(LookupError):
                return self._build(flat | {"allOf": [branch]})
        if branches:
            raise LookupError
        if values := [flat["const"]] if "const" in flat else flat.get("enum"):
            self._spend(len(str(values[0])))
            return values[0]
        kinds = flat.get("type", "object")
        return self._of_type(kinds if isinstance(kinds, str) else kinds[0], flat)

    def _of_type(self, kind: str, flat: dict[str, Any]) -> Any:
        match kind:
            case "object":
                members = flat.get("properties", {})
                return {name: self._build(members.get(name, True)) for name in flat.get("required", ())}
            case "array":
                return [self._build(flat.get("items", True)) for _ in range(int(flat.get("minItems", 0)))]
            case "string":
                length = int(flat.get("minLength", 1 if "pattern" in flat else 0))
                self._spend(length)
                return _FORMATS.get(flat.get("format", ""), "a" * length)
            case "number" | "integer":
                return _number(flat)
            case _:
                return False if kind == "boolean" else None

    def _flatten(self, schema: Any) -> dict[str, Any]:
        """The schema with what its `allOf` adds to it."""
        if schema is False:
            raise LookupError
        flat: dict[str, Any] = {} if schema is True else dict(schema)
        self._spend(1 + len(flat.get("properties", ())) + len(flat.get("required", ())))
        for part in flat.pop("allOf", ()):
            more = self._flatten(part)
            more["properties"] = flat.get("properties", {}) | more.get("properties", {})
            more["required"] = [*flat.get("required", ()), *more.get("required", ())]
            flat |= more
        return flat


def _number(flat: dict[str, Any]) -> Any:
    """The number nearest to zero within the bounds, or the middle of bounds that are less than 1 apart."""
    low = max(flat.get("minimum", -math.inf), flat.get("exclusiveMinimum", -math.inf) + 1)
    high = min(flat.get("maximum", math.inf), flat.get("exclusiveMaximum", math.inf) - 1)
    return min(max(0, low), high) if low <= high else (low + high) / 2
