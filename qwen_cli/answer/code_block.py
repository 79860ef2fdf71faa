"""Fenced code blocks of Markdown, as CommonMark has them. No I/O."""

from markdown_it import MarkdownIt

# Only blocks matter here, and parsing what is inside a line takes most of the time.
_MARKDOWN = MarkdownIt("commonmark").disable("inline")


def find_code_blocks(text: str) -> list[str]:
    """The content of each fenced code block, with the line ends of CommonMark."""
    tokens = _MARKDOWN.parse(text.removeprefix("\ufeff"))
    return [token.content for token in tokens if token.type == "fence"]
