"""Fenced code blocks of Markdown, as CommonMark has them."""

from markdown_it import MarkdownIt

# Blocks are all that is asked for; what is within a line takes most of the time.
_MARKDOWN = MarkdownIt("commonmark").disable("inline")


def find_code(text: str) -> str | None:
    """The content of the first fenced code block, None where there is none; its lines end as CommonMark has it."""
    tokens = _MARKDOWN.parse(text.removeprefix("\ufeff"))
    return next((token.content for token in tokens if token.type == "fence"), None)
