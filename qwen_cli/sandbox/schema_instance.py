"""A small instance of a JSON Schema, and a value that is not one: the sandbox's answers where JSON is requested.

The instance is built from the common keywords of draft 2020-12, and the validator confirms it. References are replaced
by what they name first, within limits: what is left is a tree, and no schema can keep the validator busy.
"""

import math
from contextlib import suppress
from typing import Any

from jsonschema_rs import Draft202012Validator, RegexOptions, ValidationError

from qwen_cli.sandbox.refusals import ApiError

_DEPTHS = (0, 1, 2, 4, 8)
"""References within references; few first, so that a schema that contains itself has a small instance."""

_MAX_STEPS = 30_000
"""Values in the tree, values and characters in the instance: about a second of work at most."""

_STEPS_OF_A_PATTERN = 500
_SMALL_PATTERNS = RegexOptions(size_limit=1 << 20)

_UNSUPPORTED = {"$dynamicRef", "patternProperties", "unevaluatedItems", "unevaluatedProperties"}
_FORMATS = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "email": "a@example.org",
    "uri": "https://example.org/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_MISFITS: tuple[Any, ...] = ({}, [], "invalid")


def find(schema: Any, field: str = "schema") -> tuple[Any, Any]:
    """A valid value, an object if any type is allowed; and one that is not valid, None if there is none.

    An ApiError 400 that names the field if it is not a schema, or if the common keywords do not lead to an instance.
    """
    reason = ""
    try:
        for depth in _DEPTHS:
            try:
                return _Attempt(schema).make(depth)
            except LookupError as dead_end:
                reason = str(dead_end)
    except ValidationError as error:
        place = ".".join(map(str, [field, *error.instance_path]))
        raise ApiError(400, f"{place}: {error.message[:300]}") from None
    except (ArithmeticError, ValueError, RecursionError, _TooMuchWork):
        reason = "it, or a number in it, is too large, or it is nested too deeply"
    raise ApiError(400, f"{field}: the sandbox makes no instance of this schema: {reason}")


class _TooMuchWork(Exception):
    """The end of all attempts."""


class _Attempt:
    """A LookupError in it is a dead end."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._steps = _MAX_STEPS

    def make(self, depth: int) -> tuple[Any, Any]:
        # Draft 7 keeps its definitions beside the keywords.
        top = self._root if isinstance(self._root, bool) else {**self._root, "definitions": {}}
        tree = self._tree(top, depth)
        validator = Draft202012Validator(tree, validate_formats=True, pattern_options=_SMALL_PATTERNS)
        instance = self._build(tree, "object")
        if not validator.is_valid(instance):
            raise LookupError("what it tried does not fit")
        return instance, next((value for value in _MISFITS if not validator.is_valid(value)), None)

    def _spend(self, steps: int) -> None:
        self._steps -= steps
        if self._steps < 0:
            raise _TooMuchWork

    def _tree(self, node: Any, depth: int) -> Any:
        """The schema with what a reference names in its place, or False, which nothing fits, where that is too deep."""
        self._spend(1)
        if isinstance(node, list):
            return [self._tree(each, depth) for each in node]
        if not isinstance(node, dict):
            return node
        if unsupported := _UNSUPPORTED & node.keys():
            raise LookupError(f"it does not know {min(unsupported)}")
        self._spend(_STEPS_OF_A_PATTERN if "pattern" in node else 0)
        tree = {name: self._tree(value, depth) for name, value in node.items() if not _is_elsewhere(name, value)}
        if isinstance(node.get("$ref"), str):
            return {"allOf": [tree, self._tree(self._named(node["$ref"]), depth - 1) if depth else False]}
        return tree

    def _named(self, reference: str) -> Any:
        part: Any = {"#": self._root}
        for step in reference.split("/"):
            part = part.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(part, dict) else None
        if not isinstance(part, dict | bool):
            raise LookupError(f"it has no {reference[:100]}, and nothing is fetched")
        return part

    def _build(self, schema: Any, default: str = "null") -> Any:
        """A value for this part of the tree; `default` is its type if the schema allows any."""
        flat = self._flatten(schema)
        branches = flat.pop("anyOf", None) or flat.pop("oneOf", [])
        for branch in branches:
            with suppress(LookupError):
                return self._build(flat | {"allOf": [branch]}, default)
        if branches:
            raise LookupError("none of its alternatives can be met")
        if values := [flat["const"]] if "const" in flat else flat.get("enum"):
            self._spend(len(str(values[0])))
            return values[0]
        kinds = flat.get("type", "object" if flat.get("properties") else default)
        return self._of_type(kinds if isinstance(kinds, str) else kinds[0], flat)

    def _of_type(self, kind: str, flat: dict[str, Any]) -> Any:
        match kind:
            case "object":
                members, others = flat.get("properties", {}), flat.get("additionalProperties", True)
                return {name: self._build(members.get(name, others)) for name in flat.get("required", ())}
            case "array":
                return [self._build(flat.get("items", True)) for _ in range(int(flat.get("minItems", 0)))]
            case "string":
                length = int(flat.get("minLength", "pattern" in flat))
                self._spend(length)
                return _FORMATS.get(flat.get("format", ""), "a" * length)
            case "number" | "integer":
                return _number(flat)
            case _:
                return False if kind == "boolean" else None

    def _flatten(self, schema: Any) -> dict[str, Any]:
        """The schema with what its `allOf` adds to it."""
        if schema is False:
            raise LookupError("it allows nothing, or has no end")
        flat: dict[str, Any] = {} if schema is True else dict(schema)
        for part in flat.pop("allOf", ()):
            more = self._flatten(part)
            more["properties"] = flat.get("properties", {}) | more.get("properties", {})
            more["required"] = [*flat.get("required", ()), *more.get("required", ())]
            self._spend(len(more["properties"]) + len(more["required"]))
            flat |= more
        self._spend(1)
        return flat


def _is_elsewhere(name: str, value: Any) -> bool:
    """Whether it is a definition, or a keyword such as `$id`, rather than a property of that name."""
    return name == "$defs" or (name.startswith("$") and isinstance(value, str))


def _number(flat: dict[str, Any]) -> Any:
    """Zero, or a number near the bounds or between them."""
    excluded = (flat.get("exclusiveMinimum", -math.inf), flat.get("exclusiveMaximum", math.inf))
    low, high = max(flat.get("minimum", -math.inf), excluded[0]), min(flat.get("maximum", math.inf), excluded[1])
    step, bounds = flat.get("multipleOf", 1), [bound for bound in (low, high) if math.isfinite(bound)]
    near = [(math.floor(bound / step) + more) * step for bound in bounds for more in (0, 1, -1)]
    fitting = [number for number in (0, *near) if low <= number <= high and number not in excluded]
    return [*fitting, sum(bounds) / 2][0]
