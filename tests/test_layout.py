"""How the package is built: imports point one way, names say what is in a module, and none outgrows its reader."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import ROOT

PACKAGE = ROOT / "qwen_cli"
MODULES = {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in sorted(PACKAGE.rglob("*.py"))}
"""Path by name, the name without the package's: `connection.client`, `__main__`, `cli.__init__`."""

FLOORS = (
    ("errors", "text", "background"),
    ("signals", "endpoint", "json_text"),
    ("key", "answer"),
    ("output", "request", "cost"),
    ("cache", "connection", "prompt"),
    ("exchange", "sandbox"),
    ("map",),
    ("cli",),
    ("__main__",),
)
"""The packages, and the modules at the top, from the ground up: each may import what is below it, and nothing else."""

PURE = ("answer", "cost", "request", "text", "json_text", "errors")
"""What does no I/O."""

DOING_IO = {
    "os",
    "sys",
    "socket",
    "select",
    "subprocess",
    "httpx",
    "httpcore",
    "pathlib",
    "shutil",
    "threading",
    "time",
}

WELL_KNOWN = sys.stdlib_module_names | {"requests", "aiohttp", "urllib3", "click", "typer", "httpx", "httpcore", "h11"}
LONGEST = 350
"""Lines: what can be read in one go."""


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """The lines and names of the modules that a module imports of ours, at any depth, for the types only or not."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: a relative import"
            # `from qwen_cli import signals` brings a module, `from qwen_cli import __version__` a name of its __init__.
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            package, _, rest = name.partition(".")
            if package == "qwen_cli":
                module = rest if rest in MODULES else rest.rpartition(".")[0]
                if module:  # otherwise the version, which is that of the package itself
                    yield node.lineno, module


def floor_of(name: str) -> int:
    return next(number for number, names in enumerate(FLOORS) if name in names)


@pytest.mark.parametrize("module", [module for module in MODULES if module != "__init__"])
def test_imports_point_downwards(module: str) -> None:
    own = module.partition(".")[0]
    for line, target in imported(MODULES[module]):
        package = target.partition(".")[0]
        is_below = package == own or floor_of(package) < floor_of(own)
        assert is_below, f"{MODULES[module]}:{line}: {own} must not import {package}"


def test_no_module_imports_itself_by_way_of_others() -> None:
    imports = {module: {target for _, target in imported(path)} & MODULES.keys() for module, path in MODULES.items()}
    while leaves := [module for module, targets in imports.items() if not targets & imports.keys()]:
        for leaf in leaves:
            del imports[leaf]
    assert not imports


@pytest.mark.parametrize("module", [module for module in MODULES if module.partition(".")[0] in PURE])
def test_what_is_pure_imports_nothing_that_does_io(module: str) -> None:
    tree = ast.parse(MODULES[module].read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} & DOING_IO <= ALLOWED.get(module, set())


ALLOWED = {"errors": {"sys"}, "request.body": {"os"}}
"""The version of Python in a message; the parts of a file's name."""


@pytest.mark.parametrize("module", [module for module in MODULES if not module.startswith("cli.")])
def test_no_module_is_named_like_a_well_known_one(module: str) -> None:
    """Commands are: `cli.json` is where `qwen-cli json` is found."""
    assert module.rpartition(".")[2] not in WELL_KNOWN - {"__main__"}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_can_be_read_in_one_go(module: str) -> None:
    assert len(MODULES[module].read_text().splitlines()) <= LONGEST
