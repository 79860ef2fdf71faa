"""The files `NAME.in`, in which a line `@PART@` stands for what is generated."""

from collections.abc import Iterable

from scripts import ROOT


def filled(name: str, **parts: Iterable[str]) -> str:
    """The file of that name, made of its template and the lines of each part."""
    text = (ROOT / f"{name}.in").read_text(encoding="utf-8")
    for part, lines in parts.items():
        text = text.replace(f"@{part}@", "\n".join(lines))
    return text
