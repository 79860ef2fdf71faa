"""Holds values against the request's limits.

jsonschema_rs is imported when something is checked: most requests hold nothing that the flags' own types don't know.
"""

import binascii
import re
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from qwen_cli.request import field_limits


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

    from qwen_cli.answer.schema import shortened

    try:
        _validator(field).validate(value)
    except ValidationError as error:
        place = ".".join(map(str, error.instance_path)) or "body"
        raise OutsideLimitsError(f"{place}: {shortened(error.message)}") from None
    except ValueError:
        place = field or "body"
        raise OutsideLimitsError(f"{place}: it is nested too deeply, or holds a lone surrogate in a name") from None


@cache
def _validator(field: str | None) -> Any:
    """The validator of the body, or of a body with that field alone."""
    from jsonschema_rs import Draft202012Validator

    schema = field_limits.BODY if field is None else {"properties": {field: field_limits.FIELDS[field]}}
    formats = {field_limits.IMAGE_URL: is_image_url}
    return Draft202012Validator(schema, formats=formats, validate_formats=True)


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
