"""The manual page as Markdown, for docs/manual.md: what `man/qwen-cli.1` uses of mdoc(7), and nothing else of it.

A command is a heading, an option an item of a list. What the page uses and this does not know is an error.
"""

import re
import shlex
from collections.abc import Iterator
from textwrap import indent, wrap

TITLE = """\
# The manual

<!-- Generated from man/qwen-cli.1: edit man/qwen-cli.1.in, and run 'python -m scripts.generate'. -->

The same as `man qwen-cli`.
"""
WIDTH = 120

_ESCAPE = re.compile(r"\\(?:\[u([0-9A-F]+)\]|\((\w\w)|(.))")
_GLYPHS = {"aq": "'", "ga": "`", "ha": "^", "ti": "~", "-": "-", "e": "\\", "&": ""}
_BLOCKS = ("Sh", "Ss", "Bl", "El", "It", "Bd", "Pp")
_CODE = ("Cm", "Ic", "Li", "Ev", "Pa")
_STYLES = (*_CODE, "Fl", "Ar", "No", "Pf")
_ENCLOSED = {"Op": "[]", "Pq": "()", "Dq": '""', "Sq": "''", "Ql": "''"}
_CLOSING = (",", ".", ":", ";", ")", "]")


def render(page: str) -> str:
    """The whole page."""
    blocks = [TITLE, *Page(page).blocks()]
    return "\n".join(f"{block.rstrip()}\n" for block in blocks)


class Page:
    """The page as it is read, line by line."""

    def __init__(self, text: str) -> None:
        self.lines = [line for line in text.splitlines() if not line.startswith((".Dd", ".Dt", ".Os"))]
        self.section = ""
        self.depth = 0
        """How many lists the line stands in."""
        self.is_head = False
        """Whether what follows is on the line of the item's head."""
        self.filling: list[str] = []

    def blocks(self) -> Iterator[str]:
        """Headings, paragraphs, items and code blocks, each without the blank line between them."""
        lines = iter(self.lines)
        for line in lines:
            macro, _, rest = line.removeprefix(".").partition(" ") if line.startswith(".") else ("", "", line)
            if macro in _BLOCKS:
                yield from self._flushed()
                yield from self._block(macro, rest, lines)
            else:
                self._fill(macro, rest, line)
        yield from self._flushed()

    def _block(self, macro: str, rest: str, lines: Iterator[str]) -> Iterator[str]:
        """What a macro begins that ends a paragraph."""
        match macro:
            case "Sh":
                self.section = rest
                yield f"## {rest.capitalize()}"
            case "Ss":
                yield f"### {rest}"
            case "Bl" | "El":
                self.depth += 1 if macro == "Bl" else -1
            case "It":
                yield from self._item(rest)
            case "Bd":
                yield self._indented("```text\n" + "".join(self._literal(lines)) + "```")

    def _fill(self, macro: str, rest: str, line: str) -> None:
        """Add a line to the paragraph."""
        match macro:
            case "Nd":
                self.filling[-1] += f": {plain(rest)}"
            case "Sx":
                self.filling.append(reference(rest))
            case "Lk":
                address, title = shlex.split(rest)
                self.filling.append(f"[{title}]({address})")
            case "Nm" if self.section != "SYNOPSIS":
                self.filling.append(f"`qwen-cli`{rest if rest in _CLOSING else ''}")
            case _ if self.section == "SYNOPSIS":
                self.filling.append("qwen-cli" if macro == "Nm" else bare(f"{macro} {rest}"))
            case _:
                self.filling.append(inline(line.removeprefix(".")) if macro else prose(line))

    def _flushed(self) -> Iterator[str]:
        """The paragraph that has ended here, if there is one."""
        text, self.filling = " ".join(self.filling), []
        if self.section == "SYNOPSIS" and text:
            yield "```text\n" + text.replace(" qwen-cli ", "\nqwen-cli ") + "\n```"
        elif text:
            yield self._indented("\n".join(wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)))

    def _indented(self, block: str) -> str:
        """The block within the items that it belongs to; those of a command are the text below its heading."""
        return indent(block, "  " * (self.depth - (self.section == "COMMANDS")))

    def _item(self, head: str) -> Iterator[str]:
        if self.section == "COMMANDS" and self.depth == 1:
            path = " ".join(re.findall(r"^Cm (\w+)", head))
            yield f"### {path}"
            yield f"```text\nqwen-cli {bare(head)}\n```"
        else:
            self.depth -= 1
            yield self._indented(f"- {inline(head)}")
            self.depth += 1

    def _literal(self, lines: Iterator[str]) -> Iterator[str]:
        for line in lines:
            if line == ".Ed":
                return
            yield f"{plain(line)}\n"


def plain(text: str) -> str:
    """The text with its escapes replaced by what they stand for."""

    def glyph(escape: re.Match[str]) -> str:
        return chr(int(escape[1], 16)) if escape[1] else _GLYPHS[escape[2] or escape[3]]

    return _ESCAPE.sub(glyph, text)


def prose(line: str) -> str:
    """A line of text, in which what the page has in bold is code, and other characters are themselves."""
    pieces = re.split(r"\\fB(.*?)\\fR", line)
    return "".join(_code(plain(piece)) if place % 2 else _literally(plain(piece)) for place, piece in enumerate(pieces))


def _code(text: str) -> str:
    return f"`{text}`"


def _literally(text: str) -> str:
    """Text in which Markdown sees nothing of its own."""
    return re.sub(r"([\\*_<>\[\]])", r"\\\1", text)


def bare(line: str) -> str:
    """A line of macros without any style, for a code block."""
    return re.sub(r"[`*]|\\(?=[\[\]<>_])", "", inline(line))


def inline(line: str) -> str:
    """A line of macros, as they follow each other on it."""
    text, style, last, closing, is_glued = "", "", "", "", True
    for word in _words(line):
        if word in _ENCLOSED:
            opening, end = map(_literally, _ENCLOSED[word])
            text, closing, is_glued = text + ("" if is_glued else " ") + opening, end + closing, True
        elif word in _STYLES:
            style = word
        elif word == "Ns":
            is_glued = True
        elif word in _CLOSING and style != "No":
            text, closing = text + closing + word, ""
        else:
            styled = _styled(style, word)
            if not is_glued and text.endswith(styled[:1]) and style == last and style not in ("Fl", "No", ""):
                text = f"{text[:-1]} {styled[1:]}"
            else:
                text += ("" if is_glued else " ") + styled
            is_glued = style == "Pf"
            style, last = ("" if style == "Pf" else style), style
    return text + closing


def reference(line: str) -> str:
    """The name of a section, as a link to it."""
    *name, end = line.split(" ")
    title = " ".join([*name, *([end] if end not in _CLOSING else [])]).capitalize()
    return f"[{title}](#{title.lower().replace(' ', '-')}){end if end in _CLOSING else ''}"


def _words(line: str) -> list[str]:
    """The words of a line of macros, the escapes still in them."""
    return [word.replace("\0", "\\") for word in shlex.split(line.replace("\\", "\0").replace("'", "\0(aq"))]


def _styled(style: str, word: str) -> str:
    text = plain(word)
    match style:
        case "Fl":
            return _code(f"-{text}")
        case "Ar":
            return f"*{_literally(text)}*"
        case _ if style in _CODE:
            return _code(text)
        case _:
            return _literally(text)
