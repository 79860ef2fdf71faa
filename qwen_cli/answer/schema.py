"""JSON Schemas of answers. Nothing is ever fetched, and patterns run in linear time."""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final, NoReturn

from jsonschema_rs import RegexOptions, ValidationError, validator_for

from qwen_cli import json_text
from qwen_cli.errors import InvalidUsage

_MAX_MISFITS: Final = 2
_MAX_LENGTH: Final = 160


def compile_schema(schema: dict[str, Any], name: str) -> Callable[[Any], str | None]:
    """A function that says how a value does not fit; InvalidUsage, with the place, if `schema` is not a valid one."""
    try:
        validator = validator_for(schema, retriever=_refuse_to_fetch, pattern_options=RegexOptions())
    except ValidationError as error:
        raise InvalidUsage(f"{name} is not a valid JSON Schema: {_reason(error)}") from None
    except ValueError as error:
        raise InvalidUsage(f"{name} cannot be used as a JSON Schema: {error}") from None

    def find_misfit(value: Any) -> str | None:
        if not json_text.is_finite(value):
            return "it holds a number that is too large"
        try:
            errors = list(validator.iter_errors(value))
        except ValueError as error:  # nested deeper than the validator goes, or a lone surrogate
            return f"it cannot be checked ({str(error).partition(' in position')[0]})"
        misfits = [f"{_place(error.instance_path)}: {shortened(error.message)}" for error in errors[:_MAX_MISFITS]]
        rest = [f"and {len(errors) - _MAX_MISFITS} more"] if len(errors) > _MAX_MISFITS else []
        return "; ".join(misfits + rest) or None

    return find_misfit


def constrains_nothing(schema: dict[str, Any]) -> bool:
    """Whether every value fits, since no keyword is one of those that say what a value has to be."""
    return schema.keys().isdisjoint(_CONSTRAINTS)


_CONSTRAINTS: Final = frozenset(
    """
    $ref $dynamicRef $recursiveRef allOf anyOf oneOf not if then else type enum const properties required
    patternProperties additionalProperties propertyNames unevaluatedProperties minProperties maxProperties
    dependentRequired dependentSchemas dependencies items prefixItems additionalItems contains unevaluatedItems
    minItems maxItems uniqueItems minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength
    maxLength pattern format extends disallow divisibleBy
    """.split()  # noqa: SIM905 -- as a list, a line for each of them
)


def _refuse_to_fetch(uri: str) -> NoReturn:
    raise ValueError(f"{uri} is not fetched")


def _reason(error: ValidationError) -> str:
    message = error.message
    if missing := re.match(r"Resource '(.*?)' is not present", message):
        return f"it refers to {missing[1]}, which is not in the file, and nothing is fetched"
    if message.endswith('is not a "regex"'):
        message += " that is supported (look-around and back-references are not)"
    return f"{_place(error.instance_path)}: {shortened(message)}"


def _place(path: Iterable[str | int]) -> str:
    """A JSON pointer, or words for the empty one to the whole."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path) or "the top level"


def shortened(message: str) -> str:
    """Its beginning, which quotes the value, and its end, which says what was expected."""
    return message if len(message) <= _MAX_LENGTH else f"{message[:40]}…{message[-(_MAX_LENGTH - 41) :]}"
