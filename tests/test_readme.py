"""What the README shows is what happens: its commands run, its outputs are compared, its tables are the program's."""

import re
from pathlib import Path

import pytest

from qwen_cli import errors
from qwen_cli.cli.check import STATUS_OF_NO
from qwen_cli.cli.many import OUT_OF_BUDGET, SOME_FAILED
from qwen_cli.key.redaction import VARIABLES
from qwen_cli.request.field_limits import MODEL
from qwen_cli.sandbox.completion import COMPLETION_PRICE
from scripts import scripted_model
from tests.api_server import ApiServer, reply
from tests.bodies import completion
from tests.documents import README, blocks, console, executing, lay, require_tools, sandboxed, section
from tests.keyring_daemon import Keyring
from tests.program import KEY

TEXT = README.read_text(encoding="utf-8")
SET_UP, KEY_COMMANDS, OWN_SERVER = blocks(TEXT, "sh")
(SHOWN_AT_SET_UP,) = blocks(TEXT, "text")
(MAKEFILE,) = blocks(TEXT, "make")
SESSIONS = blocks(TEXT, "console")


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with the files that the examples read."""
    lay(tmp_path)
    return tmp_path


def test_every_block_is_of_a_kind_that_is_run() -> None:
    assert set(re.findall(r"^```(\w+)$", TEXT, re.MULTILINE)) == {"sh", "text", "console", "make"}


def test_the_first_block_is_the_two_commands() -> None:
    first, second = re.findall(r"^```\w*\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)[0].splitlines()
    assert first.endswith('"Hi! What do you think about mankind?"')
    assert second.endswith("pytest -q")


def test_what_the_first_command_prints_once_it_has_installed(desk: Path) -> None:
    install, _, asked = SET_UP.splitlines()[0].partition(" && qwen-cli ")
    assert install.endswith("pip install -q .")
    done = executing(desk, {})("sh", "-c", f"qwen-cli {asked} 2>&1")
    assert (done.returncode, done.stdout) == (0, SHOWN_AT_SET_UP)


@pytest.mark.parametrize("session", SESSIONS, ids=lambda session: session.splitlines()[0][2:60])
def test_each_example_prints_what_is_shown(session: str, desk: Path) -> None:
    require_tools(session)
    (desk / "Makefile").write_text(MAKEFILE)
    with scripted_model.serving() as variables:
        execute = executing(desk, variables)
        for command, shown in console(session):
            if command.startswith("cat "):
                # A file that the next command reads, as a reader would write it.
                (desk / command.split()[1]).write_text(shown)
            done = execute("bash", "-euo", "pipefail", "-c", command)
            assert (done.returncode, done.stdout, done.stderr) == (0, shown, ""), command


def test_the_key_is_stored_and_found(keyring: Keyring, desk: Path) -> None:
    execute = executing(desk, keyring.environment)
    set_command, status_command = KEY_COMMANDS.splitlines()
    stored = execute("sh", "-c", f"printf %s {KEY} | {set_command}")
    assert stored.returncode == 0, stored.stderr
    found = execute("sh", "-c", status_command)
    assert found.returncode == 0
    assert "keyring" in found.stdout


def test_a_server_of_ones_own_needs_no_key(desk: Path, api: ApiServer) -> None:
    models = reply({"object": "list", "data": [{"id": "qwen3", "object": "model"}]})
    api.answer(models, reply(completion("Because of Rayleigh.")))
    script = OWN_SERVER.replace("http://localhost:8080/v1", api.base_url)
    assert script != OWN_SERVER
    done = executing(desk, {})("bash", "-euc", script)
    assert done.stdout.splitlines() == ["qwen3\t-\t-\t-", "Because of Rayleigh."]
    assert api.requests[1].json["model"] == "qwen3"
    assert not any("authorization" in request.headers for request in api.requests)


def test_the_makefile_leaves_its_target_alone_when_the_answer_is_incomplete(desk: Path) -> None:
    require_tools("make")
    (desk / "Makefile").write_text(MAKEFILE)
    (desk / "summary.md").write_text("The old summary.\n")
    with sandboxed() as variables:
        failed = executing(desk, variables)("make", "-B", "summary.md", env={"QWEN_CLI_MAX_TOKENS": "12"})
    assert failed.returncode == 2
    assert (desk / "summary.md").read_text() == "The old summary.\n"


def test_the_table_of_exit_statuses_is_that_of_the_errors() -> None:
    table = TEXT.partition("\n### Exit statuses\n")[2].partition("\n## ")[0]
    listed = {int(number) for number in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    classes = {error.status for error in vars(errors).values() if isinstance(error, type) and hasattr(error, "status")}
    assert listed == classes | {0, STATUS_OF_NO, SOME_FAILED, OUT_OF_BUDGET}


def test_the_variables_of_the_key_are_named_in_their_order() -> None:
    assert [name for name in re.findall(r"`(\w+)`", section(TEXT, "The key")) if name in VARIABLES] == list(VARIABLES)


def test_the_first_paragraph_says_whose_key_and_what_a_question_costs() -> None:
    paragraph = TEXT.split("\n\n")[1]
    assert "key" in paragraph
    assert MODEL in paragraph
    assert "a third of a US cent" in paragraph
    thousand_tokens = float(COMPLETION_PRICE) / 1000
    assert thousand_tokens == pytest.approx(0.01 / 3, rel=0.2)


def test_it_is_one_page() -> None:
    prose = re.sub(r"^```.*?^```$", "", TEXT, flags=re.MULTILINE | re.DOTALL)
    assert len(TEXT.splitlines()) <= 160
    assert len(re.findall(r"[\w'/-]+", re.sub(r"\]\(.*?\)", "]", prose))) <= 1000
