"""Images of a prompt: a file or standard input becomes a data: URI, an https: URL stays what it is."""

import os
import re
from typing import Any

from qwen_cli.errors import InvalidUsage, LocalError
from qwen_cli.prompt.files import decode_text, read_file

_SIGNATURES = {
    "jpeg": rb"\xff\xd8\xff",
    "png": rb"\x89PNG\r\n\x1a\n",
    "gif": rb"GIF8[79]a",
    "webp": rb"RIFF....WEBP",
}
_CONVERTIBLE = re.compile(rb"....ftyp(?:hei[cfmsx]|hev[cmsx]|mi[af]1|msf1|avi[fs])", re.DOTALL)


def image_part(url: str, detail: str | None) -> dict[str, Any]:
    """The part of a message that is an image."""
    return {"type": "image_url", "image_url": {"url": url} | ({} if detail is None else {"detail": detail})}


def image_url(source: str) -> str:
    """An https: URL or a data: URI as it is; a file as a data: URI."""
    if not source.startswith(("https:", "http:", "data:")):
        return image_data(read_file(source), source)
    from qwen_cli.request.validation import is_image_url

    url = decode_text(os.fsencode(source), "the URL of --image")
    if not is_image_url(url):
        raise InvalidUsage(
            f"--image {url[:60]!r} is not an https: URL or a base64 data: URI of a JPEG, PNG, GIF or WEBP",
            advice="download it first, and give the file" if url.startswith("http:") else None,
        )
    return url


def image_data(data: bytes, name: str) -> str:
    """An image as a data: URI; LocalError if the data is not an image that the API takes."""
    import base64

    kind = image_type(data)
    if kind is None:
        advice = "convert it first, to JPEG for instance" if _CONVERTIBLE.match(data) else None
        raise LocalError(f"{name} is not a JPEG, PNG, GIF or WEBP image", advice=advice)
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def image_type(data: bytes) -> str | None:
    """What the first bytes say: `jpeg`, `png`, `gif`, `webp` or None."""
    return next((kind for kind, start in _SIGNATURES.items() if re.match(start, data, re.DOTALL)), None)
