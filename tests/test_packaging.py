"""What a user gets: the sdist builds the wheel, and the wheel brings everything to a clean environment."""

import fcntl
import os
import shutil
import sys
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path
from subprocess import run

import pytest

from qwen_cli import __version__
from scripts import ROOT
from scripts.generate import generate
from scripts.lowest import lowest, requirements
from tests.program import require_tool

SHARED = {
    "completions/qwen-cli.bash": "share/bash-completion/completions/qwen-cli",
    "completions/_qwen-cli": "share/zsh/site-functions/_qwen-cli",
    "completions/qwen-cli.fish": "share/fish/vendor_completions.d/qwen-cli.fish",
    "man/qwen-cli.1": "share/man/man1/qwen-cli.1",
}
"""Where the shells and man look, below a prefix."""


def execute(*command: str | Path, cwd: Path | None = None) -> str:
    """Run to the end; standard output, or a failure that shows everything."""
    done = run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def environment(folder: Path, *packages: str | Path) -> Path:
    """A virtual environment with nothing but these packages in it; its folder of programs."""
    venv.create(folder, symlinks=True)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", folder / "bin/python")
    # What is imported is compiled then; all that comes with it would take longer than the rest.
    execute(*pip, "install", "--quiet", "--no-compile", *packages)
    return folder / "bin"


@dataclass(frozen=True)
class Built:
    """The two distributions, the wheel made from the sdist."""

    sdist: Path
    wheel: Path


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all the processes of this test run: what is built and installed there serves all of them."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Wait until no other process is within the same block."""
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def built(folder: Path) -> Built:
    """Built by the backend that pyproject.toml names."""
    made = folder / "built"
    with locked(folder / "built.lock"):
        if not made.is_dir():
            made.mkdir()
            backend = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
            hatchling = environment(made / "backend", *backend) / "hatchling"
            execute(hatchling, "build", "-t", "sdist", "-d", made, cwd=ROOT)
            with tarfile.open(next(made.glob("*.tar.gz"))) as archive:
                # Debian's Python 3.11 does not know the filter yet.
                archive.extraction_filter = getattr(tarfile, "data_filter", None)
                archive.extractall(made / "unpacked")
            (source,) = (made / "unpacked").iterdir()
            execute(hatchling, "build", "-t", "wheel", "-d", made, cwd=source)
    (sdist,), (wheel,) = made.glob("*.tar.gz"), made.glob("*.whl")
    return Built(sdist, wheel)


@pytest.fixture(scope="session")
def prefix(built: Built, folder: Path) -> Path:
    """A clean environment into which the wheel was installed."""
    with locked(folder / "installed.lock"):
        made = folder / "installed"
        return made if made.is_dir() else environment(made, built.wheel).parent


def test_the_version_is_the_programs(built: Built) -> None:
    assert built.sdist.name == f"qwen_cli-{__version__}.tar.gz"
    assert built.wheel.name == f"qwen_cli-{__version__}-py3-none-any.whl"


def test_the_wheel_holds_the_package_and_nothing_of_the_workshop(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as wheel:
        names = wheel.namelist()
        metadata = message_from_bytes(wheel.read(f"qwen_cli-{__version__}.dist-info/METADATA"))
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "qwen_cli").rglob("*.py")}
    assert modules <= set(names)
    assert "qwen_cli/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {name.partition("/")[0] for name in names} == {
        "qwen_cli",
        f"qwen_cli-{__version__}.data",
        f"qwen_cli-{__version__}.dist-info",
    }
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "MIT"


def test_the_sdist_can_be_tested(built: Built) -> None:
    """It brings what the tests and the generator need."""
    with tarfile.open(built.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "LICENSE", "tests/conftest.py", "scripts/generate.py", "man/qwen-cli.1.in"} <= names
    assert set(SHARED) <= names


def test_completions_and_manual_stand_where_shells_and_man_look(prefix: Path) -> None:
    assert set(SHARED) == set(generate())
    for source, target in SHARED.items():
        assert (prefix / target).read_bytes() == (ROOT / source).read_bytes()


def test_man_finds_the_page(prefix: Path) -> None:
    page = prefix / SHARED["man/qwen-cli.1"]
    assert execute(require_tool("man"), "-M", prefix / "share/man", "-w", "qwen-cli").strip() == str(page)


def test_the_program_runs(prefix: Path) -> None:
    assert execute(prefix / "bin/qwen-cli", "--version") == f"qwen-cli {__version__}\n"
    assert execute(prefix / "bin/python", "-m", "qwen_cli", "--version") == f"qwen-cli {__version__}\n"


def test_the_program_has_all_that_it_needs(prefix: Path, tmp_path: Path) -> None:
    """An answer of the sandbox passes through every part but the keyring's."""
    clean = {"PATH": f"{prefix / 'bin'}:{os.environ['PATH']}", "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    command = ["qwen-cli", "sandbox", "--", "qwen-cli", "ask", "-n", "Is anybody there?"]
    program = shutil.which("qwen-cli", path=clean["PATH"])
    assert program == str(prefix / "bin/qwen-cli")
    done = run([program, *command[1:]], env=clean, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Is anybody there?" in done.stdout
    status = run([program, "key", "status"], env=clean, capture_output=True, text=True, check=False)
    assert "Traceback" not in status.stderr
    assert "internal error" not in status.stderr


def test_every_dependency_has_a_floor_to_be_tried() -> None:
    pins = list(lowest(requirements()))
    assert len(pins) == len(list(requirements()))
    assert any(pin.startswith("httpx==") for pin in pins)


def test_floors_become_pins() -> None:
    assert list(lowest(["a>=1,<2", "b-c[extra] >= 2.0.1", "d!=3,>=2; python_version < '4'"])) == [
        "a==1",
        "b-c==2.0.1",
        "d==2",
    ]
    with pytest.raises(ValueError, match="e has no floor"):
        list(lowest(["e"]))
