"""What holds for every document: links lead somewhere, what can be pasted works, nothing is claimed without a check."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from scripts import ROOT
from scripts.generate import documents, drifted
from scripts.speed import FIGURES
from tests.api_server import ApiServer, Request, reply
from tests.bodies import completion
from tests.documents import DOCUMENTS, README, anchors, blocks, console, executing, lay, require_tools, sandboxed
from tests.program import KEY

DOCS = ROOT / "docs"
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in DOCUMENTS}
MODEL_PAGE, SERVERS, COMPARISON = (TEXTS[f"docs/{name}.md"] for name in ("qwen", "local-servers", "comparison"))


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with files that commands may read."""
    lay(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", TEXTS)
def test_every_link_leads_somewhere(name: str) -> None:
    """To a file of the project, and in it to a heading."""
    for target in re.findall(r"\]\(([^)]+)\)", re.sub(r"^```.*?^```$", "", TEXTS[name], flags=re.M | re.S)):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        path = (ROOT / name).parent / file if file else ROOT / name
        assert path.is_file(), target
        assert not anchor or anchor in anchors(path.read_text(encoding="utf-8")), target


def test_the_readme_leads_to_every_document() -> None:
    linked = set(re.findall(r"\]\((docs/[\w-]+\.md)", TEXTS["README.md"]))
    assert linked == {f"docs/{path.name}" for path in DOCS.glob("*.md")}


@pytest.mark.parametrize("name", TEXTS)
def test_no_line_to_paste_ends_in_a_comment(name: str) -> None:
    """An interactive zsh, the shell of macOS, takes `#` and what follows for arguments."""
    pasted = "".join(blocks(TEXTS[name], "sh")).splitlines()
    assert [line for line in pasted if re.search(r"(^|\s)#(?!!)", line)] == []


@pytest.mark.parametrize("name", [*TEXTS, "man/qwen-cli.1", "qwen_cli/cli/help_texts.py"])
def test_no_example_sets_the_temperature_to_zero(name: str) -> None:
    """It is in none of the presets of the model's makers."""
    text = TEXTS.get(name) or (ROOT / name).read_text(encoding="utf-8")
    assert not re.findall(r"temperature\W+0(?![\d.])|-t 0(?![\d.])", text.replace("\\", ""))


@pytest.mark.parametrize("name", TEXTS)
def test_nothing_is_said_that_nobody_has_looked_at(name: str) -> None:
    assert not re.findall(r"(?i)not (?:measured|checked|tested)|untested|TODO", TEXTS[name])


def test_what_is_generated_is_in_step() -> None:
    assert not drifted(ROOT, documents())


def test_drift_is_found(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for name, text in documents().items():
        (tmp_path / name).write_text(text)
    (tmp_path / "docs/speed.md").write_text("Faster than anything.\n")
    assert list(drifted(tmp_path, documents())) == ["docs/speed.md"]


def test_the_table_and_the_chart_are_of_one_run() -> None:
    figures = FIGURES.read_text(encoding="utf-8")
    assert re.search(r'"processor": "\w', figures)
    speed, chart = TEXTS["docs/speed.md"], (DOCS / "wait.svg").read_text(encoding="utf-8")
    shown = {int(number) for number in re.findall(r">(\d+) ms<", chart)}
    listed = {int(number.replace(",", "")) for number in re.findall(r"([\d,]+) ms", speed)}
    # The bar of qwen-cli is the median of its rows.
    near = {number for number in shown if any(abs(number - other) <= 0.05 * other for other in listed)}
    assert len(shown & listed) >= len(("curl", "llm", "openai", "sgpt"))
    assert near


# docs/qwen.md


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Mapping[str, str]]:
    """One sandbox for all of them."""
    with sandboxed() as exported:
        yield exported


SENT_AS_NONE = "reasoning_effort=none"
"""What only a catalogue names, and the sandbox, which has the provider's schema, refuses."""


SCRIPTS = [block for block in blocks(MODEL_PAGE, "sh") if SENT_AS_NONE not in block]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script[:50])
def test_what_is_said_of_the_model_can_be_pasted(script: str, desk: Path, sandbox: Mapping[str, str]) -> None:
    require_tools(script)
    done = executing(desk, sandbox)("bash", "-euo", "pipefail", "-c", script)
    assert (done.returncode, bool(done.stdout)) == (0, True), done.stderr


def test_the_presets_are_within_the_limits(desk: Path, sandbox: Mapping[str, str]) -> None:
    lines = re.findall(r"^\| .* \| `(qwen-cli ask -t .*)` \|$", MODEL_PAGE, re.MULTILINE)
    assert len(lines) == len(("thinking", "code", "without thinking"))
    for line in lines:
        assert executing(desk, sandbox)("bash", "-c", line).returncode == 0, line


def test_thinking_switched_off_shows_in_the_bill(desk: Path, api: ApiServer) -> None:
    (script,) = (block for block in blocks(MODEL_PAGE, "sh") if SENT_AS_NONE in block)
    api.answer(reply(completion("No.")))
    done = executing(desk, {"AIMLAPI_BASE_URL": api.base_url, "AIMLAPI_API_KEY": KEY})("bash", "-c", script)
    assert done.stdout == "reasoning_tokens\t30\n"
    assert api.request.json["reasoning_effort"] == "none"


# docs/local-servers.md


def served(request: Request) -> tuple[bytes, ...]:
    """The list of models, or an answer."""
    found = {"object": "list", "data": [{"id": "m"}]} if request.method == "GET" else completion("Air scatters it.")
    return tuple(step for step in reply(found) if isinstance(step, bytes))


@pytest.mark.parametrize("script", blocks(SERVERS, "sh"), ids=lambda script: script.splitlines()[0][:70])
def test_a_local_server_is_asked_without_a_key(script: str, desk: Path, api: ApiServer) -> None:
    api.always(served)
    own, count = re.subn(r"http://localhost:\d+/v1", api.base_url, script)
    assert count == 1
    done = executing(desk, {})("bash", "-euo", "pipefail", "-c", own)
    assert done.returncode == 0, done.stderr
    assert "Air scatters it." in done.stdout
    (model,) = re.findall(r"QWEN_CLI_MODEL=(\S+)", script)
    assert {request.json["model"] for request in api.requests if request.method == "POST"} == {model}
    assert not any("authorization" in request.headers for request in api.requests)
    fields = re.findall(r"-F '?(\w+)=", script)
    assert all(field in api.requests[-1].json for field in fields)


# docs/comparison.md


@pytest.mark.parametrize("session", blocks(COMPARISON, "console"), ids=lambda session: session[2:60])
def test_what_the_comparison_shows_of_this_program_and_of_curl(session: str, desk: Path) -> None:
    require_tools(session)
    for command, shown in console(session):
        done = executing(desk, {})("bash", "-c", f"({command}) 2>&1")
        assert done.stdout == shown, command


def test_the_readme_claims_nothing_that_the_comparison_does_not_show() -> None:
    """Its table is a part of the larger one."""
    rows = re.findall(r"^\| .* \|$", README.read_text(encoding="utf-8").partition("## Why not")[2], re.MULTILINE)
    assert rows
    assert not [row for row in rows if row not in COMPARISON]
