"""Words, files, standard input and images -> the messages of a request."""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from qwen_cli.errors import InvalidUsage
from qwen_cli.prompt.files import read_part
from qwen_cli.prompt.images import image_data, image_part, image_url
from qwen_cli.prompt.standard_input import STDIN, standard_input

Message = dict[str, Any]


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
    """A list of messages."""


class Prompt(NamedTuple):
    """What is asked. None among the pieces and images is standard input, still to be read."""

    system: str | None
    earlier: list[Message]
    pieces: Sequence[str | None]
    image_urls: Sequence[str | None] = ()
    image_detail: str | None = None

    @property
    def is_awaited(self) -> bool:
        """Whether standard input has to be read."""
        return None in self.pieces or None in self.image_urls

    @property
    def may_ask(self) -> bool:
        """Whether there is something to ask, or will be once standard input is read."""
        is_said = any(piece is None or piece.strip() for piece in self.pieces)
        return bool(self.image_urls or self.earlier) or is_said

    def with_standard_input(self, note: Callable[[str], None], note_emptiness: Callable[[str], None]) -> "Prompt":
        """The prompt once standard input is read; `note_emptiness` is called where it adds nothing to other parts."""
        if None in self.image_urls:
            url = image_data(standard_input.read_bytes(note), "standard input")
            return self._replace(image_urls=[url if each is None else each for each in self.image_urls])
        if None not in self.pieces:
            return self
        typed = standard_input.read(note)
        prompt = self._replace(pieces=[typed if piece is None else piece for piece in self.pieces])
        if not typed and prompt.new_messages():
            note_emptiness("standard input is empty (use -n to ignore it)")
        return prompt

    def new_messages(self) -> list[Message]:
        """The user message, plain or in parts where there are images; none where it would be empty."""
        text = join_pieces([piece for piece in self.pieces if piece])
        if not self.image_urls:
            return [{"role": "user", "content": text}] if text else []
        parts = [{"type": "text", "text": text}] if text else []
        images = [image_part(url, self.image_detail) for url in self.image_urls if url is not None]
        return [{"role": "user", "content": [*parts, *images]}]

    def conversation(self) -> list[Message]:
        """The system message, what was said before, and the new messages; InvalidUsage where nothing is asked."""
        new = self.new_messages()
        if not (new or self.earlier):
            raise nothing_to_ask()
        return ([] if self.system is None else [{"role": "system", "content": self.system}]) + self.earlier + new


def read_prompt(words: Sequence[str], options: PromptOptions) -> Prompt:
    """Read what can be read without waiting; InvalidUsage where it is seen already that there is nothing to ask."""
    runs = split_words(words)
    files, images = options.file or (), options.image or ()
    require_images(options)
    pieces: list[str | None] = [] if options.prompt_file is None else [read_prompt_file(options.prompt_file)]
    pieces += [None if path == STDIN else read_part(path) for path in files]
    if not options.no_stdin and standard_input.is_offered:
        pieces.append(None)
    pieces += [None if run == STDIN else run for run in runs]
    return Prompt(
        system=options.system if options.system_file is None else read_part(options.system_file),
        earlier=options.messages or [],
        pieces=pieces,
        image_urls=[None if source == STDIN else image_url(source) for source in images],
        image_detail=options.image_detail,
    )


def read_prompt_file(path: str) -> str:
    """The prompt in a file that may be a program, without the line that names its interpreter."""
    if path == STDIN:
        raise InvalidUsage("--prompt-file takes the name of a file", advice="-f - is standard input")
    text = read_part(path)
    return text.partition("\n")[2] if text.startswith("#!") else text


def require_images(options: PromptOptions) -> None:
    """InvalidUsage if images are described and there are none."""
    if options.image_detail and not options.image:
        raise InvalidUsage("--image-detail needs an --image")


def nothing_to_ask() -> InvalidUsage:
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
