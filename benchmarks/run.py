"""How fast `qwen-cli` is beside what people would use instead: the promises first, then the same at a distance.

Installs this project and its peers, each into a virtual environment of its own, and starts a server. Each row runs its
two commands in turn, round after round after a warm-up, and compares their medians. What cannot be had is listed as
missing. The exit status is 1 when a promise was missed or an output was wrong. Needs Linux, Python 3.11 and openssl.
"""

import argparse
import atexit
import ctypes
import fcntl
import hashlib
import json
import os
import platform
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from string import Template
from typing import IO, Any, NamedTuple

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = {
    "qwen-cli": [str(HERE.parent)],
    "openai": ["openai<2.35"],  # later ones have no command line
    "llm": ["llm"],
    "sgpt": ["shell-gpt", "typer<0.26"],  # imports Click, which a later Typer no longer brings
    "pytest": [f"{HERE.parent}[dev]"],
}
DISTANCES = (40, 100)  # milliseconds of round trip, and the last byte of an address
NETWORK = "198.18.0"  # set apart for benchmarks by RFC 2544
CLONE_NEWUSER, CLONE_NEWNET, TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x1000_0000, 0x4000_0000, 0x400454CA, 1, 0x1000
NOT_FOUND, TIMEOUT = 127, "600"

# Started by a small process, because the kernel counts what a process held before `exec` into its peak memory.
SPAWN = """\
import posix, sys, time
start = time.monotonic()
child = posix.posix_spawn(sys.argv[1], sys.argv[1:], posix.environ, setsigdef=[13])
_, status, usage = posix.wait4(child, 0)
end, cpu = time.monotonic(), usage.ru_utime + usage.ru_stime
print("", f"{start} {end} {posix.waitstatus_to_exitcode(status)} {cpu} {usage.ru_maxrss}", sep="\\n", file=sys.stderr)
"""
HTTPX = """\
import os, httpx
answer = httpx.Client(verify=False).post(os.environ["URL"] + "/chat/completions", content=os.environ["BODY"])
print(answer.json()["choices"][0]["message"]["content"])"""


class Command(NamedTuple):
    """One side of a row: a line that bash runs where it is a pipeline, and that knows $URL (the base URL) and $BODY.

    `expected` is the output without its last newline, or tells whether it is right; `path` is what server.py is to do.
    The figures of `less` and `idle` seconds are taken off, and the rest is divided by `items`.
    """

    line: str
    expected: str | Callable[[str], bool]
    path: str = ""
    less: "Command | None" = None
    items: int = 1
    idle: float = 0


class Run(NamedTuple):
    """Seconds, bytes of the largest process, and when the first byte was out, in times of when the last was sent."""

    wall: float
    cpu: float
    peak: float
    first_byte: float = 0


class Row(NamedTuple):
    """Two commands, and how many times the second's figure the first's may be; or what it may be without a second.

    With a third, the `unit`, the limit is for the difference of the two in figures of that one.
    """

    name: str
    ours: Command
    other: Command | None = None
    limit: float | None = None
    figure: str = "wall"
    unit: Command | None = None
    away: int = 0
    rounds: int = 1000


class Site(NamedTuple):
    """What all commands find, the server by its distance, what it prints, and why some programs cannot be had."""

    variables: dict[str, str]
    urls: dict[int, str]
    printed: IO[str]
    reasons: dict[str, str]


class Unmeasured(Exception):
    """Why a row has no figures: something is "missing", or what was run did something "wrong"."""


def digest(text: str) -> str:
    """What `md5sum` prints of its input."""
    return f"{hashlib.md5(text.encode()).hexdigest()}  -"


def has(part: str) -> Callable[[str], bool]:
    """A check that this is somewhere in the output."""
    return lambda text: part in text


def many(count: int, command: str, **figures: Any) -> Command:
    """One prompt for each line that `seq` prints, which the answers are to repeat."""
    return Command(f"seq {count} | {command} | md5sum", digest("".join(f"{n + 1}\n" for n in range(count))), **figures)


def tab(shell: str) -> Command:
    """What holds that completing starts neither Python nor this program: traps for both, and Tab in the real shell."""
    tests = f"pytest -q -n 0 $TESTS/test_shells.py -k '{shell} and (trap or narrows)'"
    return Command(f"{shell} --version && {tests} | tail -1", has(" passed"))


CHUNKS, BIG, SLOW = 20_000, 50_000_000, 0.5
MESSAGES = [{"role": "user", "content": "hi"}]
POST = "curl -sS --fail -H 'Authorization: Bearer '$KEY -H 'Content-Type: application/json'"
JQ = "sed -un 's/^data: {/{/p' | jq --unbuffered -rj '.choices[0].delta.content // empty'"
NUMBERS = digest("".join(f" {index}" for index in range(CHUNKS)))

ASK = Command("qwen-cli ask hi", "hi")
CURL = Command(f'{POST} -d "$BODY" $URL/chat/completions', has('"content": "hi"'))
PEERS = {
    "httpx script": Command(f"python -c {shlex.quote(HTTPX)}", "hi"),
    "llm": Command("llm --no-stream -n -m gpt-4o-mini hi", "hi"),
    "openai": Command("openai api chat.completions.create -m gpt-4o-mini -g user hi", "hi"),
    "sgpt": Command("sgpt --no-cache --no-md --no-functions hi", has("0")),
    "curl | jq": Command(f"{CURL.line} | jq -r '.choices[0].message.content'", "hi"),
}
LIMITS = {"httpx script": 0.80, "llm": 0.17}
PASS, TYPER = Command("python -c pass", ""), Command("python -c 'import typer'", "")
STREAM = Command("qwen-cli stream --no-newline hi | md5sum", NUMBERS, path=f"/chunks/{CHUNKS}")
CURL_STREAM = Command(f'{POST} -N -d "$BODY" $URL/chat/completions | {JQ} | md5sum', NUMBERS, path=f"/chunks/{CHUNKS}")
MAP, MAP_ALL = (many(count, "qwen-cli map -P 8") for count in (1000, 100_000))
MORE = many(5000, "qwen-cli map -P 8", less=MAP, items=4000)
XARGS = many(24, "xargs -P8 -I{} qwen-cli ask -n {} | sort -n", items=24)
ALL, BUSY = (many(1500, "qwen-cli map -q -P 8", path=path) for path in ("", "/busy/10"))
BURST, LATE_BURST = (
    Command(
        f"{{ echo first; sleep {silence}; seq 40; }} | qwen-cli map -q | md5sum",
        digest("first\n" + "".join(f"{n + 1}\n" for n in range(40))),
        path="/limited/10",
        idle=silence,
    )
    for silence in (1, 60)
)
JSON = Command("qwen-cli json hi", lambda text: text.count("x") >= BIG and text.endswith("}"), path=f"/bytes/{BIG}")
SLOW_ASK = Command(f"{{ sleep {SLOW}; echo hi; }} | qwen-cli ask", "hi", idle=SLOW)
SLOW_CURL = Command(f'{{ sleep {SLOW}; echo "$BODY"; }} | {POST} -d @- $URL/chat/completions', CURL.expected, idle=SLOW)

PROMISES = [
    Row("ask - curl, TLS, 100 ms, in starts of Python", ASK, CURL, 2.5, away=100, unit=PASS),
    Row("ask - curl, TLS, 40 ms, in starts of Python", ASK, CURL, 2.9, away=40, unit=PASS),
    *(Row(f"ask / {name}", ASK, peer, LIMITS.get(name)) for name, peer in PEERS.items()),
    Row("--version / python -c pass", Command("qwen-cli --version", has("qwen-cli")), PASS, 1.8),
    Row("--help / import typer", Command("qwen-cli --help", has("stream")), TYPER, 1.10),
    Row("ask --help / import typer", Command("qwen-cli ask --help", has("--temperature")), TYPER, 1.10),
    *(Row(f"Tab in {shell} starts no Python (a test)", tab(shell), rounds=1) for shell in ("bash", "zsh", "fish")),
    Row(f"stream / curl -N | sed | jq, {CHUNKS:,} chunks", STREAM, CURL_STREAM, 0.35, rounds=5),
    Row("map / xargs -P8, CPU of one more prompt", MORE, XARGS, 0.01, "cpu", rounds=5),
    Row("map, seconds for one more prompt", MORE, None, 1 / 800, rounds=5),
    Row("map, 1,500 items, one in ten a 503 / without", BUSY, ALL, 2.0, rounds=3),
    Row("map, 40 items after 60 s of silence / after 1 s", LATE_BURST, BURST, 2.0, rounds=1),
    Row("map, peak memory, 100,000 items / 1,000", MAP_ALL, MAP, 1.2, "peak", rounds=1),
    Row("json, 50 MB, first byte out / last byte sent", JSON, None, 1.0, "first_byte", rounds=5),
]
AT_A_DISTANCE = [
    Row(f"{name}, TLS, {away} ms", ours, other, away=away)
    for away in DISTANCES
    for name, ours, other in [
        ("slow input | ask / slow input | curl", SLOW_ASK, SLOW_CURL),
        *((f"ask / {name}", ASK, peer) for name, peer in {"curl": CURL, **PEERS}.items()),
    ]
]
HEAD = f"{'wall, ms':>17}{'CPU, ms':>17}{'peak, MB':>10}{'ratio':>9}{'limit':>7}"


def run(command: Command, site: Site, away: int) -> Run:
    """Run a command once, and what is to be taken off."""
    if away not in site.urls:
        raise Unmeasured("missing", "needs root, or the right to make a network namespace and to open /dev/net/tun")
    url = f"{site.urls[away]}{command.path}/v1"
    env = site.variables | dict.fromkeys(["URL", "AIMLAPI_BASE_URL", "OPENAI_BASE_URL", "API_BASE_URL"], url)
    env["BODY"] = json.dumps({"model": "m", "messages": MESSAGES, "stream": "chunks" in command.path})
    argv = ["bash", "--norc", "-o", "pipefail", "-c", command.line]
    if " | " not in command.line:
        argv = [Template(word).substitute(env) for word in shlex.split(command.line)]
    path = shutil.which(argv[0], path=env["PATH"])
    if path is None:
        raise Unmeasured("missing", site.reasons.get(argv[0], f"{argv[0]} is not installed"))
    spawn = ["timeout", TIMEOUT, sys.executable, "-I", "-S", "-c", SPAWN, path, *argv[1:]]
    with (
        tempfile.TemporaryFile("w+") as stderr,
        subprocess.Popen(spawn, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr) as process,
    ):
        assert process.stdout
        output = os.read(process.stdout.fileno(), 1 << 16)
        first_byte = time.monotonic()
        text = (output + process.stdout.read()).decode(errors="replace").removesuffix("\n")
        if process.wait():
            raise Unmeasured("wrong", f"it did not start, or ran for more than {TIMEOUT} seconds")
        stderr.seek(0)
        *messages, report = [line for line in stderr.read().splitlines() if line]
    start, end, status, cpu, peak = map(float, report.split())
    message = "".join(messages[-1:])
    if status == NOT_FOUND or "no such command" in message:
        raise Unmeasured("missing", message)
    if status or not (text == command.expected if isinstance(command.expected, str) else command.expected(text)):
        raise Unmeasured("wrong", f"exit status {status:.0f}, printed {text[:60]!r}: {message}")
    sent = float(site.printed.readline()) if "bytes" in command.path else first_byte
    less = run(command.less, site, away) if command.less else Run(0, 0, 0)
    wall, cpu = (end - start - less.wall - command.idle) / command.items, (cpu - less.cpu) / command.items
    return Run(wall, cpu, peak * 1024, (first_byte - start) / (sent - start))


def compare(row: Row, site: Site, rounds: int) -> dict[str, Any]:
    """Measure a row: its medians, their ratio and the verdict."""
    sides = [side for side in (row.ours, row.other, row.unit) if side]
    found: dict[str, Any] = {"name": row.name, "figure": row.figure, "limit": row.limit}
    try:
        [run(side, site, row.away) for side in sides]
        runs = [[run(side, site, row.away) for side in sides] for _ in range(min(rounds, row.rounds))]
    except Unmeasured as error:
        return found | {"verdict": error.args[0], "reason": error.args[1]}
    medians = [Run(*map(median, zip(*side, strict=True))) for side in zip(*runs, strict=True)]
    ours, *others = (getattr(side, row.figure) for side in medians)
    ratio = (ours - others[0]) / others[1] if row.unit else ours / others[0] if others else ours
    verdict = "" if row.limit is None else "holds" if ratio <= row.limit else "MISSED"
    return found | {"sides": [side._asdict() for side in medians], "ratio": ratio, "verdict": verdict}


def described(found: dict[str, Any]) -> str:
    """One line of the table: milliseconds, milliseconds and megabytes."""
    if "reason" in found:
        return f"{found['name']:54}{found['verdict']}: {found['reason']}"
    scales = (("wall", 1e3, 1), ("cpu", 1e3, 1), ("peak", 1e-6, 0))
    wall, cpu, peak = (" / ".join(f"{side[key] * by:.{n}f}" for side in found["sides"]) for key, by, n in scales)
    limit = "" if found["limit"] is None else f"{found['limit']:g}"
    return f"{found['name']:54}{wall:>17}{cpu:>17}{peak:>10}{found['ratio']:9.3g}{limit:>7} {found['verdict']}"


def enter_network() -> int:
    """Move this process into a network of its own, with the device that server.py delays; 0 where that is denied."""
    maps = {"setgroups": "deny", "uid_map": f"0 {os.getuid()} 1", "gid_map": f"0 {os.getgid()} 1"}
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK) or ctypes.CDLL(None).unshare(CLONE_NEWUSER | CLONE_NEWNET):
        return 0
    for name, text in maps.items():
        Path("/proc/self", name).write_text(text)
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH", b"far", IFF_TUN | IFF_NO_PI))
    for words in ("link set lo up", f"addr add {NETWORK}.1/24 dev far", "link set far up"):
        subprocess.run(["ip", *words.split()], check=True)
    return tun


def start(folder: Path, rows: list[Row]) -> Site:
    """Make the environments that the rows need and a certificate; start the server."""
    reasons = {}
    lines = " ".join(side.line for row in rows for side in (row.ours, row.other) if side)
    for name in [name for name in ENVIRONMENTS if name == "qwen-cli" or name in lines]:
        subprocess.run([sys.executable, "-m", "venv", folder / name], check=True)
        pip = [str(folder / name / "bin/python"), "-m", "pip", "install", "--quiet", *ENVIRONMENTS[name]]
        done = subprocess.run(pip, check=name == "qwen-cli", stderr=subprocess.PIPE, text=True)
        if done.returncode:
            reasons[name] = done.stderr.strip().rpartition("\n")[2]
    certificate, key = str(folder / "certificate.pem"), str(folder / "key.pem")
    names = "subjectAltName=" + ",".join(f"IP:{NETWORK}.{away}" for away in DISTANCES)
    request = ["openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-subj", "/CN=far", "-addext", names]
    subprocess.run([*request, "-out", certificate, "-keyout", key], check=True, capture_output=True)
    tun = enter_network()
    argv = [sys.executable, str(HERE / "server.py"), certificate, key, str(tun)]
    server = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, pass_fds=[tun] * bool(tun))
    atexit.register(server.terminate)
    assert server.stdout
    port, tls_port = server.stdout.readline().split()
    urls = {away: f"https://{NETWORK}.{away}:{tls_port}" for away in DISTANCES if tun}
    path = os.pathsep.join([*(str(folder / name / "bin") for name in ENVIRONMENTS), os.environ.get("PATH", os.defpath)])
    variables = {"PATH": path, "HOME": str(folder), "SSL_CERT_FILE": certificate, "TESTS": str(HERE.parent / "tests")}
    variables |= dict.fromkeys(["KEY", "AIMLAPI_API_KEY", "OPENAI_API_KEY"], "sk-benchmark")
    return Site(variables, {0: f"http://127.0.0.1:{port}", **urls}, server.stdout, reasons)


def machine() -> dict[str, str | int]:
    """What was measured on, and when."""
    processor = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return {
        "processor": processor[1] if processor else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": " ".join([platform.system(), *re.findall(r"^\d+\.\d+", platform.release())]),
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def programs(site: Site) -> dict[str, str]:
    """The versions of what was measured, as the programs say them; without those that cannot be had."""
    versions = {}
    for name in ("qwen-cli", "curl", "jq", "llm", "openai", "sgpt"):
        if path := shutil.which(name, path=site.variables["PATH"]):
            done = subprocess.run([path, "--version"], env=site.variables, capture_output=True, text=True, check=False)
            if number := re.search(r"\d+(\.\d+)+", done.stdout):
                versions[name] = number[0]
    return versions


def main() -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(description="Measure qwen-cli beside its peers.")
    parser.add_argument("--rounds", type=int, default=20, metavar="N", help="rounds after the warm-up (20)")
    parser.add_argument("--only", nargs="+", default=[""], metavar="TEXT", help="only the rows with TEXT in their name")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, and the machine")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="install there, and leave it for the next time")
    options = parser.parse_args()
    rows = [row for row in [*PROMISES, *AT_A_DISTANCE] if any(text in row.name for text in options.only)]
    found = []
    with tempfile.TemporaryDirectory() as temporary:
        site = start((options.keep or Path(temporary)).resolve(), rows)
        for title, page in (("The promises", PROMISES), ("Far: each packet delayed (TUN device)", AT_A_DISTANCE)):
            print(f"\n{title:54}{HEAD}")
            for row in filter(rows.__contains__, page):
                found.append(compare(row, site, options.rounds))
                print(described(found[-1]), flush=True)
    if options.json:
        figures = {"machine": machine(), "programs": programs(site), "rounds": options.rounds, "rows": found}
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return int(any(each["verdict"] in {"MISSED", "wrong"} for each in found))


if __name__ == "__main__":
    sys.exit(main())
