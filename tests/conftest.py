"""What every test can ask for: the program, a server of the API, one over TLS, a keyring."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.api_server import ApiServer
from tests.certificates import Authority, make_authority
from tests.keyring_daemon import Keyring, running_keyring
from tests.program import KEY, Program

# The program would inherit what nohup and shells have background jobs ignore. A signal that is handled, if only by
# doing nothing, has its default action again in every process that the tests start.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, lambda *_: None)


def pytest_xdist_auto_num_workers() -> int:
    """Two workers for each core: what a test does most is to wait for the program."""
    return 2 * (os.cpu_count() or 1)


# A busy machine is no defect of the program. The examples are the same in each run, so that a failure is due to what
# was changed; `--hypothesis-profile=random` looks for new ones.
settings.register_profile("random", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=False)
settings.register_profile("same", settings.get_profile("random"), derandomize=True, database=None)
settings.load_profile("same")


@pytest.fixture
def api() -> Iterator[ApiServer]:
    """A scripted server; the test fails when replies go unused or a request was not expected."""
    with ApiServer() as server:
        yield server
    server.verify()


@pytest.fixture
def qwen(api: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """The program, pointed at `api`; the test fails when a run leaves files in HOME or in the temporary folder."""
    program = Program(tmp_path_factory.mktemp("qwen"), api)
    yield program
    litter = [path for folder in (program.home, program.tmp) for path in folder.iterdir()]
    assert not litter, f"left behind: {litter}"


@pytest.fixture
def packets() -> Iterator[tuple[int, int]]:
    """The ends of a pipe, to read from and to write to, in which each write is read by itself."""
    ends = os.pipe2(os.O_DIRECT)
    yield ends
    for end in ends:
        os.close(end)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A private certificate authority that nothing trusts yet."""
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def tls_api(authority: Authority) -> Iterator[ApiServer]:
    """A scripted server over TLS, with a certificate of `authority`."""
    with ApiServer(authority.context) as server:
        yield server
    server.verify()


@pytest.fixture
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyring]:
    """An unlocked keyring with nothing in it."""
    folder: Path = tmp_path_factory.mktemp("keyring")
    with running_keyring(folder) as running:
        yield running


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment in which nothing can be sent anywhere, for the commands within this process."""
    monkeypatch.setenv("AIMLAPI_API_KEY", KEY)
    monkeypatch.setenv("AIMLAPI_BASE_URL", "http://127.0.0.1:9/v1")
    return monkeypatch
