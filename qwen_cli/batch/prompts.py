"""What is asked about each item: placeholders in words, files, images and the system message."""

from collections.abc import Callable, Sequence
from typing import Any

from qwen_cli.batch.items import Item
from qwen_cli.batch.templates import Template
from qwen_cli.errors import InvalidUsage, LocalError
from qwen_cli.request.inputs import StandardInput
from qwen_cli.request.prompt import STDIN, Message, Parts, PromptOptions, image_url, text_of_file, text_of_prompt_file


class Prompts:
    """Makes the messages of each item from words and options; what is the same for all is read once, here."""

    def __init__(self, words: Sequence[str], options: PromptOptions, *, jsonl: bool, stdin: StandardInput) -> None:
        files, images = options.file or (), options.image or ()
        if options.image_detail and not images:
            raise InvalidUsage("--image-detail needs an --image")
        self._stdin = stdin
        self._words = Template(" ".join(words), members=jsonl)
        self._system = Template(options.system, members=jsonl) if options.system is not None else None
        self._system_text = text_of_file(options.system_file) if options.system_file is not None else None
        self._earlier: list[Message] = options.messages or []
        self._image_detail = options.image_detail
        is_named = [not Template(each, members=jsonl).is_constant for each in (*words, *files, *images)]
        is_named.append(self._system is not None and not self._system.is_constant)
        self._is_item_last = not any(is_named)
        self._prompt = [] if options.prompt_file is None else [text_of_prompt_file(options.prompt_file)]
        self._files = [_source(path, text_of_file, jsonl=jsonl) for path in files]
        self._images = [_source(source, image_url, jsonl=jsonl) for source in images]

    def messages(self, item: Item) -> list[Message]:
        """The conversation that is asked about; LocalError or InvalidUsage where the item does not make one."""
        fill = item.value
        pieces: list[str | None] = [*self._prompt, *(source(fill) for source in self._files)]
        pieces.append(self._words.fill(fill))
        earlier = self._earlier
        if self._is_item_last and item.members is None:
            pieces.append(item.text)
        elif self._is_item_last:
            prompt, messages = _asked(item)
            pieces.append(prompt)
            earlier = earlier + messages
        parts = Parts(
            system=self._system_text if self._system is None else self._system.fill(fill),
            earlier=earlier,
            pieces=pieces,
            image_urls=[source(fill) for source in self._images],
            image_detail=self._image_detail,
            stdin=self._stdin,
        )
        return parts.messages()


def _source(text: str, read: Callable[[str], str], *, jsonl: bool) -> Callable[[Callable[[str], str]], str]:
    """A file or image: read at once where it is the same for all items, else for each of them."""
    template = Template(text, members=jsonl)
    if template.is_constant:
        content = read(text)
        return lambda _fill: content
    # An item is the name of a file whatever it looks like, never standard input.
    return lambda fill: read("./-" if (name := template.fill(fill)) == STDIN else name)


def _asked(item: Item) -> tuple[str, list[dict[str, Any]]]:
    """The `prompt` and the `messages` of an object that is asked as a whole."""
    assert item.members is not None
    prompt, messages = item.members.get("prompt"), item.members.get("messages")
    if prompt is None and messages is None:
        raise LocalError("it has neither prompt nor messages, and nothing else is asked about it")
    if prompt is not None and not isinstance(prompt, str):
        raise LocalError("its prompt is not a string")
    if messages is not None:
        from qwen_cli.request.checking import OutsideLimitsError, check_field

        try:
            check_field("messages", messages)
        except OutsideLimitsError as error:
            raise LocalError(f"its {error.message}") from None
    return prompt or "", messages or []
