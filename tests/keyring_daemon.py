"""A real Secret Service: a session bus and an unlocked GNOME keyring of the tests' own, in a temporary HOME."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.api_server import ApiServer
from tests.program import require_tool, wait_until

SECRET = "sk-stored-NEVER-PRINT-ME-4c1d"
"""A key to be stored."""

# No folder of services: the bus would start a second keyring, a locked one, for whoever asks before ours is there.
BUS_CONFIGURATION = """
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>{address}</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""
PASSWORD = b"the password of a keyring that lives for one test"


@dataclass(frozen=True)
class Keyring:
    """A running keyring."""

    environment: Mapping[str, str]
    """What the program needs in its environment to find it."""
    daemon: subprocess.Popen[bytes]

    def hang(self) -> None:
        """From now on it takes calls and never answers."""
        self.daemon.send_signal(signal.SIGSTOP)


def without_environment(keyring: Keyring) -> dict[str, str | None]:
    """The environment of a person whose key is in the keyring only."""
    return {**keyring.environment, "AIMLAPI_API_KEY": None}


def account(api: ApiServer) -> str:
    """The name under which the key of that server is stored."""
    return f"127.0.0.1:{api.port}"


def sent_key(api: ApiServer) -> str | None:
    """The key that the last request carried."""
    return api.requests[-1].headers.get("authorization")


@contextmanager
def running_keyring(folder: Path) -> Iterator[Keyring]:
    """Start both in `folder`, which has to be empty, and end them."""
    bus_daemon, keyring_daemon = require_tool("dbus-daemon"), require_tool("gnome-keyring-daemon")
    require_tool("dbus-send")
    home, runtime = folder / "home", folder / "run"
    home.mkdir(mode=0o700)
    runtime.mkdir(mode=0o700)
    address = f"unix:path={runtime}/bus"
    environment = {
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(runtime),
        "XDG_DATA_HOME": str(home / ".local/share"),
        "DBUS_SESSION_BUS_ADDRESS": address,
    }
    configuration = folder / "bus.conf"
    configuration.write_text(BUS_CONFIGURATION.format(address=address))
    everything = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **environment}
    with (
        (folder / "log").open("wb") as log,
        _running([bus_daemon, "--nofork", f"--config-file={configuration}"], everything, log.fileno()),
    ):
        wait_until((runtime / "bus").exists, "a session bus")
        command = [
            keyring_daemon,
            "--foreground",
            "--unlock",
            "--components=secrets",
            f"--control-directory={runtime}/keyring",
        ]
        with _running(command, everything, log.fileno(), PASSWORD) as daemon:
            wait_until(lambda: _is_unlocked(everything), f"an unlocked keyring; see {folder / 'log'}")
            yield Keyring(environment, daemon)


@contextmanager
def _running(
    command: list[str],
    environment: Mapping[str, str],
    log: int,
    input: bytes = b"",  # noqa: A002 - as subprocess names it
) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log) as process:
        assert process.stdin is not None
        process.stdin.write(input)
        process.stdin.close()
        try:
            yield process
        finally:
            process.kill()


def _is_unlocked(environment: Mapping[str, str]) -> bool:
    """Whether the default collection is there and open."""
    asked = subprocess.run(
        [
            *("dbus-send", "--session", "--print-reply=literal", "--dest=org.freedesktop.secrets"),
            *("/org/freedesktop/secrets/aliases/default", "org.freedesktop.DBus.Properties.Get"),
            *("string:org.freedesktop.Secret.Collection", "string:Locked"),
        ],
        env=environment,
        capture_output=True,
        check=False,
    )
    return asked.returncode == 0 and b"boolean false" in asked.stdout
