"""A small instance of a JSON Schema, and a value that is not one: the sandbox's answers when JSON is requested.

The instance is built from the common keywords, and the validator confirms it. Runs as a process of its own, because
validation can take any amount of work: reads the schema from standard input and writes both values, or what is wrong
with the schema, to standard output as JSON. Fails if it finds no instance within one second and one gigabyte.
"""

import json
import math
import resource
import sys
from contextlib import suppress
from itertools import product
from typing import Any

from jsonschema_rs import ValidationError, validator_for

DEPTHS = (3, 6, 12, 24)
"""Shallow ones first, so that a schema that contains itself comes to an end."""
LONGEST = 10_000
"""Characters or items; a schema that asks for more is not met."""
FORMATS = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "email": "a@example.org",
    "uri": "https://example.org/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_IMPLIED_TYPES = {"properties": "object", "required": "object", "items": "array", "minLength": "string"}
_MISFITS: tuple[Any, ...] = ({}, [], "invalid")
_DEAD_END = (ArithmeticError, LookupError, TypeError, ValueError)


def find(schema: Any) -> tuple[Any, list[Any]]:
    """A valid value, an object if the schema allows any type, and a list of one invalid value, or of none.

    ValidationError if it is not a schema, LookupError if the common keywords did not lead to an instance.
    """
    # Nothing is fetched.
    validator = validator_for(schema, validate_formats=True, retriever=lambda uri: {}[uri])
    for depth, choice in product(DEPTHS, range(3)):
        with suppress(*_DEAD_END):
            instance = _Builder(schema, choice).build(schema, depth, default="object")
            if validator.is_valid(instance):
                return instance, [value for value in _MISFITS if not validator.is_valid(value)][:1]
    raise LookupError


class _Builder:
    """Builds a value that may be an instance; `choice` is the number of the alternative to try first."""

    def __init__(self, root: Any, choice: int) -> None:
        self._root, self._choice = root, choice

    def build(self, schema: Any, depth: int, *, default: str = "null") -> Any:
        """A value for this part of the schema, nested at most `depth` deep."""
        flat = self._flatten(schema, depth)
        branches = flat.pop("anyOf", None) or flat.pop("oneOf", [])
        for branch in branches[self._choice :] + branches[: self._choice]:
            with suppress(*_DEAD_END):
                return self.build(flat | {"allOf": [branch]}, depth - 1, default=default)
        values = [flat["const"]] if "const" in flat else flat.get("enum")
        if values:
            return values[self._choice % len(values)]
        implied = [kind for name, kind in _IMPLIED_TYPES.items() if name in flat]
        kinds = flat.get("type") or implied or [default]
        return self._of_type(kinds if isinstance(kinds, str) else kinds[self._choice % len(kinds)], flat, depth)

    def _of_type(self, kind: str, flat: dict[str, Any], depth: int) -> Any:
        match kind:
            case "object":
                members, others = flat.get("properties", {}), flat.get("additionalProperties", True)
                return {name: self.build(members.get(name, others), depth - 1) for name in flat.get("required", ())}
            case "array":
                number = int(min(flat.get("minItems", 0), LONGEST))
                return [self.build(flat.get("items", True), depth - 1) for _ in range(number)]
            case "string":
                # Patterns are not interpreted, but one that matches a single letter or digit is met.
                length = int(min(flat.get("minLength", "pattern" in flat), LONGEST))
                return FORMATS.get(flat.get("format", ""), "a0A"[self._choice] * length)
            case "number" | "integer":
                return _number(flat)
            case _:
                return False if kind == "boolean" else None

    def _flatten(self, schema: Any, depth: int) -> dict[str, Any]:
        """The schema with what its `allOf` and `$ref` add to it."""
        if depth < 0 or schema is False:
            raise LookupError
        flat = {} if schema is True else dict(schema)
        parts = flat.pop("allOf", []) + ([self._resolve(flat.pop("$ref"))] if "$ref" in flat else [])
        for part in parts:
            more = self._flatten(part, depth - 1)
            more["properties"] = flat.get("properties", {}) | more.get("properties", {})
            more["required"] = [*flat.get("required", ()), *more.get("required", ())]
            flat |= {name: value for name, value in more.items() if value or name not in {"properties", "required"}}
        return flat

    def _resolve(self, reference: str) -> Any:
        """The part that a reference within the schema names."""
        part: Any = {"#": self._root}
        for step in reference.split("/"):
            part = part[int(step) if isinstance(part, list) else step]
        return part


def _number(flat: dict[str, Any]) -> Any:
    """Zero, or a number near the bounds or between them."""
    excluded = (flat.get("exclusiveMinimum", -math.inf), flat.get("exclusiveMaximum", math.inf))
    low, high = max(flat.get("minimum", -math.inf), excluded[0]), min(flat.get("maximum", math.inf), excluded[1])
    step, bounds = flat.get("multipleOf", 1), [bound for bound in (low, high) if math.isfinite(bound)]
    near = [(math.floor(bound / step) + more) * step for bound in bounds for more in (0, 1, -1)]
    fitting = [number for number in (0, *near) if low <= number <= high and number not in excluded]
    return [*fitting, sum(bounds) / 2][0]


if __name__ == "__main__":
    for limit, most in ((resource.RLIMIT_CPU, 1), (resource.RLIMIT_AS, 1 << 30), (resource.RLIMIT_CORE, 0)):
        with suppress(ValueError, OSError):  # not every system has every limit
            resource.setrlimit(limit, (most, most))
    try:
        outcome: Any = find(json.load(sys.stdin))
    except ValidationError as error:
        outcome = {"expected": f"a JSON Schema ({error.message})", "place": error.instance_path}
    except (LookupError, ValueError) as error:
        sys.exit(f"no instance: {error}")
    json.dump(outcome, sys.stdout)
