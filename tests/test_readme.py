"""What the README says is so: its recipes run, its tables are the program's."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qwen_cli import errors
from qwen_cli.cli.check import STATUS_OF_NO
from qwen_cli.cli.many import OUT_OF_BUDGET, SOME_FAILED
from qwen_cli.key.redaction import VARIABLES
from tests.program import require_tool

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
PROGRAMS = Path(sys.executable).parent

Execute = Callable[..., subprocess.CompletedProcess[str]]


def section(title: str) -> str:
    return re.split(r"^## ", README.partition(f"\n## {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_no_line_to_paste_ends_in_a_comment(name: str) -> None:
    """An interactive zsh, the shell of macOS, takes `#` and what follows for arguments."""
    pasted = "".join(blocks((ROOT / name).read_text(encoding="utf-8"), "sh")).splitlines()
    assert pasted
    assert [line for line in pasted if re.search(r"(^|\s)#(?!!)", line)] == []


RECIPES = blocks(section("Recipes"), "sh")


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with what the recipes take for granted: a repository with something staged, notes, a photo, words."""
    (tmp_path / "notes.md").write_text("Water boils at 100 degrees.\n")
    (tmp_path / "photo.jpg").write_bytes(PNG)
    (tmp_path / "words.txt").write_text("tree\nsea\n")
    (tmp_path / "people.csv").write_text("name,city\nAda,London\nGrace,New York\n")
    for command in (["git", "init", "--quiet"], ["git", "add", "notes.md"]):
        subprocess.run(command, cwd=tmp_path, check=True)
    return tmp_path


@pytest.fixture(scope="module")
def sandbox() -> Iterator[dict[str, str]]:
    """One sandbox for all of them; the variables that it exports."""
    with subprocess.Popen([PROGRAMS / "qwen-cli", "sandbox"], stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        try:
            exports = [serving.stdout.readline() for _ in range(2)]
            yield dict(re.findall(r"^export (\w+)=(.*)$", "".join(exports), re.MULTILINE))
        finally:
            serving.terminate()


@pytest.fixture
def execute(desk: Path, sandbox: dict[str, str]) -> Execute:
    """Run a command as a person would, with this environment's qwen-cli first on the PATH."""
    environment = {"PATH": f"{PROGRAMS}:{os.environ['PATH']}", "HOME": str(desk), **sandbox}

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=desk,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


def test_the_first_code_block_is_the_two_commands() -> None:
    first = re.findall(r"^```\w*\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)[0].splitlines()
    assert len(first) == 2
    assert first[0].endswith('qwen-cli sandbox -- qwen-cli ask "Hi! What do you think about mankind?"')
    assert "pytest" in first[1]
    assert not any(line.startswith("$") for line in first)


def test_there_are_ten_recipes_and_more() -> None:
    assert len(RECIPES) >= 10


@pytest.mark.parametrize("recipe", RECIPES, ids=[recipe.splitlines()[0][:60] for recipe in RECIPES])
def test_each_recipe_works_as_pasted(recipe: str, desk: Path, execute: Execute) -> None:
    # GNU parallel calls this machine ":", and needs no other here.
    recipe = recipe.replace("-S host1,host2", "-S :")
    for tool in {"git", "jq", "parallel", "xargs"} & set(re.findall(r"\w+", recipe)):
        require_tool(tool)
    result = execute("bash", "-euo", "pipefail", "-c", recipe)
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    for written in re.findall(r"(?:>|-o )([\w/]+\.(?:txt|json))$", recipe, re.MULTILINE):
        assert (desk / written).stat().st_size > 0, written


def test_the_recipe_for_several_machines_puts_each_line_into_the_prompt(execute: Execute) -> None:
    """GNU parallel has placeholders and quoting of its own, which would take `{}` away."""
    require_tool("parallel")
    recipe = next(recipe for recipe in RECIPES if recipe.startswith("parallel")).replace("host1,host2", ":")
    assert execute("bash", "-c", recipe).stdout == "Translate: tree\nTranslate: sea\n"


def test_the_makefile_rule_makes_its_target_and_leaves_it_alone_on_failure(desk: Path, execute: Execute) -> None:
    require_tool("make")
    (desk / "Makefile").write_text(blocks(section("Recipes"), "make")[0])
    made = execute("make", "summary.md")
    assert made.returncode == 0, made.stderr
    summary = (desk / "summary.md").read_text()
    assert "Water boils" in summary
    (desk / "notes.md").write_text("Something newer.\n")
    os.utime(desk / "summary.md", (0, 0))
    failed = execute("env", "QWEN_CLI_MAX_TOKENS=12", "make", "summary.md")
    assert failed.returncode == 2
    assert (desk / "summary.md").read_text() == summary


def test_the_table_of_exit_statuses_is_that_of_the_errors() -> None:
    listed = {int(number) for number in re.findall(r"^\| (\d+) \|", section("Exit status"), re.MULTILINE)}
    classes = {error.status for error in vars(errors).values() if isinstance(error, type) and hasattr(error, "status")}
    assert listed == classes | {0, STATUS_OF_NO, SOME_FAILED, OUT_OF_BUDGET}


def test_the_variables_of_the_key_are_listed_in_their_order() -> None:
    assert ", ".join(f"`{name}`" for name in VARIABLES) in section("Variables")
