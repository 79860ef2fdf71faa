"""Words, files, standard input and images -> the messages of a request."""

import os
import re
from collections.abc import Sequence
from itertools import groupby
from typing import Any, NamedTuple

from qwen_cli.errors import InvalidUsage, LocalError
from qwen_cli.prompt.files import StandardInput, decode_text, read_file, read_text

Message = dict[str, Any]

STDIN = "-"


class PromptOptions(NamedTuple):
    """What the messages are made of, beside the words."""

    file: list[str] | None = None
    prompt_file: str | None = None
    no_stdin: bool = False
    system: str | None = None
    system_file: str | None = None
    image: list[str] | None = None
    image_detail: str | None = None
    messages: Any | None = None


class Parts(NamedTuple):
    """What a conversation is made of. None among the pieces and images is standard input, still to be read."""

    system: str | None
    earlier: list[Message]
    pieces: list[str | None]
    image_urls: list[str | None]
    image_detail: str | None
    stdin: StandardInput

    def messages(self) -> list[Message]:
        """The conversation that is asked about, once standard input is read; InvalidUsage where it asks nothing."""
        return self.conversation(self.new_messages())

    def new_messages(self) -> list[Message]:
        """The user message, once standard input is read; none where it would be empty."""
        image_urls = [
            _image_data(self.stdin.read_bytes(), "standard input") if url is None else url for url in self.image_urls
        ]
        typed = self.stdin.read() if None in self.pieces else None
        text = join_pieces([typed or "" if piece is None else piece for piece in self.pieces])
        if typed == "" and (text or image_urls or self.earlier):
            self.stdin.note_emptiness()
        return user_messages(text, [_image_part(url, self.image_detail) for url in image_urls])

    def conversation(self, new: list[Message]) -> list[Message]:
        """The system message, what was said before, and the new messages; InvalidUsage where nothing is asked."""
        if not (new or self.earlier):
            raise _nothing_to_ask()
        return ([] if self.system is None else [{"role": "system", "content": self.system}]) + self.earlier + new


def read_parts(words: Sequence[str], options: PromptOptions, stdin: StandardInput) -> Parts:
    """Read what can be read without waiting; InvalidUsage where it is seen already that there is nothing to ask."""
    runs = split_words(words)
    files, images = options.file or (), options.image or ()
    if options.image_detail and not images:
        raise InvalidUsage("--image-detail needs an --image")
    pieces: list[str | None] = [] if options.prompt_file is None else [text_of_prompt_file(options.prompt_file)]
    pieces += [None if path == STDIN else text_of_file(path) for path in files]
    if not options.no_stdin and stdin.is_offered:
        pieces.append(None)
    pieces += [None if run == STDIN else run for run in runs]
    parts = Parts(
        system=options.system if options.system_file is None else text_of_file(options.system_file),
        earlier=options.messages or [],
        pieces=pieces,
        image_urls=[None if source == STDIN else image_url(source) for source in images],
        image_detail=options.image_detail,
        stdin=stdin,
    )
    if not (parts.image_urls or parts.earlier or any(piece is None or piece.strip() for piece in pieces)):
        raise _nothing_to_ask()
    return parts


def _nothing_to_ask() -> InvalidUsage:
    return InvalidUsage("nothing to ask", advice="give a prompt, a file with -f, or standard input")


def split_words(words: Sequence[str]) -> list[str]:
    """Words joined by single spaces, but for each `-`, which stays alone: `a b - c` -> `a b`, `-`, `c`."""
    runs: list[str] = []
    for is_stdin, group in groupby(words, STDIN.__eq__):
        run = list(group)
        runs += run if is_stdin else [" ".join(run)]
    return runs


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


def text_of_file(path: str) -> str:
    """A part of a message: the file's text without its final newline."""
    return read_text(path).removesuffix("\n")


def text_of_prompt_file(path: str) -> str:
    """The prompt in a file that may be a program, without the line that names its interpreter."""
    if path == STDIN:
        raise InvalidUsage("--prompt-file takes the name of a file", advice="-f - is standard input")
    text = text_of_file(path)
    return text.partition("\n")[2] if text.startswith("#!") else text


def _image_part(url: str, detail: str | None) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url} | ({} if detail is None else {"detail": detail})}


def image_url(source: str) -> str:
    """An https: URL or a data: URI as it is; a file as a data: URI."""
    if source.startswith(("https:", "http:", "data:")):
        from qwen_cli.request.validation import OutsideLimitsError, check_image_url

        try:
            source = decode_text(os.fsencode(source), "the URL of --image")
            check_image_url(source, "--image")
        except OutsideLimitsError as error:
            raise InvalidUsage(str(error)) from None
        return source
    return _image_data(read_file(source), source)


def _image_data(data: bytes, name: str) -> str:
    """An image as a data: URI; LocalError if the data is not an image."""
    import base64

    kind = image_type(data)
    if kind is None:
        raise LocalError(f"{name} is not a JPEG, PNG, GIF or WEBP image")
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


_SIGNATURES = {
    "jpeg": rb"\xff\xd8\xff",
    "png": rb"\x89PNG\r\n\x1a\n",
    "gif": rb"GIF8[79]a",
    "webp": rb"RIFF....WEBP",
}


def image_type(data: bytes) -> str | None:
    """What the first bytes say: `jpeg`, `png`, `gif`, `webp` or None."""
    return next((kind for kind, start in _SIGNATURES.items() if re.match(start, data, re.DOTALL)), None)
