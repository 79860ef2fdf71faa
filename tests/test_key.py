"""The key: where it comes from, and where it is never sent."""

from subprocess import PIPE

import pytest

from tests.api_server import ApiServer, reply
from tests.bodies import completion
from tests.keyring_daemon import sent_key
from tests.program import KEY, Program


class TestEnvironment:
    def test_three_names_are_known_and_the_first_that_is_set_wins(self, qwen: Program, api: ApiServer) -> None:
        api.always(reply(completion()))
        names = ("AIMLAPI_API_KEY", "AIMLAPI_KEY", "AIML_API_KEY")
        keys: dict[str, str | None] = {name: f"key-of-{name.lower()}" for name in names}
        for name in names:
            result = qwen.call("ask", "hi", env=keys)
            assert (result.status, "key-of-" in result.stderr) == (0, False)
            assert sent_key(api) == f"Bearer key-of-{name.lower()}"
            keys[name] = ""

    @pytest.mark.parametrize("value", ["two words", "line\nbreak", "tab\t", "clé", "\x7f"])
    def test_what_no_header_can_carry_is_refused_without_being_quoted(
        self, qwen: Program, api: ApiServer, value: str
    ) -> None:
        result = qwen.call("ask", "hi", env={"AIMLAPI_API_KEY": value})
        assert result.status == 3
        assert result.message.startswith("AIMLAPI_API_KEY is not a key")
        assert value.strip() not in result.message
        assert not api.requests


class TestNeverSent:
    @pytest.mark.parametrize("host", ["api.example", "10.0.0.1", "127.0.0.1.example", "localhost.example", "[::2]"])
    def test_over_plain_http_to_anything_but_loopback(self, qwen: Program, host: str) -> None:
        result = qwen.call("ask", "--base-url", f"http://{host}/v1", "hi")
        assert (result.status, result.stdout) == (2, b"")
        assert "never sent over plain http" in result.message
        assert "--no-key" in result.message

    @pytest.mark.parametrize(
        "arguments", [("cost", "--balance"), ("key", "set"), ("stream", "hi"), ("json", "hi")], ids=" ".join
    )
    def test_over_plain_http_by_any_command(self, qwen: Program, arguments: tuple[str, ...]) -> None:
        result = qwen.call(*arguments, "--base-url", "http://10.0.0.1/v1")
        assert (result.status, result.stdout) == (2, b"")
        assert "never sent over plain http to 10.0.0.1" in result.message

    @pytest.mark.parametrize("flag", ["--dry-run", "--curl"])
    def test_by_a_preview_which_so_may_name_any_host(self, qwen: Program, flag: str) -> None:
        assert qwen.call("ask", flag, "--base-url", "http://10.0.0.1/v1", "hi").status == 0

    @pytest.mark.parametrize(
        ("arguments", "env"),
        [(("--no-key",), {}), ((), {"QWEN_CLI_NO_KEY": "1"})],
        ids=["a flag says so", "a variable says so"],
    )
    def test_where_none_is_wanted_which_allows_plain_http_to_any_host(
        self, qwen: Program, api: ApiServer, arguments: tuple[str, ...], env: dict[str, str]
    ) -> None:
        """The proxy stands for a network on which `model.lan` is another machine."""
        api.answer(reply(completion("Hello.")))
        lan = {"AIMLAPI_BASE_URL": "http://model.lan:8080/v1", "HTTP_PROXY": f"http://127.0.0.1:{api.port}"}
        result = qwen.call("ask", *arguments, "hi", env={**lan, **env})
        assert (result.status, result.text, result.stderr) == (0, "Hello.\n", "")
        assert api.request.path == "http://model.lan:8080/v1/chat/completions"
        assert sent_key(api) is None


def test_the_key_is_not_in_a_netrc_file_either(qwen: Program, api: ApiServer) -> None:
    """`~/.netrc` names another password for the host: the key that was given is the one that is sent."""
    netrc = qwen.home / ".netrc"
    netrc.write_text("machine 127.0.0.1 login evil password evil\n")
    netrc.chmod(0o600)
    api.answer(reply(completion("Hello.")))
    assert qwen("ask", "hi").status == 0
    netrc.unlink()
    assert api.request.headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("ending", ["\n", "\r\nX-Evil: 1", "\u0085", " x", "é", "\x1b[2J"], ids=repr)
def test_a_key_cannot_smuggle_anything(qwen: Program, api: ApiServer, ending: str) -> None:
    result = qwen.call("ask", "hi", env={"AIMLAPI_API_KEY": KEY + ending})
    assert (result.status, result.stdout, api.requests) == (3, b"", [])
    assert "AIMLAPI_API_KEY" in result.message


NOBODYS_KEY = {
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
    assert qwen.call("ask", *arguments, env=NOBODYS_KEY).status == status


def test_a_missing_key_is_reported_before_standard_input_is_awaited(qwen: Program) -> None:
    with qwen.start("ask", "hi", input=PIPE, env=NOBODYS_KEY) as running:
        result = running.finish()
    assert result.status == 3
    assert result.message.startswith("no API key for api.example")


@pytest.mark.parametrize(("value", "is_noted"), [("1", True), ("yes", True), ("0", False), ("no", False), ("", False)])
def test_status_says_that_a_variable_keeps_the_key_from_being_sent(qwen: Program, value: str, is_noted: bool) -> None:
    result = qwen("key", "status", env={"QWEN_CLI_NO_KEY": value})
    assert result.status == 0
    assert ("QWEN_CLI_NO_KEY is set: requests are sent without a key" in result.stderr) == is_noted
