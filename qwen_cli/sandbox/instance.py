"""A small instance of a JSON Schema, and a value that is none: what the sandbox answers where JSON is asked for.

Candidates are made from the common keywords, smaller ones first; the validator has the last word. It runs as a process
of its own, because a schema can ask for any amount of work (`python -m qwen_cli.sandbox.instance`): the schema comes
from standard input, and the two go to standard output as JSON.
"""

import json
import math
import resource
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import reduce
from itertools import islice, product
from typing import Any, NoReturn

from jsonschema_rs import ValidationError, validator_for

Schema = Any

DEPTHS = range(30)
LONGEST = 100_000
"""Characters or items; a schema that asks for more is not met."""

FORMATS = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "P1D",
    "email": "a@example.org",
    "hostname": "example.org",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
    "uri": "https://example.org/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_COMBINING = ("$ref", "allOf", "anyOf", "oneOf")
_LEAF = ("enum", "minLength", "maxLength", "pattern", "format", "multipleOf")
_LEAF_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_STRICTEST = dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems"), max) | dict.fromkeys(
    ("maximum", "exclusiveMaximum", "maxLength", "maxItems"), min
)
_TYPE_OF_KEYWORD = (
    dict.fromkeys(("properties", "required", "additionalProperties"), "object")
    | dict.fromkeys(("items", "prefixItems", "minItems"), "array")
    | dict.fromkeys(("minLength", "maxLength", "pattern", "format"), "string")
    | dict.fromkeys((*_LEAF_BOUNDS, "multipleOf"), "number")
)
_OTHERS: tuple[Any, ...] = (None, "invalid", -1, [], {}, True)


class NotFoundError(Exception):
    """There is no instance to be had. `place` leads to what is wrong in the schema."""

    def __init__(self, expected: str, place: Iterable[str | int] = ()) -> None:
        super().__init__(expected)
        self.place = list(place)


def _never_fetch(uri: str) -> NoReturn:
    raise ValueError(f"{uri} is not fetched")


def find(schema: Schema) -> tuple[Any, list[Any]]:
    """A valid value, an object where the schema leaves that open, and one invalid value unless there is none.

    Raises NotFoundError for what is no schema, or one that none of the candidates fits.
    """
    try:
        validator = validator_for(schema, validate_formats=True, retriever=_never_fetch)
    except ValidationError as error:
        raise NotFoundError(f"a JSON Schema ({error.message})", error.instance_path) from None
    try:
        # Shallow ones first, so that a schema that contains itself comes to an end.
        for depth in DEPTHS:
            for instance in islice(_Candidates(schema).of(schema, depth, default="object"), 1000):
                if validator.is_valid(instance):
                    misfits = (value for value in _misfits(instance) if not validator.is_valid(value))
                    return instance, list(islice(misfits, 1))
    except (RecursionError, OverflowError, ValueError):
        pass
    raise NotFoundError("a schema that the sandbox finds an instance of")


def _misfits(instance: Any) -> Iterator[Any]:
    """The instance with another value for one of its members, then other values."""
    if isinstance(instance, dict):
        yield from ({**instance, name: other} for name in instance for other in _OTHERS)
    yield from _OTHERS


class _Candidates:
    """Values that may be instances of the parts of one schema."""

    def __init__(self, root: Schema) -> None:
        self._root = root

    def of(self, schema: Schema, depth: int, *, default: str = "null") -> Iterator[Any]:
        """Candidates that nest at most `depth` deep, smaller ones first."""
        for flat in self._flatten(schema, depth):
            if "const" in flat or "enum" in flat:
                yield from [flat["const"]] if "const" in flat else flat["enum"]
                continue
            yield from flat.get("examples", ())
            implied = [kind for name, kind in _TYPE_OF_KEYWORD.items() if name in flat][:1]
            for kind in _types(flat) if "type" in flat else implied or [default]:
                yield from self._of_type(kind, flat, depth)
            if "type" not in flat and not implied:
                yield from (None, 0, "", [], {})

    def _flatten(self, schema: Schema, depth: int) -> Iterator[dict[str, Any]]:
        """Each way through the combining keywords, as one schema without them."""
        if depth < 0 or schema is False:
            return
        if schema is True:
            schema = {}
        branches = [[part] for part in schema.get("allOf", ())]
        branches += [schema[name] for name in ("anyOf", "oneOf") if name in schema]
        branches += [[self._resolve(schema["$ref"])]] if "$ref" in schema else []
        plain = {name: value for name, value in schema.items() if name not in _COMBINING}
        for way in product(*branches):
            for parts in product(*(self._flatten(part, depth - 1) for part in way)):
                yield reduce(_merge, parts, plain)

    def _resolve(self, reference: str) -> Schema:
        """The part that a local reference names; what the validator took for another kind names nothing here."""
        part = self._root
        for step in reference.removeprefix("#").split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            part = part.get(name, False) if isinstance(part, dict) else part[int(name)]
        return part if reference.startswith("#") else False

    def _of_type(self, kind: str, flat: dict[str, Any], depth: int) -> Iterator[Any]:
        if kind == "object":
            yield from self._objects(flat, depth - 1)
        elif kind == "array":
            yield from self._arrays(flat, depth - 1)
        elif kind in {"boolean", "null"}:
            yield from (False, True) if kind == "boolean" else (None,)
        else:
            makers = {"string": _strings, "number": _numbers, "integer": _integers}
            own = validator_for(
                {name: flat[name] for name in (*_LEAF, *_LEAF_BOUNDS) if name in flat} | {"type": kind},
                validate_formats=True,
            )
            yield from islice(filter(own.is_valid, makers[kind](flat)), 8)

    def _objects(self, flat: dict[str, Any], depth: int) -> Iterator[dict[str, Any]]:
        """The required properties alone, then with each optional one, then with all."""
        properties, others = flat.get("properties", {}), flat.get("additionalProperties", True)

        def found(names: Iterable[str]) -> dict[str, Any]:
            """The first candidate for each of these properties that has one."""
            firsts = {name: islice(self.of(properties.get(name, others), depth), 1) for name in names}
            return {name: value for name, first in firsts.items() for value in first}

        needed = dict.fromkeys(flat.get("required", ()))
        required = found(needed)
        if len(required) == len(needed):
            yield required
            optional = found(name for name in properties if name not in needed)
            yield from (required | {name: value} for name, value in optional.items())
            yield required | optional

    def _arrays(self, flat: dict[str, Any], depth: int) -> Iterator[list[Any]]:
        """The fewest items allowed."""
        fewest, prefix = int(flat.get("minItems", 0)), flat.get("prefixItems", [])
        if fewest > LONGEST or depth < 0:
            return
        items = [value for part in prefix[:fewest] for value in islice(self.of(part, depth), 1)]
        more = fewest - len(items)
        values = self.of(flat.get("items", True), depth) if more else iter(())
        if flat.get("uniqueItems"):
            different: list[Any] = []
            for value in values:
                different += [value] if len(different) < more and value not in different else []
            yield items + different
        else:
            yield items + [value for value in islice(values, 1) for _ in range(more)]


def _strings(flat: dict[str, Any]) -> Iterator[str]:
    if "format" in flat:
        yield FORMATS.get(flat["format"], "")
    shortest = int(flat.get("minLength", 0))
    if shortest <= LONGEST:
        yield from (character * length for length in range(shortest, shortest + 9) for character in "a0A")


def _numbers(flat: dict[str, Any]) -> Iterator[float]:
    """Zero, then numbers at, beyond and between the bounds."""
    low = max(flat.get("minimum", -math.inf), flat.get("exclusiveMinimum", -math.inf))
    high = min(flat.get("maximum", math.inf), flat.get("exclusiveMaximum", math.inf))
    yield from _integers(flat)
    if math.isfinite(low) and math.isfinite(high):
        yield from (low, high, (low + high) / 2)


def _integers(flat: dict[str, Any]) -> Iterator[int | float]:
    """Zero, then multiples at and beyond each bound."""
    yield 0
    step = flat.get("multipleOf", 1)
    for name in _LEAF_BOUNDS:
        if name in flat:
            nearest = (math.floor if "ax" in name else math.ceil)(flat[name] / step)
            yield from ((nearest + more) * step for more in (0, 1, -1, 2, -2))


def _types(schema: dict[str, Any]) -> list[str]:
    kind: str | list[str] = schema["type"]
    return [kind] if isinstance(kind, str) else kind


def _merge(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """One schema for what is valid against both."""
    merged = one | other
    for name in one.keys() & other.keys():
        mine, theirs = one[name], other[name]
        if name in _STRICTEST:
            merged[name] = _STRICTEST[name](mine, theirs)
        elif name == "required":
            merged[name] = [*mine, *theirs]
        elif name == "enum":
            merged[name] = [value for value in mine if value in theirs]
        elif name == "type":
            kinds, others = _types(one), _types(other)
            both = [kind for kind in kinds if kind in others]
            merged[name] = both or (["integer"] if {"integer", "number"} <= {*kinds, *others} else [])
        elif name == "properties":
            shared = {key: {"allOf": [mine[key], theirs[key]]} for key in mine.keys() & theirs.keys()}
            merged[name] = mine | theirs | shared
        elif name == "items":
            merged[name] = {"allOf": [mine, theirs]}
    return merged


def main() -> None:
    """Read a schema, write its instance and misfit, or what was wrong with it; within a second and a gigabyte."""
    for limit, most in ((resource.RLIMIT_CPU, 1), (resource.RLIMIT_AS, 1 << 30), (resource.RLIMIT_CORE, 0)):
        with suppress(ValueError, OSError):  # not every system knows every limit
            resource.setrlimit(limit, (most, most))
    try:
        outcome: Any = find(json.load(sys.stdin))
    except NotFoundError as error:
        outcome = {"expected": str(error), "place": error.place}
    json.dump(outcome, sys.stdout)


if __name__ == "__main__":
    main()
