"""What holds for every document: links lead somewhere, what can be pasted works, nothing is claimed without a check."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from scripts import ROOT, speed, wait_chart
from scripts.generate import documents, drifted
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


# docs/speed.md


def row(name: str, ratio: float, *walls: float, limit: float | None = None, verdict: str = "") -> dict[str, object]:
    """A row as the benchmarks write it."""
    return {
        "name": name,
        "figure": "wall",
        "limit": limit,
        "ratio": ratio,
        "verdict": verdict,
        "sides": [{"wall": wall} for wall in walls],
    }


FIGURES: speed.Figures = {
    "machine": {"date": "2026-11-27", "cores": 2, "processor": "Z80", "kernel": "CP/M 2.2", "python": "3.11.7"},
    "programs": {"qwen-cli": "0.3.0", "curl": "8.1"},
    "rounds": 9,
    "rows": [
        row(speed.PYTHON, 1.5, 0.015, 0.010, limit=1.8, verdict="holds"),
        row("ask / llm", 0.25, 0.1, 0.4, limit=0.17, verdict="MISSED"),
        row("ask / curl | jq", 5.0, 0.1, 0.02),
        row("ask - curl, TLS, 100 ms, in starts of Python", 2.6, 0.339, 0.313, 0.01, limit=2.5, verdict="MISSED"),
        row("map, seconds for one more prompt", 0.001, 0.001, limit=1 / 800, verdict="holds"),
        {"name": "ask / sgpt", "verdict": "missing", "reason": "sgpt is not installed"},
    ],
}


def test_the_machine_and_a_start_of_python_stand_beside_the_figures() -> None:
    sentences = " ".join(speed.machine(FIGURES))
    assert "9 rounds on 2026-11-27: 2 cores of Z80, CP/M 2.2, Python 3.11.7" in sentences
    assert "(`python -c pass`) took 10.0 ms" in sentences
    assert "qwen-cli 0.3.0, curl 8.1." in sentences


def test_a_limit_that_was_missed_is_shown_as_missed_and_what_is_missing_not_at_all() -> None:
    _, _, *rows = speed.table(FIGURES)
    assert rows == [
        "| `ask` over TLS, 100 ms of round trip | `curl` | 339 ms, 313 ms | 2.6 starts more | 2.5 starts (missed) |",
        "| the same | `llm --no-stream -n` | 100 ms, 400 ms | 0.25 \N{MULTIPLICATION SIGN} | 0.17 (missed) |",
        "| the same | `curl \\| jq` | 100 ms, 20 ms | 5.0 \N{MULTIPLICATION SIGN} |  |",
        "| `--version` | `python -c pass` | 15 ms, 10 ms | 1.5 \N{MULTIPLICATION SIGN} | 1.8 |",
        "| `map`, prompts a second | | | 1,000 | 800 or more |",
    ]


def test_the_chart_has_a_bar_for_each_program_that_was_measured() -> None:
    chart = wait_chart.draw(FIGURES)
    assert re.findall(r">([\w| -]+)</text>", chart) == [
        "qwen-cli ask",
        "curl | jq",
        "llm",
        "Server on the same machine",
        "100 ms",
        "20 ms",
        "400 ms",
    ]


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


# docs/install.md


def test_completions_and_manual_are_where_installing_says() -> None:
    """The shares of an environment, below its `share`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    shares = set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"].values())
    named = {path.removeprefix(".venv/") for path in re.findall(r"\.venv/(?:share/)[\w./-]+", TEXTS["docs/install.md"])}
    named -= {"share"}
    assert named
    assert not [path for path in named if not any(share.startswith(path) for share in shares)]


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
