"""What README and docs/ show, and a desk to run it at: files that the examples read, and a sandbox that answers."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from textwrap import dedent

from tests.program import SECONDS, require_tool

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
DOCUMENTS = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = Path(sys.executable).parent
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
TOOLS = {"git", "curl", "jq", "parallel", "xargs", "make", "less", "envsubst", "pdftotext", "formail"}
"""What an example may need beside the shell."""

PLAYED = {
    "xclip": 'case $* in *-o*) cat "$HOME/clipboard" ;; *) cat >"$HOME/clipboard" ;; esac',
    "edit": 'echo "A question from the editor" >"$1"',
}
"""Programs that need a screen or a person -> what stands for them."""

Done = subprocess.CompletedProcess[str]
Execute = Callable[..., Done]


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of that language, those in lists as well."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL)
    return [dedent(block) if indent else block for indent, block in found]


def section(text: str, title: str) -> str:
    """What stands below a heading, up to the next of its kind."""
    return re.split(r"^## ", text.partition(f"\n## {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def anchors(text: str) -> set[str]:
    """What a link may lead to: each heading as GitHub names it."""
    without_code = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", without_code, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def require_tools(script: str) -> None:
    """Skip a test whose script needs a program that is not there; in CI it fails."""
    for tool in TOOLS & set(re.findall(r"\w+", script)):
        require_tool(tool)


@contextmanager
def sandboxed() -> Iterator[Mapping[str, str]]:
    """A sandbox while the context lasts; the variables that it exports."""
    with subprocess.Popen([PROGRAMS / "qwen-cli", "sandbox"], stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        try:
            exports = [serving.stdout.readline() for _ in range(2)]
            yield dict(re.findall(r"^export (\w+)=(.*)$", "".join(exports), re.MULTILINE))
        finally:
            serving.terminate()


def lay(folder: Path) -> None:
    """Put on the desk what the examples take for granted: a repository with something staged, and the files they read.

    Names may have blanks in them. The clipboard is a file, and the editor writes a question.
    """
    files: Mapping[str, str | bytes] = {
        "notes.md": "Water boils at 100 degrees at sea level.\n",
        "more notes.md": "Light is faster than sound.\n",
        "mail.txt": "The lamp arrived broken. Please send the money back.\n\nIngrid Berg, Oslo\n",
        "photo.jpg": PNG,
        "words.txt": "tree\nsea\n",
        "people.csv": "name,city\nAda,London\nGrace,New York\n",
        "tickets.csv": 'id,body\n1,"The lamp, a new one,\nis broken."\n2,Thank you!\n',
        "app.log": "login failed for root\nlogin of ada\n",
        "mailbox": "".join(
            f"From ada@example.com Mon Nov 23 10:00:00 2026\nFrom: ada@example.com\nSubject: {subject}\n\nBroken.\n\n"
            for subject in ("The lamp", "The chair")
        ),
        "clipboard": "Teh lamp is brokn",
        "paper.pdf": pdf("Water boils at 100 degrees."),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    for name, script in PLAYED.items():
        program = folder / ".programs" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    for command in (["git", "init", "--quiet"], ["git", "add", "notes.md"]):
        subprocess.run(command, cwd=folder, check=True)


def executing(folder: Path, variables: Mapping[str, str]) -> Execute:
    """Run a command as a person would in that folder, with this environment's qwen-cli first on the PATH."""
    environment = {
        "PATH": f"{folder}/.programs:{PROGRAMS}:{os.environ['PATH']}",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "EDITOR": "edit",
        **variables,
    }

    def run(*command: str, env: Mapping[str, str] | None = None) -> Done:
        # Into files: what a command leaves in the background would keep pipes open.
        with TemporaryFile() as stdout, TemporaryFile() as stderr:
            done = subprocess.run(
                command,
                cwd=folder,
                env={**environment, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                check=False,
                timeout=3 * SECONDS,
            )
            texts = []
            for file in (stdout, stderr):
                file.seek(0)
                texts.append(file.read().decode())
        assert "Traceback" not in texts[1], texts[1]
        return subprocess.CompletedProcess(command, done.returncode, *texts)

    return run


def console(block: str) -> list[tuple[str, str]]:
    """The commands of a session, each with the output that is shown below it."""
    turns = re.split(r"^\$ ", block, flags=re.MULTILINE)
    assert turns[0] == ""
    pairs = []
    for turn in turns[1:]:
        lines = turn.splitlines(keepends=True)
        # A command goes on where its line ends with a backslash.
        end = next(place for place, line in enumerate(lines) if not line.endswith("\\\n")) + 1
        pairs.append(("".join(lines[:end]), "".join(lines[end:])))
    return pairs


def pdf(text: str) -> bytes:
    """A page with one line of text."""
    page = f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET"
    objects: Sequence[str] = (
        "<</Type /Catalog /Pages 2 0 R>>",
        "<</Type /Pages /Kids [3 0 R] /Count 1>>",
        "<</Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources <</Font <</F1 5 0 R>>>>>>",
        f"<</Length {len(page)}>>\nstream\n{page}\nendstream",
        "<</Type /Font /Subtype /Type1 /BaseFont /Helvetica>>",
    )
    data, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(data))
        data += f"{number} 0 obj\n{content}\nendobj\n".encode()
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    trailer = f"trailer\n<</Size {len(objects) + 1} /Root 1 0 R>>\nstartxref\n{len(data)}\n%%EOF\n"
    return data + f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{trailer}".encode()
