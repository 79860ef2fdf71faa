"""Fenced code blocks of Markdown, as CommonMark has them."""

from markdown_it import MarkdownIt

# Only blocks matter here, and parsing what is inside a line takes most of the time.
_MARKDOWN = MarkdownIt("commonmark").disable("inline")


def find_code(text: str) -> str | None:
    """The content of the first fenced code block, with the line ends of CommonMark; None if there is none."""
    tokens = _MARKDOWN.parse(text.removeprefix("\ufeff"))
    return next((token.content for token in tokens if token.type == "fence"), None)
