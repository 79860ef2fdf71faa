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

BASE = {"errors", "signals", "__init__"}
"""What everything may use; the `__init__` of the package holds its version."""

MAY_IMPORT: dict[str, set[str]] = {
    "__init__": set(),
    "errors": set(),
    "background": set(),
    "signals": {"errors"},
    "endpoint": {"errors"},
    "output": BASE,
    "json_text": {"output"},
    "cache": BASE | {"output"},
    "key": BASE | {"output", "endpoint", "background", "prompt"},
    "answer": BASE | {"json_text", "output", "key"},
    "request": BASE | {"json_text", "output", "endpoint", "key", "answer", "prompt"},
    "prompt": BASE | {"json_text", "output", "answer", "request"},
    "cost": BASE | {"json_text", "output", "answer"},
    "connection": BASE | {"json_text", "output", "endpoint", "key", "answer", "background"},
    "exchange": BASE | {"json_text", "output", "answer", "connection", "cache"},
    "map": BASE | {"json_text", "output", "answer", "cost", "exchange", "connection", "prompt", "request"},
    "sandbox": BASE | {"json_text", "output", "request"},
    "cli": BASE
    | {"json_text", "output", "endpoint", "key", "answer", "request", "prompt", "cost", "connection", "cache"}
    | {"exchange", "map", "sandbox"},
    "__main__": BASE | {"output", "endpoint", "connection", "cli"},
}
"""For each package, or module at the top, what it may import beside itself."""

WELL_KNOWN = sys.stdlib_module_names | {"requests", "aiohttp", "urllib3", "click", "typer", "httpx", "httpcore", "h11"}
LONGEST = 350
"""Lines: what can be read in one go."""


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """The lines and names of all that a module imports of ours: at any depth, for the types only, relative or not."""
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
                yield node.lineno, rest.partition(".")[0]


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_one_way(module: str) -> None:
    """What a package may import is in one table; the sandbox is the business of the cli alone."""
    own = module.partition(".")[0]
    known = {name.partition(".")[0] for name in MODULES}
    for line, name in imported(MODULES[module]):
        target = name if name in known else "__init__"
        assert target == own or target in MAY_IMPORT[own], f"{MODULES[module]}:{line}: {own} must not import {target}"


@pytest.mark.parametrize("module", [module for module in MODULES if not module.startswith("cli.")])
def test_no_module_is_named_like_a_well_known_one(module: str) -> None:
    """Commands are: `cli.json` is where `qwen-cli json` is found."""
    assert module.rpartition(".")[2] not in WELL_KNOWN - {"__main__"}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_can_be_read_in_one_go(module: str) -> None:
    assert len(MODULES[module].read_text().splitlines()) <= LONGEST
