"""The prompt of each item: placeholders in words, files, images and the system message."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from qwen_cli.errors import LocalError
from qwen_cli.map.items import Item
from qwen_cli.map.placeholders import Template
from qwen_cli.prompt.files import read_part
from qwen_cli.prompt.images import image_url
from qwen_cli.prompt.messages import Message, Prompt, PromptOptions, read_prompt_file, require_images


class ItemPrompts:
    """Makes the messages of each item from words and options; what is the same for all items is read once, here."""

    def __init__(self, words: Sequence[str], options: PromptOptions, *, members: bool) -> None:
        require_images(options)
        template = partial(Template, members=members)
        self._words = template(" ".join(words))
        self._system = None if options.system is None else template(options.system)
        files, images = (list(map(template, paths or ())) for paths in (options.file, options.image))
        self._templates = [self._words, *files, *images, *([self._system] if self._system else [])]
        self._is_item_last = all(each.is_constant for each in self._templates)
        self._options = options
        self._prompt = [] if options.prompt_file is None else [read_prompt_file(options.prompt_file)]
        self._system_text = None if options.system_file is None else read_part(options.system_file)
        self._files = [_source(path, read_part) for path in files]
        self._images = [_source(path, image_url) for path in images]

    @property
    def names(self) -> Iterator[str]:
        """The names of all placeholders."""
        return (name for template in self._templates for name in template.names)

    def messages(self, item: Item) -> list[Message]:
        """The messages of the request; LocalError or InvalidUsage if the item makes none."""
        fill, options = item.value, self._options
        pieces = [*self._prompt, *(source(fill) for source in self._files), self._words.fill(fill)]
        earlier: list[Message] = options.messages or []
        if self._is_item_last:
            prompt, messages = _own_parts(item)
            pieces.append(prompt)
            earlier = earlier + messages
        return Prompt(
            system=self._system.fill(fill) if self._system else self._system_text,
            earlier=earlier,
            pieces=pieces,
            image_urls=[source(fill) for source in self._images],
            image_detail=options.image_detail,
        ).conversation()


def _source(path: Template, read: Callable[[str], str]) -> Callable[[Callable[[str], str]], str]:
    """A function that reads a file or image for an item, or returns what was read at once if it is always the same."""
    if path.is_constant:
        content = read(path.fill_path(str))
        return lambda _: content
    return lambda value: read(path.fill_path(value))


def _own_parts(item: Item) -> tuple[str, list[Message]]:
    """What an item asks that no placeholder stands for: its text, or an object's `prompt` and `messages`, if any."""
    members = item.members or {}
    prompt, messages = members.get("prompt"), members.get("messages")
    if prompt is None and messages is None:
        return item.text, []
    if prompt is not None and not isinstance(prompt, str):
        raise LocalError("its prompt is not a string")
    if messages is not None:
        from qwen_cli.request.validation import OutsideLimitsError, check_field

        try:
            check_field("messages", messages)
        except OutsideLimitsError as error:
            raise LocalError(f"its {error}") from None
    return prompt or "", messages or []
