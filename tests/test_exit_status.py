"""An error becomes one line and an exit status in one place; a defect never shows a traceback or a secret."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from qwen_cli import __version__
from qwen_cli.__main__ import main
from qwen_cli.cli import commands
from qwen_cli.errors import (
    CredentialsError,
    Defect,
    IncompleteAnswer,
    InvalidUsage,
    LocalError,
    NetworkError,
    ProtocolError,
    QwenError,
    RefusedError,
    ServiceError,
)
from tests.program import KEY

STATUSES = [
    (InvalidUsage, 2),
    (CredentialsError, 3),
    (RefusedError, 4),
    (ServiceError, 5),
    (NetworkError, 6),
    (LocalError, 7),
    (IncompleteAnswer, 8),
    (ProtocolError, 9),
]


def failing(error: BaseException) -> Callable[[object], int]:
    """A run that ends in that error."""

    def run(_arguments: object) -> int:
        raise error

    return run


@pytest.mark.parametrize(("kind", "status"), STATUSES)
def test_each_kind_of_error_has_its_status_and_its_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], kind: type[QwenError], status: int
) -> None:
    monkeypatch.setattr(commands, "run_command", failing(kind("it went\nwrong", advice="do this")))
    assert main(["ask"]) == status
    assert capfd.readouterr() == ("", "qwen-cli: it went wrong; do this\n")


def test_every_error_has_a_status_of_its_own() -> None:
    statuses = [kind.status for kind in QwenError.__subclasses__() if kind.status != 1]
    assert sorted(statuses) == sorted(status for _, status in STATUSES)


@pytest.mark.parametrize("error", [RuntimeError(KEY), KeyError(KEY), OSError(5, KEY), RecursionError(KEY)])
def test_a_defect_is_one_line_that_says_where_and_quotes_nothing(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], error: Exception
) -> None:
    monkeypatch.setattr(commands, "run_command", failing(error))
    assert main(["ask"]) == 1
    output, stderr = capfd.readouterr()
    assert (output, stderr.count("\n")) == ("", 1)
    assert stderr.startswith(
        f"qwen-cli: internal error, please report it: {type(error).__name__} at {Path(__file__).name}:"
    )
    assert KEY not in stderr
    assert "Traceback" not in stderr


def test_no_memory_is_reported(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(commands, "run_command", failing(MemoryError()))
    assert main(["ask"]) == 1
    assert capfd.readouterr() == ("", "qwen-cli: out of memory\n")


def test_an_error_that_was_never_raised_has_no_place() -> None:
    message = f"internal error, please report it: ValueError (qwen-cli {__version__}, Python {sys.version.split()[0]})"
    assert str(Defect(ValueError(KEY))) == message


def test_the_status_of_the_command_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "run_command", lambda _: 5)
    assert main(["sandbox"]) == 5
