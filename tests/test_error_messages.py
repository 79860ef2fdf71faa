"""Messages are plain words: no number of an error, no name of a codec, no line of Python's."""

import os
import re
from collections.abc import Mapping

import pytest

from tests.program import Program

NO_TEXT = os.fsdecode(b"caf\xe9")
"""An argument or a file name in Latin-1, as Python hands it over."""

INTERPRETER = re.compile(r"Errno|codec|Error:|Traceback|internal error|surrogate")


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
    result = qwen.call("ask", "--retries", "0", "hi", env={**no_key, **env})
    assert result.status in (2, 3, 6, 7)
    assert not INTERPRETER.search(result.message)


def test_a_variable_that_is_no_text_is_named(qwen: Program) -> None:
    assert "the value of QWEN_CLI_MODEL is not UTF-8" in qwen.call("ask", "hi", env={"QWEN_CLI_MODEL": NO_TEXT}).message
    assert "the value of --model is not UTF-8" in qwen.call("ask", "-m", NO_TEXT, "hi").message
