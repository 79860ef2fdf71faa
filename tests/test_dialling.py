"""Connecting: which authorities are trusted, and which address of a name answers first."""

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import certifi
import httpcore
import pytest

from qwen_cli.background import Background
from qwen_cli.connection import certificates
from qwen_cli.connection.certificates import TrustStore, trust_store
from qwen_cli.connection.dialling import ATTEMPT_DELAY, Address, addresses, connect
from qwen_cli.connection.network_backend import Backend
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


def test_localhost_is_never_looked_up() -> None:
    """Its addresses are those of loopback, whatever a resolver says: a stored key goes there without TLS."""
    assert [address[0] for _, address in addresses("localhost", 80)] == ["127.0.0.1", "::1"]


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".example", "xn--a", "." * 5], ids=repr)
def test_a_name_that_is_none_is_reported_as_an_unknown_one(host: str) -> None:
    with pytest.raises(socket.gaierror):
        addresses(host, 443)


# Addresses of documentation (RFC 5737) answer nobody; the loopback network is wide enough for the rest.


@pytest.fixture
def deaf() -> Iterator[Address]:
    """An address that neither answers nor refuses: its queue of connections is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = []
        for _ in range(3):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
            waiting.append(client)
        yield (socket.AF_INET, listener.getsockname())
        for client in waiting:
            client.close()


def test_the_next_address_is_tried_while_the_first_one_is_silent(deaf: Address) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        begun = time.monotonic()
        with connect([deaf, (socket.AF_INET, listener.getsockname())]) as connection:
            assert connection.getpeername() == listener.getsockname()
        assert ATTEMPT_DELAY * 0.9 < time.monotonic() - begun < ATTEMPT_DELAY + 2


def test_the_next_address_is_tried_at_once_when_the_first_one_refuses() -> None:
    with socket.socket() as refusing, socket.create_server(("127.0.0.1", 0)) as listener:
        refusing.bind(("127.0.0.1", 0))  # not listening
        candidates: list[Address] = [
            (socket.AF_INET, refusing.getsockname()),
            (socket.AF_INET, listener.getsockname()),
        ]
        with connect(candidates) as connection:
            assert connection.getpeername() == listener.getsockname()


def test_the_last_refusal_is_reported_when_no_address_answers() -> None:
    with socket.socket() as refusing:
        refusing.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError):
            connect([(socket.AF_INET, refusing.getsockname())] * 3)


def test_a_name_that_is_looked_up_for_ever_costs_the_connect_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit holds for name, TCP and TLS together."""
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answered.wait(20) and [])
    begun = time.monotonic()
    with pytest.raises(httpcore.ConnectTimeout):
        Backend(tls=False, tunnelled=False).connect_tcp("slow.example", 80, timeout=0.2)
    assert time.monotonic() - begun < 2
    answered.set()


def test_without_memory_for_a_thread_the_call_is_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    assert Background(lambda: 5).result(0) == 5
