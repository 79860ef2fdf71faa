"""The manual page, in mdoc(7): the prose of `man/qwen-cli.1.in`, and in it what the declarations say.

A line `@NAME ARGUMENT@` of the prose is replaced by what that method of `Page` yields, `@NAME@` within a line by a few
words. Nothing may be left out: a command, an option or an example that the prose doesn't call for is an error.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from textwrap import wrap

from qwen_cli import errors
from qwen_cli.cli.help_texts import EXAMPLES
from qwen_cli.key.os_keyring import SERVICE
from qwen_cli.key.redaction import VARIABLES
from qwen_cli.request.field_limits import MODEL
from scripts import ROOT
from scripts.declarations import Command, Operands, Option, shared_options

PROSE = ROOT / "man" / "qwen-cli.1.in"

_BLOCK = re.compile(r"^@(\w+)(?: (.*))?@$", re.MULTILINE)
_FLAG = re.compile(r"(?<!\S)--?[a-z][a-z-]*")
_GLYPHS = {"\\": r"\e", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti", "-": r"\-"}


def render(commands: Mapping[str, Command], prose: str | None = None) -> str:
    """The whole page."""
    page = Page(commands)
    words = {
        "model": literal(MODEL),
        "service": SERVICE,
        "usual": listed([f"\\fB{path}\\fR" for path in page.usual]),
        "without_variable": page.without_variable(),
    }
    text = PROSE.read_text(encoding="utf-8") if prose is None else prose
    text = _BLOCK.sub(lambda call: "\n".join(getattr(page, call[1])(call[2])), text)
    for name, value in words.items():
        text = text.replace(f"@{name}@", value)
    page.check()
    return "".join(f"{line}\n" for line in filled(text.splitlines()))


class Page:
    """What can be called for, and what still has to be."""

    def __init__(self, commands: Mapping[str, Command]) -> None:
        self.commands = commands
        self.owners: dict[Option, tuple[str, ...]] = {}
        self.rivals: dict[Option, tuple[str, ...]] = {}
        for paths, group in shared_options(commands).items():
            for option in group:
                # Not every command that has an option has all of its rivals.
                alone = replace(option, rivals=())
                owners = self.owners.get(alone, ()) + paths
                self.owners[alone] = tuple(path for path in commands if path in owners)
                self.rivals[alone] = max(self.rivals.get(alone, ()), option.rivals, key=len)
        # Most options belong to these commands; only what differs is worth a word.
        self.usual = max(self.owners.values(), key=list(self.owners.values()).count)
        self.missing_commands = {path for path in commands if path}
        self.missing_options = set(self.owners)
        self.missing_examples = dict.fromkeys(line for lines in EXAMPLES.values() for line in lines)

    def check(self) -> None:
        """ValueError when something was not called for."""
        forgotten = [*self.missing_commands, *(option.flags[0] for option in self.missing_options)]
        if forgotten or self.missing_examples:
            raise ValueError(f"{PROSE.name} leaves out {', '.join([*forgotten, *self.missing_examples])}")

    def synopsis(self, _: None) -> Iterator[str]:
        for command in self.commands.values():
            if not command.subcommands:
                yield from (".Nm", f".Cm {command.path}", ".Op Ar OPTIONS")
                yield from (f".{words}" for words in operands(command))

    def command(self, path: str) -> Iterator[str]:
        """The head of a command's paragraph, and its summary."""
        command = self.commands[path]
        self.missing_commands.remove(path)
        subcommands = r" Ns \&| Ns ".join(f"Cm {name}" for name in command.subcommands)
        yield " ".join([".It", "Cm", path, *operands(command), *([subcommands] if subcommands else [])])
        yield sentence(command.summary)

    def details(self, path: str) -> Iterator[str]:
        """What the command's help says beside its summary, a sentence a line."""
        yield from (prose(text) for text in re.split(r"(?<=\.) (?=[A-Z])", self.commands[path].details))

    def options(self, group: str) -> Iterator[str]:
        """The options of a panel, or those that only one command has, by its path; none is shown twice."""
        wanted = [
            option
            for option, owners in self.owners.items()
            if option in self.missing_options and (option.panel == group or owners == (group,))
        ]
        self.missing_options -= set(wanted)
        users = {owner for option in wanted for owner in self.owners[option]}
        for option in wanted:
            yield from self._option(option, users)

    def _option(self, option: Option, users: Set[str]) -> Iterator[str]:
        """One of the options that these commands have; said is which have it, where that is not all of them."""
        flags = " , ".join(f"Fl {literal(flag[1:])}" for flag in (*option.flags, *option.off))
        yield f".It {flags} {metavar(option.value.metavar) if option.value else ''}".rstrip()
        yield sentence(option.help)
        if option.default:
            yield sentence(f"Default: {option.default}")
        if rivals := self.rivals[option]:
            yield sentence(f"Cannot be combined with {listed(long_names(rivals), last='or')}")
        owners = self.owners[option]
        others = [path for path in owners if path not in self.usual]
        if all(owners) and set(owners) < users and len(owners) < len(self.usual):
            yield sentence(f"Only {listed(owners)}")
        elif others and 1 < len(owners) < len(self.commands):
            yield sentence(f"Also {listed(others)}")

    def examples(self, path: str) -> Iterator[str]:
        """The examples of a command that have not been shown yet."""
        lines = [line for line in EXAMPLES[path] if line in self.missing_examples]
        for line in lines:
            del self.missing_examples[line]
        yield from (".Bd -literal -offset indent", *map(literal, lines), ".Ed", ".Pp")

    def keys(self, _: None) -> Iterator[str]:
        yield f".It Ev {' , '.join(VARIABLES)}"

    def statuses(self, _: None) -> Iterator[str]:
        """The exit statuses of the errors, as the drawing of their tree explains them."""
        explained = dict(re.findall(r"─ (\w+) +\d+ +(.*)", errors.__doc__ or ""))
        for error in (kind for kind in errors.QwenError.__subclasses__() if kind.status != 1):
            yield f".It {error.status}"
            yield sentence(explained[error.__name__])

    def without_variable(self) -> str:
        """The options that only the command line can give."""
        options = [option for option in self.owners if not option.variables and option.panel != "General"]
        names = dict.fromkeys(max(option.flags, key=len) for option in options if option.flags != ("-r",))
        return sentence(listed(list(names))).removesuffix(".")


def filled(lines: Iterable[str]) -> Iterator[str]:
    """The lines, those of prose at most 80 bytes long; macros and literal blocks as they are."""
    verbatim = False
    for line in lines:
        verbatim = line.startswith(".Bd") or (verbatim and line != ".Ed")
        if verbatim or line.startswith("."):
            yield line
        else:
            yield from wrap(line, 80, break_long_words=False, break_on_hyphens=False)


def listed(names: Sequence[str], *, last: str = "and") -> str:
    """`a, b and c`"""
    return f" {last} ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def operands(command: Command) -> Iterator[str]:
    """A command's operands in mdoc's macros."""
    if command.operand:
        names = " \\&| ".join(f"Ar {name}" for name in re.findall("[A-Z]+", command.operand))
        dashes = r"Fl \- " if command.operands is Operands.COMMAND else ""
        yield f"Op {dashes}{names} ..."


def long_names(flags: tuple[str, ...]) -> list[str]:
    """Of each option's flags the long one; a short one that stands alone stays."""
    return [flag for flag in flags if flag.startswith("--") and not flag.startswith("--no-")] or list(flags)


def sentence(text: str) -> str:
    """A line of prose, capitalised and with a full stop."""
    return prose(text[0].upper() + text[1:]) + "."


def prose(text: str) -> str:
    """Text whose flags are bold, and whose hyphens are hyphens except where they start a number or a flag."""
    # A terminal of ASCII alone would show a question mark for the ellipsis.
    text = text.replace("\\", r"\e")
    text = re.sub(r"(?<!\S)-(?=\d)", r"\\-", text).replace("…", "...").replace("'", r"\(aq")
    text = _FLAG.sub(lambda flag: f"\\fB{literal(flag[0])}\\fR", text)
    return "".join(character if character.isascii() else f"\\[u{ord(character):04X}]" for character in text)


def literal(text: str) -> str:
    """Text to be pasted: every character is the one that a shell wants."""
    escaped = "".join(_GLYPHS.get(character, character) for character in text)
    return f"\\&{escaped}" if escaped.startswith(".") else escaped


def metavar(text: str) -> str:
    """`FILE|URL`, `low|high` or `KIND[*TIMES]` in mdoc's macros: capitals stand for something, the rest for itself."""
    pieces = re.findall(r"[A-Z]+|[a-z0-9_]+|[^A-Za-z0-9_]+", text)
    macros = {True: "Ar", False: "Cm"}
    return " Ns ".join(
        f"{macros[piece.isupper()]} {piece}" if piece.isalnum() or "_" in piece else f"No \\&{piece}"
        for piece in pieces
    )
