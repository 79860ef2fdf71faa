"""Markdown -> text for a terminal: rendered with the terminal's own colours, wrapped at words, nothing obeyed.

Nothing is lost: HTML and references are text, line breaks stay, links and images show where they lead. What can be
copied has no frame, no padding and no trailing spaces. The only module that imports rich.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.tree import SyntaxTreeNode
from rich.box import SIMPLE_HEAD
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from qwen_cli.text import visible

MAX_LENGTH: Final = 64_000
"""Characters that are rendered; a longer text, of which rendering would take seconds, stays as it is."""

_MAX_NESTING: Final = 1000
"""Beyond it, text would be left out; Python's own limit comes first."""

_MIN_WIDTH: Final = 20
_MIN_COLUMN: Final = 5
"""What a column of a table takes at least, the space beside it included: a narrower one would lose its text."""

_STYLES: Final = {"strong": "bold", "em": "italic", "s": "strike"}
_ALIGNMENTS: Final = {"text-align:right": "right", "text-align:center": "center"}


def render(text: str, *, width: int, has_colour: bool) -> str:
    """The text rendered for so many columns, without a final newline; with colours if there may be any.

    RecursionError if it is nested too deeply.
    """
    text = visible(text.replace("\r\n", "\n"))
    if len(text) > MAX_LENGTH:
        return text
    console = Console(width=width, force_terminal=True, legacy_windows=False)
    parser = (
        MarkdownIt("commonmark", {"html": False, "maxNesting": _MAX_NESTING})
        .enable(["strikethrough", "table"])
        .disable("reference")
    )
    parser.inline.ruler.at("newline", _line_break)
    lines = _Renderer(console, text.split("\n")).blocks(SyntaxTreeNode(parser.parse(text)).children, width)
    # Not printed by the console, which would turn the tabs of code into spaces.
    return "\n".join(
        "".join(_as_written(segment, has_colour=has_colour) for segment in line.render(console)) for line in lines
    )


def _line_break(state: StateInline, silent: bool) -> bool:
    """A line break within a block: unlike in HTML, the next line keeps its indentation, as in verse or bare JSON."""
    if state.src[state.pos] != "\n":
        return False
    if not silent:
        state.push("softbreak", "br", 0)
    state.pos += 1
    return True


def _as_written(segment: Segment, *, has_colour: bool) -> str:
    style = segment.style or Style.null()
    return (style if has_colour else style.without_color).render(segment.text, color_system=ColorSystem.STANDARD)


class _Renderer:
    """Renders blocks as lines; what is nested deeply is wrapped beyond the width rather than at each letter."""

    def __init__(self, console: Console, source: Sequence[str]) -> None:
        self._console = console
        self._source = source

    def blocks(self, nodes: Iterable[SyntaxTreeNode], width: int, *, is_tight: bool = False) -> Iterator[Text]:
        """The lines of some blocks, with a blank line between two."""
        for number, node in enumerate(nodes):
            if number and not is_tight:
                yield Text()
            yield from self._block(node, width)

    def _block(self, node: SyntaxTreeNode, width: int) -> Iterator[Text]:
        match node.type:
            case "heading":
                yield from self._wrapped(node, width, "bold underline" if node.tag == "h1" else "bold")
            case "fence" | "code_block":
                yield from self._code(node)
            case "bullet_list" | "ordered_list":
                yield from self._list(node, width)
            case "blockquote":
                for line in self.blocks(node.children, width - 2):
                    yield Text.assemble(("│ " if line else "│", "dim"), line)
            case "table":
                yield from self._table(node, width)
            case "hr":
                yield Text.assemble(("─" * max(width, _MIN_WIDTH), "dim"))
            case _:
                yield from self._wrapped(node, width)

    def _wrapped(self, node: SyntaxTreeNode, width: int, style: str = "") -> Iterator[Text]:
        for line in _inline(node, style).wrap(self._console, max(width, _MIN_WIDTH), overflow="fold"):
            line.rstrip()
            yield line

    def _code(self, node: SyntaxTreeNode) -> Iterator[Text]:
        """The lines as they are: the terminal breaks long ones, and a copy has none of that."""
        code = visible(node.content.removesuffix("\n"))
        language = node.info.strip().partition(" ")[0] or "text"
        text = Syntax(code, language, theme="ansi_dark", tab_size=0).highlight(code)  # 0: a tab stays a tab
        yield from text[: len(code)].split("\n", allow_blank=True)

    def _list(self, node: SyntaxTreeNode, width: int) -> Iterator[Text]:
        number = int(node.attrs.get("start", 1))
        for place, item in enumerate(node.children):
            mark = "• " if node.type == "bullet_list" else f"{number + place}{item.markup} "
            is_tight = all(child.hidden for child in item.children if child.type == "paragraph")
            if place and not is_tight:
                yield Text()
            lines = self.blocks(item.children, width - len(mark), is_tight=is_tight)
            yield Text(mark) + next(lines, Text())
            for line in lines:
                yield Text(" " * len(mark)) + line if line else line

    def _table(self, node: SyntaxTreeNode, width: int) -> Iterator[Text]:
        head, *body = (row.children for part in node.children for row in part.children)
        source = self._source[slice(*node.map or ())]
        bars = [line.replace("\\|", "").count("|") for line in source]
        if max(bars) > bars[0]:
            yield from map(Text, source)  # a cell with a bar in it: what is beyond the last column would be left out
            return
        table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, border_style="dim")
        for cell in head:
            justify = _ALIGNMENTS.get(str(cell.attrs.get("style", "")), "left")
            table.add_column(_inline(cell, "bold"), justify=justify, overflow="fold")  # type: ignore[arg-type]
        for row in body:
            table.add_row(*map(_inline, row))
        options = self._console.options.update(width=max(width, _MIN_COLUMN * len(head)))
        for line in self._console.render_lines(table, options, pad=False):
            text = Text.assemble(*((segment.text, segment.style or "") for segment in line))
            text.rstrip()
            yield text


def _inline(node: SyntaxTreeNode, style: str = "") -> Text:
    """The text of a block, with the styles within it; lines break where they did."""
    text = Text()
    for child in node.children:
        match child.type:
            case "softbreak" | "hardbreak":  # the latter by a backslash
                text.append("\n")
            case "code_inline":
                text.append(visible(child.content), "cyan")
            case "image":
                text.append(visible(f"{child.content} ({child.attrs.get('src', '')})"))
            case "link":
                label, target = _inline(child, "underline"), visible(str(child.attrs.get("href", "")))
                text.append_text(label)
                if label.plain not in (target, target.removeprefix("mailto:")):
                    text.append(f" ({target})", "blue")
            case _ if child.children:
                text.append_text(_inline(child, _STYLES.get(child.type, "")))
            case _:
                text.append(visible(child.content))
    text.stylize(style)
    return text
