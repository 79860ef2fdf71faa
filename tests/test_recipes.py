"""Every recipe in docs/recipes.md does what it says: in bash, in zsh where that could differ, or in its own shell."""

import os
import re
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.api_server import ApiServer, Reply, reply
from tests.bodies import completion
from tests.documents import PROGRAMS, ROOT, Execute, blocks, executing, lay, require_tools, sandboxed, section
from tests.program import KEY, require_tool
from tests.shells import BASHRC, PROMPT, ZSHRC, TerminalShell

TEXT = (ROOT / "docs/recipes.md").read_text(encoding="utf-8")
RECIPES = blocks(TEXT, "sh")
WRITTEN = re.compile(r"(?:>|-o )([\w./]+\.(?:txt|json|csv|mbox))$", re.MULTILINE)
"""A file in which a recipe leaves something."""


def recipe(part: str) -> str:
    """The one recipe that holds these words."""
    (found,) = (each for each in RECIPES if part in each)
    return found


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Mapping[str, str]]:
    """One sandbox for all of them; the variables that it exports."""
    with sandboxed() as exported:
        yield exported


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with the files that the recipes read."""
    lay(tmp_path)
    return tmp_path


@pytest.fixture
def execute(desk: Path, sandbox: Mapping[str, str]) -> Execute:
    """Run a script at the desk, in the sandbox."""
    return executing(desk, sandbox)


@pytest.fixture
def served(desk: Path, api: ApiServer) -> Execute:
    """Run a script at the desk, against the scripted server."""
    return executing(desk, {"AIMLAPI_BASE_URL": api.base_url, "AIMLAPI_API_KEY": KEY, "QWEN_CLI_RETRIES": "0"})


OUTPUTS: Mapping[str, str] = {
    "--chat travel.json": (
        "Where is it warm in March?\n"
        "And without flying?\n"
        "system: You are a travel agent.\n"
        "user: Where is it warm in March?\n"
        "assistant: Where is it warm in March?\n"
        "user: And without flying?\n"
        "assistant: And without flying?\n"
    ),
    "EDITOR:-vi": "A question from the editor\n",
    "--dry-run": "0.95\n",
    "Translate the following:": (
        "Translate the following:\n\nWater boils at 100 degrees at sea level.\n\nInto French, please.\n"
    ),
    "envsubst": "Write a friendly reminder to Ada: the invoice of 1 November is open.\n",
    "while IFS= read": "Translate into French: tree\nTranslate into French: sea\n",
    "tail -n +1": (
        "==> more notes.md <==\nLight is faster than sound.\n\n"
        "==> notes.md <==\nWater boils at 100 degrees at sea level.\n\nWhich of these files contradict each other?\n"
    ),
    "Name three more": "\n\n\n\n",
    "-P 16": "tree\tTranslate into French: tree\nsea\tTranslate into French: sea\n",
    "parallel": "Translate: tree\nTranslate: sea\n",
    "people.jsonl": "Ada\tIn which country is London?\nGrace\tIn which country is New York?\n",
    "--choice spam --choice ham 'You have won! Is this": "spam\n",
    "--fault noformat": "spam\nspam\nspam\n",
    "--fault invalid": "status 9\n",
    "if qwen-cli check": "blue\n",
    "formail -s sh -c 'cat >": "Subject: The lamp\nSubject: The chair\n",
}
"""Words of a recipe -> what it prints in the sandbox, which repeats the prompt."""


def is_read_by_the_shell(script: str) -> bool:
    """Whether shells could differ in it: something is expanded or decided outside of its quotes."""
    return re.search(r"[$*?]|\b(?:if|case|while|for)\b", re.sub(r"'[^']*'", "", script)) is not None


IN_SHELLS = [("bash", each) for each in RECIPES] + [("zsh", each) for each in RECIPES if is_read_by_the_shell(each)]


@pytest.mark.parametrize(("shell", "script"), IN_SHELLS, ids=lambda text: " ".join(text.split())[:60])
def test_each_works_as_pasted(shell: str, script: str, desk: Path, execute: Execute) -> None:
    require_tool(shell)
    output = next((output for part, output in OUTPUTS.items() if script == recipe(part)), None)
    # GNU parallel calls this machine ":", and needs no other here.
    script = script.replace("-S host1,host2", "-S :")
    require_tools(script)
    done = execute(shell, "-euo", "pipefail", "-c", script)
    assert done.returncode == 0, done.stderr
    assert output in (None, done.stdout), done.stderr
    for name in WRITTEN.findall(script):
        assert (desk / name).stat().st_size > 0, name


def test_no_recipe_is_in_a_language_that_nothing_runs() -> None:
    assert set(re.findall(r"^```(\w+)$", TEXT, re.MULTILINE)) == {"sh", "make", "bash", "zsh", "fish"}


def test_the_text_of_a_pdf_is_a_part_of_the_prompt(execute: Execute) -> None:
    """How many blank lines follow it differs between versions of pdftotext."""
    script = recipe("pdftotext")
    require_tools(script)
    done = execute("bash", "-euo", "pipefail", "-c", script)
    lines = [line for line in done.stdout.splitlines() if line]
    assert lines == ["Water boils at 100 degrees.", "Summarise this paper in five lines"]


def test_the_clipboard_gets_the_answer_and_stays_as_it_was_after_a_failure(
    desk: Path, served: Execute, api: ApiServer
) -> None:
    api.answer(reply(completion("The lamp is broken")), reply(status=400))
    assert served("bash", "-c", recipe("xclip")).returncode == 0
    assert (desk / "clipboard").read_text() == "The lamp is broken"
    assert api.requests[0].json["messages"][0]["content"].startswith("Teh lamp is brokn\n\n")
    assert served("bash", "-c", recipe("xclip")).returncode == 4
    assert (desk / "clipboard").read_text() == "The lamp is broken"


def test_the_pager_gets_rendered_markdown(served: Execute, api: ApiServer) -> None:
    require_tool("less")
    api.answer(reply(completion("# Two\n\n| a | b |\n|---|---|\n| 1 | 2 |")))
    done = served("bash", "-c", recipe("less -R"), env={"TERM": "xterm"})
    assert "\x1b[" in done.stdout
    assert "|---|" not in done.stdout


def test_another_model_is_asked_only_after_a_failure_that_another_model_can_mend(
    served: Execute, api: ApiServer
) -> None:
    api.answer(reply(status=503), reply(completion("Hot.")), reply(completion("", finish_reason="length")))
    script = recipe('-m alibaba/qwen3-32b "$@"')
    done = served("bash", "-c", script)
    assert (done.returncode, done.stdout) == (0, "Hot.\n")
    assert [request.json["model"] for request in api.requests] == ["alibaba/qwen3.6-35b-a3b", "alibaba/qwen3-32b"]
    assert served("bash", "-c", script).returncode == 8


def test_a_second_run_of_the_table_asks_only_what_has_failed(desk: Path, served: Execute, api: ApiServer) -> None:
    fits = reply(completion('{"product": "lamp", "urgent": true}'))
    api.answer(fits, reply(status=400), fits)
    env = {"QWEN_CLI_PARALLEL": "1"}
    assert served("bash", "-c", recipe("--cache answers --csv"), env=env).returncode == 11
    assert (desk / "classified.csv").read_text().splitlines()[-1] == "2,Thank you!,,"
    assert served("bash", "-c", recipe("--cache answers --csv"), env=env).returncode == 0
    assert (desk / "classified.csv").read_text() == (
        'id,body,product,urgent\n1,"The lamp, a new one,\nis broken.",lamp,true\n2,Thank you!,lamp,true\n'
    )


FILTERS = {
    "app.log": ("failed.txt", "login failed for root\n"),
    "filter --csv": ("complaints.csv", 'id,body\n1,"The lamp, a new one,\nis broken."\n'),
    "printf '%s\\0' *.md | qwen-cli filter": (None, "more notes.md\n"),
    "complaints.mbox": ("complaints.mbox", "Subject: The lamp\n"),
}
"""Words of a recipe that filters -> its file, and what is there for one yes and one no."""


@pytest.mark.parametrize("part", FILTERS)
def test_a_filter_keeps_what_the_answer_is_yes_for(part: str, desk: Path, served: Execute, api: ApiServer) -> None:
    script = recipe(part)
    require_tools(script)
    name, kept = FILTERS[part]
    api.answer(*(reply(completion(f'{{"choice": "{word}"}}')) for word in ("yes", "no")))
    done = served("bash", "-euo", "pipefail", "-c", script, env={"QWEN_CLI_PARALLEL": "1"})
    assert done.returncode == 0, done.stderr
    output = done.stdout if name is None else (desk / name).read_text()
    lines = [line for line in output.splitlines(keepends=True) if part != "complaints.mbox" or "Subject" in line]
    assert "".join(lines).endswith(kept)
    assert len(lines) == len(kept.splitlines())


def test_formail_leaves_a_mailbox_that_is_one(desk: Path, execute: Execute) -> None:
    script = recipe("complaints.mbox")
    require_tools(script)
    assert execute("bash", "-euo", "pipefail", "-c", script).returncode == 0
    assert (desk / "complaints.mbox").read_text() == (desk / "mailbox").read_text()


# make


MAKEFILES = blocks(section(TEXT, "Make"), "make")


def test_the_rule_makes_its_target_and_leaves_it_alone_on_failure(desk: Path, execute: Execute) -> None:
    require_tool("make")
    (desk / "Makefile").write_text(MAKEFILES[0])
    assert execute("make", "-j4", "summary.md").returncode == 0
    summary = (desk / "summary.md").read_text()
    assert summary == "Water boils at 100 degrees at sea level.\n\nSummarise this in five lines\n"
    (desk / "notes.md").write_text("Something newer.\n")
    os.utime(desk / "summary.md", (0, 0))
    assert execute("make", "summary.md", env={"QWEN_CLI_MAX_TOKENS": "12"}).returncode == 2
    assert (desk / "summary.md").read_text() == summary


@pytest.mark.parametrize(("word", "status"), [("yes", 0), ("no", 2)])
def test_the_rule_goes_on_only_after_a_yes(word: str, status: int, desk: Path, served: Execute, api: ApiServer) -> None:
    require_tool("make")
    (desk / "Makefile").write_text(MAKEFILES[1])
    api.answer(reply(completion(f'{{"choice": "{word}"}}')))
    assert served("make", "publish").returncode == status
    assert (desk / "public.md").exists() == (status == 0)


def test_a_rebuild_asks_nothing(desk: Path, served: Execute, api: ApiServer) -> None:
    require_tool("make")
    (desk / "Makefile").write_text(MAKEFILES[2])
    api.answer(reply(completion("Teal.")))
    assert served("make", "colours.txt").returncode == 0
    assert served("make", "-B", "colours.txt").returncode == 0
    assert (desk / "colours.txt").read_text() == "Teal.\n"


def test_every_makefile_is_tested() -> None:
    assert len(MAKEFILES) == len(blocks(TEXT, "make")) == len(("summary", "publish", "colours"))


# A key in the shell


class Typing(TerminalShell):
    """A shell at a terminal, set up as the recipe says, with the real program and the scripted server."""

    def __init__(self, folder: Path, recipe: str, api: ApiServer) -> None:
        self.recipe, self.api = recipe, api
        super().__init__(folder)

    @property
    def environment(self) -> Mapping[str, str]:
        variables = {"AIMLAPI_BASE_URL": self.api.base_url, "AIMLAPI_API_KEY": KEY, "QWEN_CLI_RETRIES": "0"}
        return {**super().environment, "PATH": f"{PROGRAMS}:/usr/local/bin:/usr/bin:/bin", **variables}

    @abstractmethod
    def command(self) -> list[str]:
        """How the shell is started, the recipe in its file."""


class Bash(Typing):
    def command(self) -> list[str]:
        rc = self.home / ".bashrc"
        rc.write_text(BASHRC + self.recipe)
        return [require_tool("bash"), "--noprofile", "--rcfile", str(rc), "-i"]


class Zsh(Typing):
    def command(self) -> list[str]:
        (self.home / ".zshrc").write_text(ZSHRC + self.recipe)
        return [require_tool("zsh"), "-d", "-i"]


class Fish(Typing):
    def command(self) -> list[str]:
        config = self.home / ".config/fish/config.fish"
        config.parent.mkdir(parents=True)
        config.write_text(
            f"function fish_prompt; echo -n {PROMPT.decode()!r}; end\n"
            "set fish_greeting\n"
            """bind \\cxp 'printf "<<<%s>>>" "$(commandline)"'\n""" + self.recipe
        )
        return [require_tool("fish"), "-i"]


KEYS: Mapping[str, Callable[[Path, str, ApiServer], Typing]] = {"bash": Bash, "zsh": Zsh, "fish": Fish}
ALT_E = b"\x1be"
SENTENCE = "the two largest files, don't ask"


@pytest.fixture(params=KEYS)
def typing(request: pytest.FixtureRequest, tmp_path: Path, api: ApiServer) -> Iterator[Typing]:
    """Each shell in turn."""
    (block,) = blocks(section(TEXT, "A key in the shell"), request.param)
    shell = KEYS[request.param](tmp_path, block, api)
    yield shell
    shell.close()


def test_alt_e_turns_the_sentence_into_a_command(typing: Typing, api: ApiServer) -> None:
    api.answer(reply(completion("Here it is:\n\n```sh\nls -S | head -2\n```\n")))
    assert typing.press(SENTENCE, ALT_E) == "ls -S | head -2"
    assert [message["content"] for message in api.request.json["messages"]][1:] == [SENTENCE]


FAILURES: Mapping[str, Reply] = {
    "no command": reply(completion("I cannot do that.")),
    "an error": reply(status=401),
    "a cut answer": reply(completion("```\nls\n```\n", finish_reason="length")),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_alt_e_keeps_the_line_when_anything_fails(typing: Typing, api: ApiServer, failure: str) -> None:
    api.answer(FAILURES[failure])
    assert typing.press(SENTENCE, ALT_E) == SENTENCE
