"""The prompt of each item: placeholders in words, files, images and the system message."""

from collections.abc import Callable, Sequence
from functools import partial

from qwen_cli.errors import InvalidUsage, LocalError
from qwen_cli.map.items import Item
from qwen_cli.map.placeholders import Template
from qwen_cli.prompt.files import StandardInput
from qwen_cli.prompt.messages import Message, Parts, PromptOptions, image_url, text_of_file, text_of_prompt_file


class Prompts:
    """Makes the messages of each item from words and options; what is the same for all items is read once, here."""

    def __init__(self, words: Sequence[str], options: PromptOptions, *, jsonl: bool, stdin: StandardInput) -> None:
        if options.image_detail and not options.image:
            raise InvalidUsage("--image-detail needs an --image")
        template = partial(Template, members=jsonl)
        self._words = template(" ".join(words))
        self._system = None if options.system is None else template(options.system)
        files, images = (list(map(template, paths or ())) for paths in (options.file, options.image))
        templates = [self._words, *files, *images, *([self._system] if self._system else [])]
        self._is_item_last = all(each.is_constant for each in templates)
        self._prompt = [] if options.prompt_file is None else [text_of_prompt_file(options.prompt_file)]
        self._system_text = text_of_file(options.system_file) if options.system_file is not None else None
        self._files = [_source(path, text_of_file) for path in files]
        self._images = [_source(path, image_url) for path in images]
        self._earlier: list[Message] = options.messages or []
        self._image_detail = options.image_detail
        self._stdin = stdin

    def messages(self, item: Item) -> list[Message]:
        """The messages of the request; LocalError or InvalidUsage if the item makes none."""
        fill = item.value
        pieces: list[str | None] = [*self._prompt, *(source(fill) for source in self._files), self._words.fill(fill)]
        earlier = self._earlier
        if self._is_item_last:
            prompt, messages = _own_parts(item)
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


def _source(path: Template, read: Callable[[str], str]) -> Callable[[Callable[[str], str]], str]:
    """A function that reads a file or image for an item, or returns what was read at once if it is always the same."""
    if path.is_constant:
        content = read(path.fill_path(str))
        return lambda _: content
    return lambda value: read(path.fill_path(value))


def _own_parts(item: Item) -> tuple[str, list[Message]]:
    """The prompt and the messages of an item that no placeholder stands for: its text, or an object's members."""
    if item.members is None:
        return item.text, []
    prompt, messages = item.members.get("prompt"), item.members.get("messages")
    if prompt is None and messages is None:
        raise LocalError("it has neither prompt nor messages, and the command line has no prompt")
    if prompt is not None and not isinstance(prompt, str):
        raise LocalError("its prompt is not a string")
    if messages is not None:
        from qwen_cli.request.validation import OutsideLimitsError, check_field

        try:
            check_field("messages", messages)
        except OutsideLimitsError as error:
            raise LocalError(f"its {error}") from None
    return prompt or "", messages or []
