"""Which authorities are trusted, and what becomes of a certificate that is not."""

import ssl
import subprocess
from pathlib import Path
from types import SimpleNamespace

import certifi
import pytest

from qwen_cli.connection import certificates
from qwen_cli.connection.certificates import TrustStore, trust_store
from tests.api_server import ApiServer, reply
from tests.bodies import completion
from tests.certificates import Authority
from tests.program import Program, require_tool

ONE = "-----BEGIN CERTIFICATE-----\nMIIone\n-----END CERTIFICATE-----\n"
TWO = "-----BEGIN CERTIFICATE-----\nMIItwo\n-----END CERTIFICATE-----\n"


class System:
    """A system with a bundle and a hashed folder, and no variable set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.bundle, self.folder = folder / "bundle.pem", folder / "certs"
        self.folder.mkdir()
        self._monkeypatch = monkeypatch
        for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
            monkeypatch.delenv(name, raising=False)
        self.say(str(self.bundle), str(self.folder))

    def say(self, cafile: str | None, capath: str | None) -> None:
        """Have OpenSSL name these as its defaults."""
        paths = SimpleNamespace(cafile=cafile, capath=capath)
        self._monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> System:
    return System(monkeypatch, tmp_path)


def test_a_hashed_folder_that_holds_the_whole_bundle_stands_for_it(system: System) -> None:
    system.bundle.write_text(ONE)
    (system.folder / "0123abcd.0").write_text(f"a comment\n{ONE}")
    assert trust_store() == TrustStore(None, str(system.folder))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("0123abcd.0", TWO, id="it holds another certificate"),
        pytest.param("authority.pem", ONE, id="it has no hashes"),
    ],
)
def test_the_bundle_is_trusted_beside_a_folder_when(system: System, name: str, content: str) -> None:
    system.bundle.write_text(ONE)
    (system.folder / name).write_text(content)
    assert trust_store() == TrustStore(str(system.bundle), str(system.folder))


def test_certifi_is_the_last_resort(system: System) -> None:
    system.say(None, str(system.folder))
    assert trust_store() == TrustStore(certifi.where(), None)


@pytest.mark.parametrize(
    ("variables", "store"),
    [
        pytest.param({"SSL_CERT_FILE": "own.pem"}, TrustStore("own.pem", None), id="a file"),
        pytest.param({"SSL_CERT_DIR": "own"}, TrustStore(None, "own"), id="a folder, even one without hashes"),
        pytest.param(
            {"SSL_CERT_FILE": "own.pem", "SSL_CERT_DIR": "own"}, TrustStore("own.pem", "own"), id="a file and a folder"
        ),
    ],
)
def test_what_the_variables_name_is_trusted_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, system: System, variables: dict[str, str], store: TrustStore
) -> None:
    del system
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert trust_store() == store


def test_the_store_of_this_system_verifies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    store = trust_store()
    assert store.cafile or store.capath
    assert certificates._client_context().verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize("kind", ["the bundle", "the folder"])
def test_one_connection_is_enough_for_an_authority_that_stands_only_in(
    qwen: Program, tls_api: ApiServer, authority: Authority, kind: str
) -> None:
    """What the variables name is trusted together, so that nothing is tried twice."""
    folder = qwen.cwd / "certs"
    folder.mkdir()
    other = Path(certifi.where())
    if kind == "the folder":
        (folder / "authority.pem").write_bytes(authority.certificate.read_bytes())
        subprocess.run([require_tool("openssl"), "rehash", folder], check=True, capture_output=True)
    file = authority.certificate if kind == "the bundle" else other
    tls_api.answer(reply(completion("Hello.")))
    result = qwen("ask", "hi", server=tls_api, env={"SSL_CERT_FILE": str(file), "SSL_CERT_DIR": str(folder)})
    assert (result.status, result.text, result.stderr) == (0, "Hello.\n", "")
    assert tls_api.connections == 1


def test_a_certificate_that_is_not_trusted_ends_with_6_and_says_how_to_trust_it(
    qwen: Program, tls_api: ApiServer
) -> None:
    result = qwen("ask", "hi", server=tls_api)
    assert (result.status, result.stdout) == (6, b"")
    assert "certificate" in result.message
    assert "SSL_CERT_FILE" in result.message
    assert tls_api.requests == []


@pytest.mark.parametrize("command", ["ask", "json"])
def test_ssl_cert_file_makes_it_trusted(qwen: Program, tls_api: ApiServer, authority: Authority, command: str) -> None:
    tls_api.answer(reply(completion("Hello.")))
    result = qwen(command, "hi", server=tls_api, env={"SSL_CERT_FILE": str(authority.certificate)})
    assert (result.status, result.stderr) == (0, "")
    assert b"Hello." in result.stdout


def test_a_certificate_for_another_name_is_not_trusted(qwen: Program, authority: Authority) -> None:
    with ApiServer(authority.stranger) as stranger:
        changes = {"SSL_CERT_FILE": str(authority.certificate)}
        result = qwen("ask", "--retries", "0", "hi", server=stranger, env=changes)
    assert (result.status, result.stdout) == (6, b"")
    assert "certificate" in result.message
    assert result.message.endswith("certificate is not valid for '127.0.0.1'; check the network and --base-url")
    assert stranger.requests == []


@pytest.mark.parametrize("content", [None, "this is no certificate\n"], ids=["is missing", "holds none"])
def test_an_ssl_cert_file_that(qwen: Program, tls_api: ApiServer, content: str | None) -> None:
    """A file of authorities that is missing or holds none ends with a line that names it, and nothing is sent."""
    file: Path = qwen.cwd / "authority.pem"
    if content is not None:
        file.write_text(content)
    result = qwen("ask", "--retries", "0", "hi", server=tls_api, env={"SSL_CERT_FILE": str(file)})
    assert result.status in (6, 7)
    assert result.stdout == b""
    assert "authority.pem" in result.message
    assert tls_api.requests == []
