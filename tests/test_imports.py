"""Each command imports what it needs and nothing else: a one-shot command lives or dies by its start."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from tests.api_server import ApiServer, events, reply
from tests.bodies import chunks, completion
from tests.program import Program

LISTING = """
import sys

before = frozenset(sys.modules)
from qwen_cli.__main__ import main

try:
    main(sys.argv[1:])
finally:
    # None stands for a module that was kept from being imported.
    loaded = {name for name, module in sys.modules.items() if module is not None}
    with open("modules", "w") as listing:
        listing.write("\\n".join(loaded - before))
"""


@dataclass(frozen=True)
class Loaded:
    """The modules that one run of the program has loaded."""

    names: frozenset[str]

    @property
    def foreign(self) -> set[str]:
        """The packages that are neither Python's nor ours."""
        packages = {name.partition(".")[0] for name in self.names}
        return packages - sys.stdlib_module_names - {"qwen_cli", "__mp_main__"}

    @property
    def own(self) -> set[str]:
        """Our modules, without the package's name."""
        return {name.removeprefix("qwen_cli.") for name in self.names if name.startswith("qwen_cli.")}

    def among(self, unwanted: Sequence[str]) -> set[str]:
        """Those of the unwanted that were loaded, or a part of them."""
        return {each for each in unwanted if any(f"{name}.".startswith(f"{each}.") for name in self.names)}


def loaded_by(qwen: Program, *arguments: str) -> Loaded:
    """What the program has in memory when it ends."""
    subprocess.run(
        [sys.executable, "-c", LISTING, *arguments],
        cwd=qwen.cwd,
        env=qwen.environment(None, {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=20,
        check=True,
    )
    return Loaded(frozenset((qwen.cwd / "modules").read_text().split()))


PARSING = {"typer", "click", "annotated_doc", "shellingham", "typing_extensions"}
SENDING = {"httpx", "httpcore", "h11", "certifi", "idna", "brotli", "brotlicffi", "zstandard"}
"""httpx, and what it takes with it where that is installed."""

NEVER = (
    *("jsonschema_rs", "markdown_it", "qwen_cli.answer.schema", "qwen_cli.answer.code_block"),
    *("rich", "pygments", "pydantic", "keyring", "secretstorage", "jeepney", "cryptography"),
    *("asyncio", "anyio", "sniffio", "trio", "httpx._main", "importlib.metadata", "importlib_metadata"),
    *("concurrent", "multiprocessing", "unittest", "doctest", "pdb", "sqlite3", "xml", "ctypes", "pkg_resources"),
    "encodings.idna",
    "qwen_cli.sandbox",
)
"""What is not needed for asking over http with the key in the environment, and has been dear at some time."""


HTTP = {f"connection.{name}" for name in ("client", "response", "network_backend", "network_failures", "lean_httpx")}
"""Our modules that import httpx or httpcore."""


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_the_version_needs_next_to_nothing(qwen: Program, flag: str) -> None:
    loaded = loaded_by(qwen, flag)
    assert loaded.own == {"__main__"}
    assert loaded.foreign == set()
    assert (
        loaded.among(["json", "inspect", "dataclasses", "argparse", "socket", "ssl", "threading", "tempfile"]) == set()
    )


@pytest.mark.parametrize(
    "arguments", [("--help",), ("ask", "--help"), ("stream", "-h"), ("cost", "--help"), ("key", "--help")], ids=" ".join
)
def test_help_needs_the_parser_only(qwen: Program, arguments: tuple[str, ...]) -> None:
    loaded = loaded_by(qwen, *arguments)
    assert loaded.foreign <= PARSING
    assert loaded.among(NEVER) == set()
    assert loaded.among(["socket", "ssl", "http", "email", "base64", "hashlib", "tempfile", "decimal"]) == set()
    assert loaded.own.isdisjoint({*HTTP, "exchange", "answer.completion", "cost.usage", "connection.certificates"})


@pytest.mark.parametrize("flag", ["--dry-run", "--curl"])
def test_a_preview_needs_no_http(qwen: Program, flag: str) -> None:
    loaded = loaded_by(qwen, "ask", flag, "hi")
    assert loaded.foreign <= PARSING
    assert loaded.among([*NEVER, "http", "email", "tempfile"]) == set()
    assert loaded.own.isdisjoint({*HTTP, "cost.usage"})


def test_asking_needs_the_parser_and_httpx(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion()))
    loaded = loaded_by(qwen, "ask", "hi")
    assert loaded.foreign <= PARSING | SENDING
    assert "httpx" in loaded.foreign
    assert loaded.among(NEVER) == set()
    assert loaded.own.isdisjoint({"cost.usage", "prompt.conversation", "request.validation"})


def test_streaming_into_a_pipe_needs_the_reader_of_events_besides(qwen: Program, api: ApiServer) -> None:
    api.answer(events(chunks("Hello.")))
    loaded = loaded_by(qwen, "stream", "hi")
    assert loaded.foreign <= PARSING | SENDING | {"httpx_sse"}
    assert "httpx_sse" in loaded.foreign
    assert loaded.among(NEVER) == set()
    assert loaded.own.isdisjoint({"cost.usage"})


def test_passing_json_through_needs_no_more(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion()))
    loaded = loaded_by(qwen, "json", "hi")
    assert loaded.foreign <= PARSING | SENDING
    assert loaded.among(NEVER) == set()


def test_summing_saved_answers_needs_no_http(qwen: Program) -> None:
    qwen.file("body.json", json.dumps(completion()))
    loaded = loaded_by(qwen, "cost", "--saved", "body.json")
    assert loaded.foreign <= PARSING
    assert loaded.among([*NEVER, "http", "ssl", "email"]) == set()
    assert loaded.own.isdisjoint(HTTP)


def test_the_key_status_needs_the_keyring_and_no_http(qwen: Program) -> None:
    loaded = loaded_by(qwen, "key", "status")
    assert "keyring" in loaded.foreign
    assert loaded.among(["httpx", "rich", "anyio", "qwen_cli.sandbox"]) == set()
