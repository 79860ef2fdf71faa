"""What a JSON Schema says: whether it is one, what a reference in it means, whether a value is valid against it.

Known are the keywords that structured outputs allow, `allOf`, `anyOf`, `oneOf`, `not` and local `$ref`. Others, such as
`format`, are annotations here.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from qwen_cli.request.validation import (
    OutsideLimitsError,
    array,
    boolean,
    by_type,
    choice,
    mapping,
    number,
    record,
    text,
)

Schema = Mapping[str, Any] | bool

_CLASSES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


def check_schema(value: object, field: str) -> None:
    """Refuse what isn't a JSON Schema; `field` is its dotted name."""
    if not isinstance(value, bool):
        _schema(value, field)


def _pattern(value: object, field: str) -> None:
    text(value, field)
    try:
        re.compile(str(value))
    except re.error as error:
        raise OutsideLimitsError(
            f"{field}: Expected a regular expression, Received {json.dumps(value)}: {error}"
        ) from None


def _values(value: object, field: str) -> None:
    array(lambda _value, _field: None)(value, field)


_type = choice(*_CLASSES, "number", "integer")
_schema = record(
    {},
    dict.fromkeys(("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"), number())
    | dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), number(0, whole=True))
    | dict.fromkeys(("properties", "$defs", "definitions"), mapping(check_schema))
    | dict.fromkeys(("items", "additionalProperties", "not"), check_schema)
    | dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), array(check_schema))
    | dict.fromkeys(("enum", "examples"), _values)
    | {
        "type": by_type({str: _type, list: array(_type)}),
        "multipleOf": number(math.ulp(0)),
        "pattern": _pattern,
        "required": array(text),
        "uniqueItems": boolean,
        "$ref": text,
    },
)


def resolve(reference: str, root: Schema) -> Schema:
    """The schema that a local reference points at; what points nowhere matches nothing."""
    pointer = unquote(reference).removeprefix("#")
    here: Any = root if reference.startswith("#") else False
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(here, list) and re.fullmatch("[0-9]{1,6}", name) and int(name) < len(here):
            here = here[int(name)]
        elif isinstance(here, dict) and name in here:
            here = here[name]
        else:
            return False
    return here if isinstance(here, dict | bool) else False


def types(schema: Mapping[str, Any]) -> list[str]:
    """The types that a schema names, as a list."""
    kinds = schema.get("type", [])
    return [kinds] if isinstance(kinds, str) else list(kinds)


def is_valid(value: Any, schema: Schema, root: Schema) -> bool:
    """Whether `value` is valid against `schema`, whose references point into `root`."""
    if isinstance(schema, bool):
        return schema
    return (
        ("type" not in schema or any(_is_a(value, kind) for kind in types(schema)))
        and ("const" not in schema or same(value, schema["const"]))
        and ("enum" not in schema or contains(schema["enum"], value))
        and ("$ref" not in schema or is_valid(value, resolve(schema["$ref"], root), root))
        and all(is_valid(value, part, root) for part in schema.get("allOf", ()))
        and ("anyOf" not in schema or any(is_valid(value, part, root) for part in schema["anyOf"]))
        and ("oneOf" not in schema or sum(is_valid(value, part, root) for part in schema["oneOf"]) == 1)
        and ("not" not in schema or not is_valid(value, schema["not"], root))
        and _is_valid_in_its_type(value, schema, root)
    )


def _is_valid_in_its_type(value: Any, schema: Mapping[str, Any], root: Schema) -> bool:
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        return all(name in value for name in schema.get("required", ())) and all(
            is_valid(member, properties.get(name, schema.get("additionalProperties", True)), root)
            for name, member in value.items()
        )
    if isinstance(value, list):
        prefix = schema.get("prefixItems", [])
        return (
            schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", math.inf)
            and all(is_valid(item, part, root) for item, part in zip(value, prefix, strict=False))
            and all(is_valid(item, schema.get("items", True), root) for item in value[len(prefix) :])
            and not (schema.get("uniqueItems") and any(contains(value[:i], item) for i, item in enumerate(value)))
        )
    if isinstance(value, str):
        return (
            schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", math.inf)
            and re.search(schema.get("pattern", ""), value) is not None
        )
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (
            schema.get("minimum", -math.inf) <= value <= schema.get("maximum", math.inf)
            and schema.get("exclusiveMinimum", -math.inf) < value < schema.get("exclusiveMaximum", math.inf)
            and ("multipleOf" not in schema or (value / schema["multipleOf"]).is_integer())
        )
    return True


def _is_a(value: Any, kind: str) -> bool:
    if kind in _CLASSES:
        return isinstance(value, _CLASSES[kind])
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and (kind == "number" or value == math.floor(value))


def same(one: Any, other: Any) -> bool:
    """Equal as JSON: 1 is 1.0 but not true, at any depth."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def contains(values: Sequence[Any], value: Any) -> bool:
    """Whether one of `values` is the same JSON as `value`."""
    return any(same(value, member) for member in values)
