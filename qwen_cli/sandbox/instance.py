"""The smallest instance of a JSON Schema: what the sandbox answers where the answer has to be JSON.

An instance is made with a guess at each branch of the schema and then held against the whole, so that what is returned
is valid, never merely likely.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import count, islice
from typing import Any

from qwen_cli.sandbox.incoming import ApiError
from qwen_cli.sandbox.schema import Schema, check_schema, contains, is_valid, resolve, types

_DEPTHS = range(1, 40)
_STEPS = 100_000
_TRIES = 64
_LONGEST = 100_000
_COMBINING = ("$ref", "allOf", "anyOf", "oneOf", "not")
_STRICTEST = dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems"), max) | dict.fromkeys(
    ("maximum", "exclusiveMaximum", "maxLength", "maxItems"), min
)
_TYPE_OF_KEYWORD = (
    dict.fromkeys(("properties", "required", "additionalProperties"), "object")
    | dict.fromkeys(("items", "prefixItems", "minItems"), "array")
    | dict.fromkeys(("minLength", "maxLength", "pattern"), "string")
    | dict.fromkeys(("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf"), "number")
)


class _GaveUpError(Exception):
    """The search has taken more steps than an answer is worth."""


def smallest(schema: Mapping[str, Any], field: str) -> Any:
    """A smallest value that is valid against `schema`, an object where the schema leaves that open.

    `field` is the schema's dotted name, for the ApiError 400 when it is no schema or no instance was found.
    """
    check_schema(schema, field)
    search = _Search(schema)
    try:
        # Shallow ones first, so that a schema that contains itself comes to an end.
        for depth in _DEPTHS:
            for instance in search.instances(schema, depth, default="object"):
                return instance
    except (_GaveUpError, RecursionError, OverflowError):
        pass
    raise ApiError(400, f"{field}: Expected a schema that the sandbox finds an instance of, Received another")


class _Search:
    """One search for instances of `root` and of the schemas in it."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._steps = _STEPS

    def instances(self, schema: Schema, depth: int, *, default: str = "null") -> Iterator[Any]:
        """Valid instances of `schema` that nest at most `depth` deep, smaller ones first."""
        for flat in self._flatten(schema, depth):
            for instance in islice(self._candidates(flat, depth, default), _TRIES):
                if is_valid(instance, schema, self._root):
                    yield instance

    def _flatten(self, schema: Schema, depth: int) -> Iterator[dict[str, Any]]:
        """Each way through the combining keywords, as one schema without them."""
        self._steps -= 1
        if self._steps < 0:
            raise _GaveUpError
        if depth <= 0 or schema is False:
            return
        if schema is True:
            yield {}
            return
        branches: list[Sequence[Schema]] = [[part] for part in schema.get("allOf", ())]
        branches += [schema[name] for name in ("anyOf", "oneOf") if name in schema]
        if "$ref" in schema:
            branches.append([resolve(schema["$ref"], self._root)])
        plain = {name: value for name, value in schema.items() if name not in _COMBINING}
        yield from self._combine(plain, branches, depth - 1 if branches else depth)

    def _combine(
        self, plain: dict[str, Any], branches: Sequence[Sequence[Schema]], depth: int
    ) -> Iterator[dict[str, Any]]:
        if not branches:
            yield plain
            return
        for alternative in branches[0]:
            for flat in self._flatten(alternative, depth):
                yield from self._combine(_merge(plain, flat), branches[1:], depth)

    def _candidates(self, flat: Mapping[str, Any], depth: int, default: str) -> Iterator[Any]:
        """Values worth holding against the schema, smallest first."""
        if "const" in flat:
            yield flat["const"]
            return
        if "enum" in flat:
            yield from flat["enum"]
            return
        implied = [kind for name, kind in _TYPE_OF_KEYWORD.items() if name in flat][:1]
        kinds = types(flat) if "type" in flat else implied or [default]
        for kind in kinds:
            yield from islice(self._of_type(kind, flat, depth), _TRIES // 2)
        if "default" in flat:
            yield flat["default"]
        yield from flat.get("examples", ())
        if "type" not in flat and not implied:
            yield from (None, 0, "", [], {})

    def _of_type(self, kind: str, flat: Mapping[str, Any], depth: int) -> Iterator[Any]:
        if kind == "object":
            yield from self._objects(flat, depth)
        elif kind == "array":
            yield from self._arrays(flat, depth)
        elif kind == "string":
            shortest = int(flat.get("minLength", 0))
            yield from ("a" * length for length in range(shortest, min(shortest + _TRIES, _LONGEST)))
        elif kind == "boolean":
            yield from (False, True)
        elif kind == "null":
            yield None
        else:
            yield from _numbers(flat, whole=kind == "integer")

    def _objects(self, flat: Mapping[str, Any], depth: int) -> Iterator[dict[str, Any]]:
        """The required properties alone, then with one optional property each, then with all."""
        properties = flat.get("properties", {})
        members: dict[str, Any] = {}
        for name in flat.get("required", ()):
            inner = properties.get(name, flat.get("additionalProperties", True))
            for instance in islice(self.instances(inner, depth - 1), 1):
                members[name] = instance
            if name not in members:
                return
        yield members
        optional = {
            name: instance
            for name, inner in properties.items()
            if name not in members
            for instance in islice(self.instances(inner, depth - 1), 1)
        }
        yield from (members | {name: instance} for name, instance in optional.items())
        yield members | optional

    def _arrays(self, flat: Mapping[str, Any], depth: int) -> Iterator[list[Any]]:
        """The fewest items allowed, then one more."""
        fewest = int(flat.get("minItems", 0))
        unique = flat.get("uniqueItems", False)
        prefix = flat.get("prefixItems", [])
        if fewest > _LONGEST:
            return
        for length in (fewest, fewest + 1):
            items: list[Any] = []
            for index in range(length):
                if index > len(prefix) and not unique:
                    items += [items[-1]] * (length - index)
                    break
                inner = prefix[index] if index < len(prefix) else flat.get("items", True)
                members = self.instances(inner, depth - 1)
                items += islice((item for item in members if not unique or not contains(items, item)), 1)
                if len(items) <= index:
                    return
            yield items


def _numbers(flat: Mapping[str, Any], *, whole: bool) -> Iterator[int | float]:
    """Zero, then numbers at and beyond each bound."""
    yield 0
    low = max(flat.get("minimum", -math.inf), flat.get("exclusiveMinimum", -math.inf))
    high = min(flat.get("maximum", math.inf), flat.get("exclusiveMaximum", math.inf))
    if low > -math.inf and high < math.inf and not whole:
        yield from (low, high, (low + high) / 2)
    step = flat.get("multipleOf", 1)
    if low > -math.inf:
        first = math.ceil(low / step)
        yield from ((first + more) * step for more in count())
    else:
        first = math.floor(high / step) if high < math.inf else 0
        yield from ((first - less) * step for less in count())


def _merge(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """One schema for what is valid against both."""
    merged = one | other
    for name in one.keys() & other.keys():
        if name in _STRICTEST:
            merged[name] = _STRICTEST[name](one[name], other[name])
        elif name == "required":
            merged[name] = [*one[name], *other[name]]
        elif name == "enum":
            merged[name] = [value for value in one[name] if contains(other[name], value)]
        elif name == "type":
            kinds = [kind for kind in types(one) if kind in types(other)]
            every = {*types(one), *types(other)}
            merged[name] = kinds or (["integer"] if {"integer", "number"} <= every else [])
        elif name == "properties":
            both = {key: {"allOf": [one[name][key], other[name][key]]} for key in one[name].keys() & other[name].keys()}
            merged[name] = one[name] | other[name] | both
        elif name == "items":
            merged[name] = {"allOf": [one[name], other[name]]}
    return merged
