"""Where trusted authorities are looked for: the cheapest place first, all that is trusted last."""

import ssl
from pathlib import Path
from types import SimpleNamespace

import certifi
import pytest

from qwen_cli.api.dialling import trust_stores


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[str, str]:
    """A system with a bundle and a hashed folder, and no variable set."""
    bundle, folder = tmp_path / "bundle.pem", tmp_path / "certs"
    folder.mkdir()
    (folder / "0123abcd.0").touch()
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    say_defaults(monkeypatch, str(bundle), str(folder))
    return str(bundle), str(folder)


def say_defaults(monkeypatch: pytest.MonkeyPatch, cafile: str | None, capath: str | None) -> None:
    paths = SimpleNamespace(cafile=cafile, capath=capath)
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)


def test_the_systems_hashed_folder_comes_first_then_its_bundle(system: tuple[str, str]) -> None:
    bundle, folder = system
    assert list(trust_stores()) == [(None, folder), (bundle, folder)]


def test_a_folder_without_hashes_is_no_place_to_look(system: tuple[str, str]) -> None:
    bundle, folder = system
    (Path(folder) / "0123abcd.0").rename(Path(folder) / "authority.pem")
    assert list(trust_stores()) == [(bundle, None)]


def test_certifi_is_the_last_resort(monkeypatch: pytest.MonkeyPatch, system: tuple[str, str]) -> None:
    del system
    say_defaults(monkeypatch, None, None)
    assert list(trust_stores()) == [(certifi.where(), None)]


@pytest.mark.parametrize(
    ("variables", "stores"),
    [
        pytest.param({"SSL_CERT_FILE": "own.pem"}, [("own.pem", None)], id="a file"),
        pytest.param({"SSL_CERT_DIR": "own"}, [(None, "own")], id="a folder, even one without hashes"),
        pytest.param(
            {"SSL_CERT_FILE": "own.pem", "SSL_CERT_DIR": "own"},
            [(None, "own"), ("own.pem", "own")],
            id="a file and a folder",
        ),
    ],
)
def test_what_the_variables_name_is_trusted_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
    system: tuple[str, str],
    variables: dict[str, str],
    stores: list[tuple[str | None, str | None]],
) -> None:
    del system
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert list(trust_stores()) == stores
