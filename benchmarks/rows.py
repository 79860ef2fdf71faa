"""What is measured: one row for each command, and what each promise compares."""

import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from benchmarks import environment, server, shells
from benchmarks.environment import DELAY_MS, Place
from benchmarks.measure import Command

PROMPT = "hi"
PASS = "python -c pass"
HTTPX = "import httpx"
TYPER = "import typer"
CURL = "curl"
LLM = "llm --no-stream -n"
ROUND_TRIP = f"{2 * DELAY_MS} ms away"
SLOW = f"ask, slow input, {ROUND_TRIP}"
SLOW_LATE = f"{SLOW}, connecting late"
SLOW_CURL = f"curl, slow input, {ROUND_TRIP}"

CHUNKS = 20_000
BIG = 50_000_000
SELDOM = 4
"""Slow rows run in every so many rounds."""

RUN_CONNECTING_LATE = """\
from qwen_cli import __main__
from qwen_cli.api import exchange
exchange.Dial  # fails where this is no longer the way to connect early
exchange.Dial = lambda endpoint: None
__main__.run()
"""
IMPORT_HTTPX = "import sys; sys.modules['httpx._main'] = None; import httpx"
OPENAI_STREAM = """\
import os, sys, openai
client = openai.OpenAI()
messages = [{"role": "user", "content": "hi"}]
for chunk in client.chat.completions.create(model=os.environ["MODEL"], messages=messages, stream=True):
    if chunk.choices and chunk.choices[0].delta.content:
        sys.stdout.write(chunk.choices[0].delta.content)
        sys.stdout.flush()
"""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of the table."""

    name: str
    prepare: Callable[[], Command]
    """Raises `Missing` where the command cannot be had."""
    every: int = 1
    """Run in every so many rounds: the slow ones less often."""


@dataclass(frozen=True)
class Promise:
    """A figure of a row that stays below so many times another row's figure, or below so many of its own units."""

    row: str
    figure: str
    at_most: float
    other: str | None = None
    other_figure: str = "wall"


PROMISES = (
    Promise("--version", "wall", 2.2, PASS),
    Promise("--help", "wall", 1.25, TYPER),
    Promise("ask --help", "wall", 1.25, TYPER),
    Promise("ask", "wall", 1.45, HTTPX),
    Promise("ask", "wall", 0.2, LLM),
    Promise("stream", "first_byte", 1.4, HTTPX),
    Promise("stream of 20,000 | cat", "wall", 1.0, "curl -N | sed | jq, 20,000"),
    Promise("stream of 20,000 | cat", "wall", 0.2, "openai package, 20,000 | cat"),
    Promise("stream of 40,000 | cat", "wall", 2.3, "stream of 20,000 | cat"),
    Promise("stream -o FILE of 40,000", "wall", 2.3, "stream -o FILE of 20,000"),
    Promise("json of 50 MB", "peak", 100e6),
    Promise("json of 50 MB", "first_byte", 1.0, "json of 50 MB", "sent"),
    Promise(SLOW, "first_byte", 1.0, SLOW_LATE, "first_byte"),
    Promise(SLOW, "first_byte", 1.0, SLOW_CURL, "first_byte"),
)


def says(text: str) -> Callable[[bytes], str | None]:
    """A check that the output is this text, whatever the final newlines."""
    return partial(_compare, text.encode())


def _compare(expected: bytes, output: bytes) -> str | None:
    return None if output.rstrip(b"\n") == expected else f"printed {output[:80]!r}…, not {expected[:80]!r}…"


def contains(text: str) -> Callable[[bytes], str | None]:
    """A check that the text is somewhere in the output."""

    def check(output: bytes) -> str | None:
        return None if text.encode() in output else f"{text!r} is not in the output: {output[:80]!r}…"

    return check


def wrote(path: Path, text: str) -> Callable[[bytes], str | None]:
    """A check that the file holds this text; the file is taken away."""

    def check(output: bytes) -> str | None:
        if output:
            return f"printed {output[:80]!r}…"
        if not path.exists():
            return f"{path.name} was not written"
        written = path.read_bytes()
        path.unlink()
        return _compare(text.encode(), written)

    return check


def rows(place: Place, stack: ExitStack) -> Iterator[Row]:
    """Every row of the table, in its order; what must run meanwhile is left to the stack."""
    yield from references(place)
    yield from our_starts(place)
    yield from our_answers(place, stack)
    yield from completions(place)
    yield from peers(place)
    yield from throughput(place)
    yield from waiting(place)


def ours(place: Place) -> Path:
    """The folder with this project's `qwen-cli`, and with its Python."""
    return place.folder / "qwen-cli" / "bin"


def api(place: Place, choice: str = "") -> Mapping[str, str]:
    """The environment in which `qwen-cli` and the OpenAI clients find the server and the key."""
    url = f"http://127.0.0.1:{place.port}{choice}/v1"
    names = {"AIMLAPI_BASE_URL": url, "OPENAI_BASE_URL": url, "API_BASE_URL": url}
    keys = dict.fromkeys(["AIMLAPI_API_KEY", "OPENAI_API_KEY"], server.KEY)
    return {**place.base_environment, **names, **keys, "MODEL": server.MODEL}


def simple(name: str, check: Callable[[bytes], str | None], env: Mapping[str, str], *argv: str) -> Row:
    """A row whose command can always be had."""
    return Row(name=name, prepare=lambda: Command(argv=argv, env=env, check=check))


def references(place: Place) -> Iterator[Row]:
    """What the rest is measured by, in the environment that `qwen-cli` runs in."""
    python = str(ours(place) / "python")
    for name, code in ((PASS, "pass"), (HTTPX, IMPORT_HTTPX), (TYPER, "import typer")):
        yield simple(name, says(""), place.base_environment, python, "-c", code)


def our_starts(place: Place) -> Iterator[Row]:
    """The commands that send nothing."""
    qwen_cli = str(ours(place) / "qwen-cli")
    yield simple("--version", contains("qwen-cli"), api(place), qwen_cli, "--version")
    yield simple("--help", contains("stream"), api(place), qwen_cli, "--help")
    yield simple("ask --help", contains("--temperature"), api(place), qwen_cli, "ask", "--help")


def our_answers(place: Place, stack: ExitStack) -> Iterator[Row]:
    """The commands that send one request."""
    qwen_cli = ours(place) / "qwen-cli"
    ask = (str(qwen_cli), "ask", PROMPT)
    yield simple("ask", says(PROMPT), api(place), *ask)
    yield simple("stream", says(server.stream_text(server.STREAM_CHUNKS)), api(place), str(qwen_cli), "stream", PROMPT)
    whole = server.completion(PROMPT).decode()
    yield simple("json", says(whole), api(place), str(qwen_cli), "json", PROMPT)
    yield simple("cost", contains("usd_spent\t0.000021"), api(place), str(qwen_cli), "cost", PROMPT)

    def from_keyring() -> Command:
        env = {**stack.enter_context(environment.keyring(place, qwen_cli)), "AIMLAPI_BASE_URL": base_url}
        return Command(argv=ask, env=env, check=says(PROMPT))

    base_url = api(place)["AIMLAPI_BASE_URL"]
    yield Row(name="ask, key from the keyring", prepare=from_keyring)
    tls = {**api(place), "AIMLAPI_BASE_URL": f"https://127.0.0.1:{place.tls_port}/v1"}
    yield simple("ask, TLS, one certificate", says(PROMPT), {**tls, "SSL_CERT_FILE": str(place.certificate)}, *ask)
    directory = {**tls, "SSL_CERT_DIR": str(place.certificate_directory)}
    yield simple("ask, TLS, hashed directory", says(PROMPT), directory, *ask)


def completions(place: Place) -> Iterator[Row]:
    """Tab, in each shell."""
    for shell in ("bash", "zsh", "fish"):
        yield Row(name=f"completion in {shell}", prepare=partial(completion, place, shell))


def completion(place: Place, shell: str) -> Command:
    """Complete in that shell, where a Python process would show."""
    folder = environment.PROJECT / "completions"
    tripwires = shells.set_tripwires(place.folder / "tripwires")
    argv = shells.completion_argv(shell, environment.program(shell), folder, place.folder / "zcompdump")
    return Command(
        argv=argv,
        env={**place.base_environment, "PATH": f"{tripwires}:{place.base_environment['PATH']}"},
        check=partial(shells.completion_fault, tripwires=tripwires),
    )


def peers(place: Place) -> Iterator[Row]:
    """What people would use instead."""
    yield Row(name=CURL, prepare=lambda: curl(place))
    yield Row(name="curl, TLS", prepare=lambda: curl(place, port=place.tls_port))
    yield Row(name="curl | jq", prepare=lambda: curl_jq(place))
    yield Row(name=LLM, prepare=lambda: llm(place))
    yield Row(name="openai api chat.completions.create", prepare=lambda: openai_command(place))
    yield Row(name="sgpt", prepare=lambda: sgpt(place))


def request(**fields: object) -> str:
    """A request body as a script would write it."""
    return json.dumps({"model": server.MODEL, "messages": [{"role": "user", "content": PROMPT}], **fields})


def curl_argv(url: str, *, body: str) -> list[str]:
    """A curl command for one request; a body of `@-` is standard input."""
    headers = ["-H", f"Authorization: Bearer {server.KEY}", "-H", "Content-Type: application/json"]
    return [environment.program("curl"), "-sS", "--fail", *headers, "--data-binary", body, url]


def curl(place: Place, *, port: int | None = None, slow_input: bool = False) -> Command:
    """The plain request, over TLS where a port is given."""
    scheme = "http" if port is None else "https"
    url = f"{scheme}://127.0.0.1:{port or place.port}{server.ENDPOINT}"
    argv = curl_argv(url, body="@-" if slow_input else request())
    if port:
        argv += ["--cacert", str(place.certificate)]
    return Command(
        argv=argv,
        env=place.base_environment,
        check=says(server.completion(PROMPT).decode()),
        slow_input=request().encode() if slow_input else None,
    )


def pipeline(script: str, *argv: str) -> list[str]:
    """A command line of bash in which `"$@"` stands for the arguments, and which fails if any part of it does."""
    return [environment.program("bash"), "--norc", "-o", "pipefail", "-c", script, "bash", *argv]


def curl_jq(place: Place) -> Command:
    """The same, and the content taken out."""
    environment.program("jq")
    argv = pipeline("""\"$@" | jq -r '.choices[0].message.content'""", *curl(place).argv)
    return Command(argv=argv, env=place.base_environment, check=says(PROMPT))


def llm(place: Place) -> Command:
    """Simon Willison's llm, without its log."""
    binary = environment.install(place.folder / "llm", "llm") / "llm"
    env = environment.configure_llm(place)
    return Command(argv=[str(binary), "-m", "local", "--no-stream", "-n", PROMPT], env=env, check=says(PROMPT))


def openai_command(place: Place) -> Command:
    """The command line that the openai package had up to 2.34."""
    binary = environment.install(place.folder / "openai-command", "openai<2.35") / "openai"
    argv = [str(binary), "api", "chat.completions.create", "-m", server.MODEL, "-g", "user", PROMPT]
    return Command(argv=argv, env=api(place), check=says(PROMPT))


def sgpt(place: Place) -> Command:
    """shell-gpt; it imports Click without asking for it, so it gets a Typer that still brings Click along."""
    binary = environment.install(place.folder / "sgpt", "shell-gpt", "typer<0.26") / "sgpt"
    argv = [str(binary), "--no-cache", "--no-md", "--no-functions", "--model", server.MODEL, PROMPT]
    check = says(server.stream_text(server.STREAM_CHUNKS))
    return Command(argv=argv, env=api(place), check=check)


def throughput(place: Place) -> Iterator[Row]:
    """Long streams and a big body."""
    for chunks in (CHUNKS, 2 * CHUNKS):
        yield Row(name=f"stream of {chunks:,} | cat", prepare=partial(our_stream, place, chunks), every=SELDOM)
    for chunks in (CHUNKS, 2 * CHUNKS):
        yield Row(name=f"stream -o FILE of {chunks:,}", prepare=partial(our_file, place, chunks), every=SELDOM)
    yield Row(name=f"curl -N | sed | jq, {CHUNKS:,}", prepare=lambda: curl_stream(place, CHUNKS), every=SELDOM)
    yield Row(name=f"openai package, {CHUNKS:,} | cat", prepare=lambda: openai_stream(place, CHUNKS), every=SELDOM)
    yield Row(name="json of 50 MB", prepare=lambda: big_json(place, BIG), every=SELDOM)


# Into a file behind the pipe: reading one small write after the other, the benchmark would be part of the load.
CAT = '"${@:2}" | cat >"$1"'
SED_JQ = """"${@:2}" | sed -un 's/^data: {/{/p' | jq --unbuffered -rj '.choices[0].delta.content // empty' >"$1\""""


def long_stream(place: Place, chunks: int, script: str, *argv: str) -> Command:
    """A pipeline whose result goes to its first argument, a file."""
    path = place.folder / "stream"
    env = api(place, f"/chunks/{chunks}")
    return Command(argv=pipeline(script, str(path), *argv), env=env, check=wrote(path, server.stream_text(chunks)))


def our_stream(place: Place, chunks: int) -> Command:
    """A long stream into a pipe."""
    return long_stream(place, chunks, CAT, str(ours(place) / "qwen-cli"), "stream", PROMPT)


def our_file(place: Place, chunks: int) -> Command:
    """A long stream that is put together first."""
    path = place.folder / "stream-whole"
    return Command(
        argv=[str(ours(place) / "qwen-cli"), "stream", "-o", str(path), PROMPT],
        env=api(place, f"/chunks/{chunks}"),
        check=wrote(path, server.stream_text(chunks)),
    )


def curl_stream(place: Place, chunks: int) -> Command:
    """A long stream taken apart by the tools at hand."""
    environment.program("jq")
    url = f"http://127.0.0.1:{place.port}/chunks/{chunks}{server.ENDPOINT}"
    return long_stream(place, chunks, SED_JQ, *curl_argv(url, body=request(stream=True)), "-N")


def openai_stream(place: Place, chunks: int) -> Command:
    """A long stream through the openai package of today."""
    python = environment.install(place.folder / "openai", "openai") / "python"
    return long_stream(place, chunks, CAT, str(python), "-c", OPENAI_STREAM)


def big_json(place: Place, size: int) -> Command:
    """A big body, passed through."""

    def sent() -> float:
        connection = http.client.HTTPConnection("127.0.0.1", place.port)
        connection.request("GET", "/sent")
        return float(connection.getresponse().read())

    return Command(
        argv=[str(ours(place) / "qwen-cli"), "json", PROMPT],
        env=api(place, f"/bytes/{size}"),
        check=says(server.big_completion(size).decode()),
        body_sent=sent,
    )


def waiting(place: Place) -> Iterator[Row]:
    """From the end of a slow input to the answer of a faraway server; and without any input to wait for."""
    env = {**api(place), "SSL_CERT_FILE": str(place.certificate)}
    env["AIMLAPI_BASE_URL"] = f"https://127.0.0.1:{place.far_port}/v1"
    argv = [str(ours(place) / "qwen-cli"), "ask"]
    slow = Command(argv=argv, env=env, check=says(PROMPT), slow_input=PROMPT.encode())
    yield Row(name=SLOW, prepare=lambda: slow, every=SELDOM)
    late_argv = [str(ours(place) / "python"), "-c", RUN_CONNECTING_LATE, "ask"]
    late = replace(slow, argv=late_argv)
    yield Row(name=SLOW_LATE, prepare=lambda: late, every=SELDOM)
    slow_curl = partial(curl, place, port=place.far_port, slow_input=True)
    yield Row(name=SLOW_CURL, prepare=slow_curl, every=SELDOM)
    yield simple(f"ask, {ROUND_TRIP}", says(PROMPT), env, *argv, PROMPT)
    yield Row(name=f"curl, {ROUND_TRIP}", prepare=partial(curl, place, port=place.far_port))
