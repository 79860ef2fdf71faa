"""Print the lowest versions that pyproject.toml allows, as constraints for pip: every floor becomes a pin.

Usage: python -m scripts.lowest >constraints.txt && pip install -c constraints.txt -e '.[dev]'
"""

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator

from scripts import ROOT


def requirements() -> Iterator[str]:
    """What the project needs to run and to be developed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    yield from project["dependencies"]
    for extra in project.get("optional-dependencies", {}).values():
        yield from extra


def lowest(requirements: Iterable[str]) -> Iterator[str]:
    """`name>=1.2,<2` -> `name==1.2`; ValueError for a requirement without a floor, which nobody can try."""
    for requirement in requirements:
        match = re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?[^;]*?>=\s*([^\s,;]+)", requirement)
        if match is None:
            raise ValueError(f"{requirement} has no floor")
        yield f"{match[1]}=={match[2]}"


def main() -> int:
    """Print the constraints."""
    sys.stdout.writelines(f"{pin}\n" for pin in lowest(requirements()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
