"""Holds values against the request's limits, and says of a violation where it is and what was expected there.

jsonschema_rs is imported when something is checked: most requests hold nothing that the flags' own types don't know.
"""

import binascii
import json
import re
from collections.abc import Sequence
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from qwen_cli.answer.members import kind_of
from qwen_cli.request import field_limits

_TYPE_NAMES = {
    "object": "an object",
    "array": "an array",
    "string": "a string",
    "boolean": "a boolean",
    "number": "a number",
    "integer": "an integer",
}


class OutsideLimitsError(ValueError):
    """A value that the API does not take."""


def check_field(name: str, value: object) -> None:
    """Raise an OutsideLimitsError for a value that this field of the request may not have."""
    _check(name, {name: value})


def check_body(body: object) -> None:
    """Raise an OutsideLimitsError for what is no request body."""
    _check(None, body)


def _check(field: str | None, value: object) -> None:
    from jsonschema_rs import ValidationError

    schema, validator = _compiled(field)
    try:
        validator.validate(value)
    except ValidationError as error:
        violated: Any = schema
        for step in error.schema_path[:-1]:
            violated = violated[step]
        place = [str(step) for step in error.instance_path]
        raise _violation(place, violated, str(error.schema_path[-1]), error.instance) from None


@cache
def _compiled(field: str | None) -> tuple[field_limits.Schema, Any]:
    """The schema of the body, or of a body with that field alone, and its validator."""
    from jsonschema_rs import Draft202012Validator

    schema = field_limits.BODY if field is None else {"properties": {field: field_limits.FIELDS[field]}}
    formats = {field_limits.IMAGE_URL["format"]: is_image_url}
    return schema, Draft202012Validator(schema, formats=formats, validate_formats=True)


def _violation(place: Sequence[str], schema: field_limits.Schema, keyword: str, received: Any) -> OutsideLimitsError:
    """What is wrong where `schema` is violated by its `keyword`."""
    if keyword == "maxItems":
        expected, found = f"an array of at most {schema[keyword]}", f"one of {len(received)}"
    elif keyword == "required":
        name = next(name for name in schema[keyword] if name not in received)
        place, expected, found = [*place, name], _expected(schema["properties"][name]), "undefined"
    elif keyword == "additionalProperties":
        name = next(name for name in received if name not in schema["properties"])
        place, expected, found = [*place, name], "no such field", _described(received[name])
    else:
        expected, found = _expected(schema), _described(received)
    return OutsideLimitsError(f"{'.'.join(place) or 'body'}: Expected {expected}, Received {found}")


def _expected(schema: field_limits.Schema) -> str:
    if "description" in schema:
        return str(schema["description"])
    if "enum" in schema:
        return " | ".join(map(json.dumps, schema["enum"]))
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    names = " or ".join(_TYPE_NAMES[kind] for kind in kinds if kind != "null")
    if "maximum" in schema:
        return f"{names} from {schema['minimum']} to {schema['maximum']}"
    return f"{names} of at least {schema['minimum']}" if "minimum" in schema else names


def _described(received: object) -> str:
    if isinstance(received, dict | list):
        return kind_of(received)
    # A prompt or an image may be megabytes long.
    return json.dumps(received[:60] if isinstance(received, str) else received)


_DATA_URI = re.compile(rf"data:image/(?:{'|'.join(field_limits.IMAGE_TYPES)});base64,")


def is_image_url(text: str) -> bool:
    """Whether it is what the API takes for an image: an https: URL, or a base64 data: URI of a known type."""
    if data := _DATA_URI.match(text):
        try:
            return bool(binascii.a2b_base64(text[data.end() :], strict_mode=True))
        except ValueError:
            return False
    try:
        url = urlsplit(text)
        return url.scheme == "https" and bool(url.hostname) and not re.search(r"\s", text)
    except ValueError:
        return False


def check_image_url(text: str, name: str) -> None:
    """Raise an OutsideLimitsError that calls the URL `name`, if the API does not take it."""
    if not is_image_url(text):
        raise _violation([name], field_limits.IMAGE_URL, "format", text)
