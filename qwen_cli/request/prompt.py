"""Words, files, standard input and images -> the messages of a request."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from qwen_cli.errors import InvalidUsage, LocalError
from qwen_cli.request.inputs import StandardInput, read_file, read_text

Message = dict[str, Any]

STDIN = "-"


class PromptOptions(NamedTuple):
    """What the messages are made of, beside the words."""

    file: list[str] | None = None
    no_stdin: bool = False
    system: str | None = None
    system_file: str | None = None
    image: list[str] | None = None
    image_detail: str | None = None
    messages: Any | None = None


def read_messages(words: Sequence[str], options: PromptOptions, stdin: StandardInput) -> list[Message]:
    """Put together the conversation that is asked about; InvalidUsage where there is nothing to ask."""
    system = _system_text(options)
    earlier = options.messages or []
    text = join_pieces(_read_pieces(words, options, stdin))
    images = [_image_part(source, options.image_detail) for source in options.image or ()]
    if options.image_detail and not images:
        raise InvalidUsage("--image-detail needs an --image")
    if not (text or images or earlier):
        raise InvalidUsage("nothing to ask", advice="give a prompt, a file with -f, or standard input")
    messages = [] if system is None else [{"role": "system", "content": system}]
    return messages + earlier + user_messages(text, images)


def _system_text(options: PromptOptions) -> str | None:
    if options.system_file is None:
        return options.system
    return _read_text(options.system_file)


def _read_pieces(words: Sequence[str], options: PromptOptions, stdin: StandardInput) -> list[str]:
    """The pieces of the user message, in order: files, standard input, words; a `-` is standard input in its place."""
    asked_for = STDIN in words or STDIN in (options.file or ())
    pieces = [stdin.read() if path == STDIN else _read_text(path) for path in options.file or ()]
    if not asked_for and not options.no_stdin and stdin.is_offered:
        pieces.append(stdin.read())
    for run in split_words(words):
        pieces.append(stdin.read() if run == STDIN else run)
    return pieces


def split_words(words: Sequence[str]) -> list[str]:
    """Words joined by single spaces, but for each `-`, which stays alone: `a b - c` -> `a b`, `-`, `c`."""
    runs: list[str] = []
    joined: list[str] = []
    for word in words:
        if word == STDIN:
            runs += [" ".join(joined), STDIN] if joined else [STDIN]
            joined = []
        else:
            joined.append(word)
    return [*runs, " ".join(joined)] if joined else runs


def join_pieces(pieces: Sequence[str]) -> str:
    """The pieces that hold anything, separated by a blank line; empty when all is white space."""
    text = "\n\n".join(piece for piece in pieces if piece)
    return text if text.strip() else ""


def user_messages(text: str, images: Sequence[dict[str, Any]]) -> list[Message]:
    """No message, a plain one, or one in parts where there are images."""
    if not images:
        return [{"role": "user", "content": text}] if text else []
    parts = [{"type": "text", "text": text}] if text else []
    return [{"role": "user", "content": [*parts, *images]}]


def _read_text(path: str) -> str:
    return read_text(path).removesuffix("\n")


def _image_part(source: str, detail: str | None) -> dict[str, Any]:
    image = {"url": _image_url(source)}
    if detail is not None:
        image["detail"] = detail
    return {"type": "image_url", "image_url": image}


def _image_url(source: str) -> str:
    """An https: URL or a data: URI as it is; a file as a data: URI."""
    if source.startswith(("https:", "http:", "data:")):
        from qwen_cli.request.checking import OutsideLimitsError, check_image_url

        try:
            check_image_url(source, "--image")
        except OutsideLimitsError as error:
            raise InvalidUsage(error.message) from None
        return source
    import base64

    data = read_file(source)
    kind = image_type(data)
    if kind is None:
        raise LocalError(f"{source} is not a JPEG, PNG, GIF or WEBP image")
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def image_type(data: bytes) -> str | None:
    """What the first bytes say: `jpeg`, `png`, `gif`, `webp` or None."""
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "webp"
    return None
