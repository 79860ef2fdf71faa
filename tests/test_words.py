"""Messages are plain words: no number of an error, no name of a codec, no line of Python's."""

import json
import os
import re
from collections.abc import Mapping
from subprocess import PIPE

import pytest

from tests.api_server import ApiServer, reply
from tests.bodies import completion
from tests.program import Program, Stream

NO_TEXT = os.fsdecode(b"caf\xe9")
"""An argument or a file name in Latin-1, as Python hands it over."""

INTERPRETER = re.compile(r"Errno|codec|Error:|Traceback|internal error|surrogate")

TYPED: tuple[Stream, ...] = ("stdin",)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        *[
            (words, 7)
            for words in (
                ["ask", NO_TEXT],
                ["ask", "-m", NO_TEXT, "hi"],
                ["ask", "--stop", NO_TEXT, "hi"],
                ["ask", "-F", f"x={NO_TEXT}", "hi"],
                ["ask", "--tools", NO_TEXT, "hi"],
                ["ask", "--logit-bias", f"{NO_TEXT}=1", "hi"],
                ["ask", "-i", f"https://{NO_TEXT}", "hi"],
                ["ask", "--base-url", f"http://{NO_TEXT}", "hi"],
                ["ask", "-f", NO_TEXT, "hi"],
                ["ask", "-f", "/", "hi"],
                ["ask", "-i", "/", "hi"],
                ["ask", "--schema", "/", "hi"],
                ["ask", "--messages", "@/", "hi"],
                ["ask", "-o", f"/{NO_TEXT}/x", "hi"],
                ["ask", "--dry-run", "-o", "/dev/full", "hi"],
                ["cost", "--saved", "/"],
            )
        ],
        *[
            (words, 2)
            for words in (
                [NO_TEXT],
                ["key", NO_TEXT],
                ["ask", f"--{NO_TEXT}"],
                ["ask", "-t", NO_TEXT, "hi"],
                ["ask", "--show", NO_TEXT, "hi"],
                ["ask", "--request-id", NO_TEXT, "hi"],
                ["cost", "--period", NO_TEXT],
                ["sandbox", "--fault", NO_TEXT],
            )
        ],
    ],
    ids=lambda value: " ".join(value).encode(errors="replace").decode() if isinstance(value, list) else "",
)
def test_a_mistake_is_reported_in_plain_words(qwen: Program, arguments: list[str], status: int) -> None:
    result = qwen.call(*arguments)
    assert (result.status, result.stdout) == (status, b"")
    assert not INTERPRETER.search(result.message)


@pytest.mark.parametrize("arguments", [["ask", NO_TEXT], ["ask", "-f", NO_TEXT, "hi"]], ids=["the prompt", "a file"])
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_the_locale_changes_nothing_about_it(qwen: Program, arguments: list[str], locale: str) -> None:
    result = qwen(*arguments, env={"LANG": locale})
    assert (result.status, result.stdout) == (7, b"")
    assert result.message == qwen.call(*arguments).message


@pytest.mark.parametrize(
    "env",
    [
        {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent"},
        {"SSL_CERT_FILE": "/", "AIMLAPI_BASE_URL": "https://127.0.0.1:9/v1", "AIMLAPI_API_KEY": "sk-any-key"},
        {"HTTPS_PROXY": f"http://{NO_TEXT}", "AIMLAPI_BASE_URL": "https://api.example/v1"},
        {"AIMLAPI_BASE_URL": f"http://{NO_TEXT}"},
    ],
    ids=lambda value: next(iter(value)),
)
def test_a_wrong_variable_is_reported_in_plain_words(qwen: Program, env: Mapping[str, str]) -> None:
    no_key = {"AIMLAPI_API_KEY": None, "AIMLAPI_BASE_URL": "https://api.example/v1", "PYTHON_KEYRING_BACKEND": None}
    result = qwen("ask", "--retries", "0", "hi", env={**no_key, **env})
    assert result.status in (2, 3, 6, 7)
    assert not INTERPRETER.search(result.message)


def test_a_variable_that_is_no_text_is_named(qwen: Program) -> None:
    assert "the value of QWEN_CLI_MODEL is not UTF-8" in qwen("ask", "hi", env={"QWEN_CLI_MODEL": NO_TEXT}).message
    assert "the value of --model is not UTF-8" in qwen.call("ask", "-m", NO_TEXT, "hi").message


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_a_file_may_have_any_name(qwen: Program, locale: str) -> None:
    qwen.file(NO_TEXT, json.dumps(completion("Hello.")))
    env = {"LANG": locale}
    assert qwen("cost", "--saved", NO_TEXT, env=env).status == 0
    assert qwen("ask", "--dry-run", "-f", NO_TEXT, "-o", f"{NO_TEXT}.json", "hi", env=env).status == 0
    assert f"{NO_TEXT}.json" in qwen.files()


def test_empty_input_beside_other_parts_gets_a_note(qwen: Program) -> None:
    """Where a person sees it, or asks for it: cron hands every job an empty pipe."""
    note = "standard input is empty (use -n to ignore it)"
    result = qwen("ask", "--dry-run", "-v", "hi", input="")
    assert (result.status, result.message) == (0, note)
    assert note.encode() in qwen("ask", "--dry-run", "hi", input="", terminal=["stderr"]).terminal
    assert qwen("ask", "--dry-run", "hi", input="").stderr == ""
    assert qwen("ask", "--dry-run", "-q", "hi", input="", terminal=["stderr"]).terminal == b""
    assert qwen("ask", "--dry-run", "-n", "-v", "hi", input="").stderr == ""
    assert qwen.call("ask", "--dry-run", "-v", "hi").stderr == ""


PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)


def test_an_image_may_come_from_standard_input_which_is_then_no_text(qwen: Program) -> None:
    result = qwen("ask", "--dry-run", "-i", "-", "What is this?", input=PNG)
    assert (result.status, result.stderr) == (0, "")
    text, image = json.loads(result.text)["messages"][0]["content"]
    assert text == {"type": "text", "text": "What is this?"}
    assert image["image_url"]["url"].startswith("data:image/png;base64,")


@pytest.mark.parametrize("other", [("-i", "-"), ("-f", "-"), ("-",)], ids=" ".join)
def test_standard_input_is_one_image_or_nothing_else(qwen: Program, other: tuple[str, ...]) -> None:
    result = qwen.call("ask", "-i", "-", *other)
    assert (result.status, result.stdout) == (2, b"")
    assert "only once" in result.message


def test_standard_input_that_is_no_image_ends_with_7(qwen: Program) -> None:
    result = qwen("ask", "-i", "-", "hi", input="words")
    assert (result.status, result.message) == (7, "standard input is not a JPEG, PNG, GIF or WEBP image")


def test_a_dash_that_reads_the_terminal_says_so(qwen: Program) -> None:
    with qwen.start("ask", "--dry-run", "-", terminal=TYPED) as running:
        running.wait_for(b"reading standard input from the terminal", "stderr")
        running.type(b"typed\n\x04")
        assert running.finish().status == 0


def test_a_note_about_a_retry_gives_no_advice(qwen: Program, api: ApiServer) -> None:
    api.answer(reply({"message": "Not now"}, status=503, headers={"retry-after": "0"}), reply(completion("Hello.")))
    result = qwen("ask", "hi")
    assert (result.status, result.text) == (0, "Hello.\n")
    assert re.fullmatch(r"[^;]*503[^;]*; retrying in [\d.]+ s \(1 of 2\)", result.message)


NO_KEY = {
    "AIMLAPI_API_KEY": None,
    "AIMLAPI_BASE_URL": "https://api.example/v1",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
}


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(("-f", "gone"), 7), (("-i", "gone", "hi"), 7), (("-t", "9"), 2), (("-n",), 2)],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_wrong_with_the_request_is_reported_before_a_missing_key(
    qwen: Program, arguments: tuple[str, ...], status: int
) -> None:
    assert qwen.call("ask", *arguments, env=NO_KEY).status == status


def test_a_missing_key_is_reported_before_standard_input_is_awaited(qwen: Program) -> None:
    with qwen.start("ask", "hi", input=PIPE, env=NO_KEY) as running:
        result = running.finish()
    assert result.status == 3
    assert result.message.startswith("no API key for api.example")
