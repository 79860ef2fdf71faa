"""What the benchmark runs in: virtual environments, a certificate, a server, a keyring, all below one folder."""

import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from benchmarks import server

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent
SYSTEM_CERTIFICATES = Path("/etc/ssl/certs")
DELAY_MS = 50
"""What the proxy adds to each direction."""
REQUEST = [
    *("req", "-x509", "-days", "30", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
    *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
]


class Missing(Exception):
    """Something that the benchmark would use cannot be had; says why."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where everything is that the rows need."""

    folder: Path
    base_environment: Mapping[str, str]
    """What every command gets: the PATH, a home of its own, and nothing of the user's configuration."""
    certificate: Path
    certificate_directory: Path
    """The system's hashed directory with the certificate in it."""
    port: int
    tls_port: int
    far_port: int
    """Leads to `tls_port`, each direction taking DELAY_MS."""


def program(name: str) -> str:
    """The absolute path of a program of the system."""
    path = shutil.which(name)
    if path is None:
        raise Missing(f"{name} is not installed")
    return path


def install(folder: Path, *requirements: str) -> Path:
    """Make a virtual environment of that folder, where it is none yet, and install into it; returns its `bin`."""
    binaries = folder / "bin"
    if not binaries.exists():
        venv.create(folder, with_pip=True, symlinks=True)
    call([str(binaries / "python"), "-m", "pip", "install", "--quiet", *requirements])
    return binaries


def installed(folder: Path, names: Collection[str]) -> str:
    """Which versions of these packages were installed below the folder."""
    found = {
        f"{name} {distribution.version}"
        for packages in folder.glob("*/lib/python*/site-packages")
        for distribution in importlib.metadata.distributions(path=[str(packages)])
        if (name := distribution.name.replace("_", "-")) in names
    }
    return ", ".join(sorted(found))


def machine() -> str:
    """What the figures were taken on, and when."""
    cpu = re.search(r"^model name\s*: (.*)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    model = cpu[1] if cpu else platform.machine()
    system = f"{platform.system()} {platform.release()}"
    return f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} x {model}, {system}, Python {platform.python_version()}"


def call(argv: Sequence[str], *, text: str = "", env: Mapping[str, str] | None = None) -> str:
    """Run a command of the setting up, with the text on its standard input; returns its standard output."""
    done = subprocess.run(argv, input=text, env=env, check=False, capture_output=True, text=True)
    if done.returncode:
        reason = [line for line in done.stderr.splitlines() if line.strip()] or [f"exit status {done.returncode}"]
        raise Missing(f"{' '.join(argv)}: {reason[-1]}")
    return done.stdout


@contextmanager
def background(
    argv: Sequence[str], *, env: Mapping[str, str] | None = None, stderr: int | None = None
) -> Iterator[tuple[IO[str], IO[str]]]:
    """A process that runs meanwhile; gives its standard input and output."""
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, env=env, text=True
    ) as process:
        try:
            if process.stdin is None or process.stdout is None:
                raise ValueError("both are pipes")
            yield process.stdin, process.stdout
        finally:
            process.terminate()


@contextmanager
def place(folder: Path) -> Iterator[Place]:
    """Set up the servers and all that no single row owns."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    certificate, key, directory = certify(folder)
    serving = [sys.executable, str(HERE / "server.py"), str(certificate), str(key)]
    with background(serving) as (_, ports):
        port, tls_port = map(int, ports.readline().split())
        with background([sys.executable, str(HERE / "proxy.py"), str(tls_port), str(DELAY_MS)]) as (_, far_port):
            yield Place(
                folder=folder,
                base_environment={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "LANG": "C.UTF-8"},
                certificate=certificate,
                certificate_directory=directory,
                port=port,
                tls_port=tls_port,
                far_port=int(far_port.readline()),
            )


def certify(folder: Path) -> tuple[Path, Path, Path]:
    """Make a certificate for loopback, its key, and a hashed directory that trusts it beside the system's."""
    openssl = program("openssl")
    certificate, key, directory = folder / "certificate.pem", folder / "key.pem", folder / "certificates"
    if not certificate.exists():
        call([openssl, *REQUEST, "-keyout", str(key), "-out", str(certificate)])
        directory.mkdir()
        for path in SYSTEM_CERTIFICATES.glob("*.[0-9]"):
            (directory / path.name).symlink_to(path.resolve())
        digest = call([openssl, "x509", "-hash", "-noout", "-in", str(certificate)]).strip()
        (directory / f"{digest}.0").symlink_to(certificate)
    return certificate, key, directory


@contextmanager
def keyring(place: Place, qwen_cli: Path) -> Iterator[Mapping[str, str]]:
    """An unlocked keyring on a message bus of its own, with the key stored in it by `qwen-cli key set`.

    Gives the environment in which it is found.
    """
    runtime = place.folder / "runtime"
    runtime.mkdir(mode=0o700, exist_ok=True)
    quiet = {**place.base_environment, "XDG_RUNTIME_DIR": str(runtime)}
    bus = [program("dbus-daemon"), "--session", "--nofork", "--nopidfile", "--print-address=1"]
    daemon = [program("gnome-keyring-daemon"), "--unlock", "--components=secrets", "--foreground"]
    with background(bus, env=quiet, stderr=subprocess.DEVNULL) as (_, address):
        env = {**quiet, "DBUS_SESSION_BUS_ADDRESS": address.readline().strip()}
        with background(daemon, env=env, stderr=subprocess.DEVNULL) as (password, _):
            password.write("benchmark\n")
            password.close()
            await_secrets(env)
            stored = {**env, "AIMLAPI_BASE_URL": f"http://127.0.0.1:{place.port}/v1"}
            call([str(qwen_cli), "key", "set"], text=server.KEY, env=stored)
            yield env


def await_secrets(env: Mapping[str, str]) -> None:
    """Wait until the Secret Service is on the bus: asked any earlier, the bus would start a second, locked one."""
    bus = ["--session", "--print-reply", "--dest=org.freedesktop.DBus", "/"]
    question = ["org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.secrets"]
    for _ in range(50):
        if "true" in call([program("dbus-send"), *bus, *question], env=env):
            return
        time.sleep(0.1)
    raise Missing("gnome-keyring-daemon does not answer")


def configure_llm(place: Place) -> Mapping[str, str]:
    """Tell llm of the local server, as a model called `local`; gives the environment in which it knows."""
    folder = place.folder / "llm-user"
    folder.mkdir(exist_ok=True)
    model = {"model_id": "local", "model_name": server.MODEL, "api_base": f"http://127.0.0.1:{place.port}/v1"}
    # JSON is YAML too.
    (folder / "extra-openai-models.yaml").write_text(json.dumps([model | {"api_key_name": "local"}]))
    (folder / "keys.json").write_text(json.dumps({"local": server.KEY}))
    return {**place.base_environment, "LLM_USER_PATH": str(folder)}
