"""The key comes from the environment, then from the OS keyring by host; it is stored unseen and never shown."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.api_server import ApiServer, events, reply
from tests.bodies import chunks, completion, error
from tests.keyring_daemon import Keyring
from tests.program import KEY, Program, Stream

SECRET = "sk-stored-NEVER-PRINT-ME-4c1d"
NO_KEY = {"AIMLAPI_API_KEY": None}
# A proxy that is not there keeps even the look-up of the name on this machine.
ELSEWHERE = {"AIMLAPI_BASE_URL": "https://api.example/v1", "HTTPS_PROXY": "http://127.0.0.1:9"}
TYPED: tuple[Stream, ...] = ("stdin", "stderr")

HANGING = """
import time
from keyring.backend import KeyringBackend


class Keyring(KeyringBackend):
    priority = 9

    def get_password(self, *_):
        time.sleep(60)

    set_password = delete_password = get_password
"""

PLAIN = """
from keyring.backend import KeyringBackend


class Keyring(KeyringBackend):
    priority = 0.5

    def get_password(self, *_):
        return open("keys.txt").read()

    def set_password(self, service, username, password):
        open("keys.txt", "w").write(password)
"""

FAILING = """
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked


class Keyring(KeyringBackend):
    priority = 9

    def get_password(self, *_):
        raise KeyringLocked("the collection is locked")

    set_password = delete_password = get_password
"""


def account(api: ApiServer) -> str:
    """The name under which the key of that server is stored."""
    return f"127.0.0.1:{api.port}"


def sent_key(api: ApiServer) -> str | None:
    """The key that the last request carried."""
    return api.requests[-1].headers.get("authorization")


def without_environment(keyring: Keyring) -> dict[str, str | None]:
    """The environment of a person whose key is in the keyring only."""
    return {**keyring.environment, "AIMLAPI_API_KEY": None}


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

    def test_the_keyring_is_not_asked(self, qwen: Program, api: ApiServer) -> None:
        qwen.file("hanging.py", HANGING)
        api.answer(reply(completion()))
        env = {"PYTHON_KEYRING_BACKEND": "hanging.Keyring", "PYTHONPATH": str(qwen.cwd)}
        result = qwen("ask", "hi", env=env)
        assert (result.status, result.seconds < 2.5) == (0, True)


class TestKeyring:
    """With a real Secret Service."""

    def test_a_piped_key_is_stored_without_its_newline_used_and_deleted(
        self, qwen: Program, api: ApiServer, keyring: Keyring
    ) -> None:
        env = without_environment(keyring)
        stored = qwen("key", "set", input=f"{SECRET}\n", env=env, secret=SECRET)
        assert (stored.status, stored.stdout) == (0, b"")
        assert stored.message == f"stored the key …4c1d for {account(api)}"
        api.always(reply(completion("Hello.")))
        assert qwen("ask", "hi", env=env, secret=SECRET).text == "Hello.\n"
        assert sent_key(api) == f"Bearer {SECRET}"
        deleted = qwen("key", "delete", env=env, secret=SECRET)
        assert (deleted.status, deleted.message) == (0, f"deleted the key for {account(api)}")
        assert qwen("ask", "hi", env=env).status == 0
        assert sent_key(api) is None
        again = qwen("key", "delete", env=env)
        assert (again.status, again.message) == (0, f"no key for {account(api)} is stored")

    def test_a_key_is_typed_at_a_hidden_prompt(self, qwen: Program, api: ApiServer, keyring: Keyring) -> None:
        env = without_environment(keyring)
        with qwen.start("key", "set", terminal=TYPED, env=env, secret=SECRET) as running:
            running.wait_for(f"API key for {account(api)}: ".encode(), "terminal")
            running.type(f"{SECRET}\n".encode())
            result = running.finish()
        assert result.status == 0
        assert SECRET.encode() not in result.terminal
        assert f"stored the key …4c1d for {account(api)}".encode() in result.terminal
        api.answer(reply(completion()))
        assert qwen("ask", "hi", env=env, secret=SECRET).status == 0
        assert sent_key(api) == f"Bearer {SECRET}"

    def test_a_key_goes_to_the_host_and_port_that_it_was_stored_for_only(
        self, qwen: Program, api: ApiServer, keyring: Keyring
    ) -> None:
        env = without_environment(keyring)
        assert qwen("key", "set", input=SECRET, env=env, secret=SECRET).status == 0
        with ApiServer() as other:
            other.always(reply(completion()))
            assert qwen("ask", "hi", env=env, server=other, secret=SECRET).status == 0
            assert sent_key(other) is None
            other_host = {**env, "AIMLAPI_BASE_URL": f"http://localhost:{api.port}/v1"}
            api.always(reply(completion()))
            assert qwen("ask", "hi", env=other_host, secret=SECRET).status == 0
            assert sent_key(api) is None
            assert qwen("ask", "hi", env=env, secret=SECRET).status == 0
            assert sent_key(api) == f"Bearer {SECRET}"

    def test_each_host_has_its_own(self, qwen: Program, api: ApiServer, keyring: Keyring) -> None:
        env = without_environment(keyring)
        for url, secret in (("https://one.example/v1", "sk-one-NEVER-PRINT-ME"), (api.base_url, SECRET)):
            assert qwen("key", "set", "--base-url", url, input=secret, env=env, secret=secret).status == 0
        first = qwen("key", "status", "--base-url", "https://one.example/v1", env=env, secret=SECRET).text
        assert "account\tone.example\n" in first
        assert "stored\t…T-ME\n" in first
        assert "stored\t…4c1d\n" in qwen("key", "status", env=env, secret=SECRET).text

    def test_the_environment_wins(self, qwen: Program, api: ApiServer, keyring: Keyring) -> None:
        assert qwen("key", "set", input=SECRET, env=without_environment(keyring), secret=SECRET).status == 0
        api.answer(reply(completion()))
        assert qwen("ask", "hi", env=keyring.environment).status == 0
        assert sent_key(api) == f"Bearer {KEY}"
        status = qwen("key", "status", env=keyring.environment)
        assert status.status == 0
        assert status.text == (
            f"account\t{account(api)}\n"
            "source\tAIMLAPI_API_KEY\n"
            "key\t…91c2\n"
            "keyring\tkeyring.backends.SecretService.Keyring\n"
            "stored\t…4c1d\n"
        )

    def test_status_says_that_there_is_none_and_ends_with_3(
        self, qwen: Program, api: ApiServer, keyring: Keyring
    ) -> None:
        result = qwen("key", "status", env=without_environment(keyring))
        assert (result.status, result.stderr) == (3, "")
        assert result.text == (
            f"account\t{account(api)}\nsource\tnone\nkey\t-\nkeyring\tkeyring.backends.SecretService.Keyring\nstored\t-\n"
        )

    def test_no_character_of_a_short_key_is_shown(self, qwen: Program, api: ApiServer, keyring: Keyring) -> None:
        short = "abcdefgh-wxyz"
        result = qwen("key", "set", input=short, env=without_environment(keyring), secret=short[-4:])
        assert (result.status, result.message) == (0, f"stored the key … for {account(api)}")

    def test_addresses_that_differ_in_their_port_only_have_keys_of_their_own(
        self, qwen: Program, keyring: Keyring
    ) -> None:
        env = without_environment(keyring)
        with_port, without = "https://[fd77::2]:443/v1", "https://[fd77::2:443]/v1"
        assert qwen("key", "set", "--base-url", with_port, input=SECRET, env=env, secret=SECRET).status == 0
        assert "account\t[fd77::2]:443\n" in qwen("key", "status", "--base-url", with_port, env=env).text
        other = qwen("key", "status", "--base-url", without, env=env)
        assert (other.status, "account\tfd77::2:443\nsource\tnone\n" in other.text) == (3, True)

    def test_what_is_no_key_is_not_stored(self, qwen: Program, keyring: Keyring) -> None:
        env = without_environment(keyring)
        nothing, no_key, no_text = [b"", b"\n"], [b"two words\n", b"a\nb\n", b"cl\xc3\xa9\n"], [b"\xff\n"]
        for status, inputs in ((2, nothing), (3, no_key), (7, no_text)):
            for given in inputs:
                result = qwen("key", "set", input=given, env=env)
                assert (result.status, result.stdout) == (status, b""), given
                assert given.strip() not in result.message.encode() or not given.strip()
        assert "stored\t-\n" in qwen("key", "status", env=env).text

    def test_an_empty_line_typed_is_refused(self, qwen: Program, keyring: Keyring) -> None:
        with qwen.start("key", "set", terminal=TYPED, env=without_environment(keyring)) as running:
            running.wait_for(b"API key for ", "terminal")
            running.type(b"\n")
            result = running.finish()
        assert result.status == 2
        assert b"no key given" in result.terminal

    def test_a_keyring_that_stops_answering_costs_three_seconds(
        self, qwen: Program, api: ApiServer, keyring: Keyring
    ) -> None:
        """Whether it is the service that hangs or a backend in this process, and whatever is asked of it."""
        keyring.hang()
        hanging = [{**without_environment(keyring), **ELSEWHERE}, {**backend(qwen, HANGING), **ELSEWHERE}]
        commands = [("ask", "hi"), ("key", "set"), ("key", "delete")]
        with ExitStack() as stack:
            # All of them at the same time: none of them does anything but wait.
            started = [
                stack.enter_context(qwen.start(*arguments, input=SECRET, env=env, secret=SECRET))
                for env in hanging
                for arguments in commands
            ]
            results = [running.finish() for running in started]
        for result in results:
            assert (result.status, result.stdout) == (3, b"")
            assert 2.5 < result.seconds < 7
            assert "did not answer within 3 seconds" in result.message
            assert "unlock it" in result.message
            assert "AIMLAPI_API_KEY" in result.message
        assert not api.requests


class TestNoKeyring:
    """On a machine without any keyring."""

    def test_the_missing_key_comes_first_then_what_to_do_and_only_then_the_keyring(self, qwen: Program) -> None:
        result = qwen("ask", "hi", env={**NO_KEY, **ELSEWHERE, "AIMLAPI_BASE_URL": None})
        assert (result.status, result.stdout) == (3, b"")
        assert result.message.startswith("no API key for api.aimlapi.com; get one at https://aimlapi.com/app/keys ")
        parts = ("AIMLAPI_API_KEY", "qwen-cli sandbox", "no OS keyring is available")
        places = [result.message.index(part) for part in parts]
        assert places == sorted(places)

    def test_the_key_of_another_server_is_not_to_be_had_from_the_provider(self, qwen: Program) -> None:
        message = qwen("ask", "hi", env={**NO_KEY, **ELSEWHERE}).message
        assert message.startswith("no API key for api.example; set AIMLAPI_API_KEY")
        assert "aimlapi.com" not in message

    @pytest.mark.parametrize("action", ["set", "delete"])
    def test_storing_and_deleting_say_what_to_do(self, qwen: Program, action: str) -> None:
        result = qwen("key", action, input=f"{SECRET}\n", env=NO_KEY, secret=SECRET)
        assert (result.status, result.stdout) == (3, b"")
        assert "gnome-keyring" in result.message
        assert "AIMLAPI_API_KEY" in result.message

    def test_nobody_is_asked_to_type_a_key_that_cannot_be_stored(self, qwen: Program) -> None:
        result = qwen("key", "set", terminal=TYPED, env=NO_KEY)
        assert result.status == 3
        assert b"API key" not in result.terminal

    def test_status_is_shown_all_the_same(self, qwen: Program, api: ApiServer) -> None:
        result = qwen("key", "status")
        assert (result.status, result.stderr) == (0, "")
        assert "source\tAIMLAPI_API_KEY\nkey\t…91c2\n" in result.text
        assert "keyring\tnone: no OS keyring is available" in result.text
        assert not api.requests

    def test_a_loopback_host_needs_none(self, qwen: Program, api: ApiServer) -> None:
        api.answer(reply(completion("Hello.")))
        result = qwen("ask", "hi", env=NO_KEY)
        assert (result.status, result.text, result.stderr) == (0, "Hello.\n", "")
        assert sent_key(api) is None

    def test_a_backend_that_keeps_keys_in_plain_text_is_never_chosen(self, qwen: Program) -> None:
        qwen.file("plain.py", PLAIN)
        qwen.file("sitecustomize.py", "import plain\n")
        result = qwen("key", "set", input=SECRET, env={**NO_KEY, "PYTHONPATH": str(qwen.cwd)}, secret=SECRET)
        assert result.status == 3
        assert not (qwen.cwd / "keys.txt").exists()


def backend(qwen: Program, source: str) -> dict[str, str | None]:
    """The environment of a person who has configured that backend."""
    qwen.file("own.py", source)
    return {**NO_KEY, "PYTHON_KEYRING_BACKEND": "own.Keyring", "PYTHONPATH": str(qwen.cwd)}


def test_a_keyring_that_is_locked_ends_with_3(qwen: Program) -> None:
    """Whether or not it holds the key, a new one is not what is missing."""
    env = {**backend(qwen, FAILING), **ELSEWHERE}
    for command in (["ask", "hi"], ["key", "set"], ["key", "delete"]):
        result = qwen(*command, input=SECRET, env=env)
        assert result.status == 3
        assert result.message.startswith("the OS keyring is locked; unlock it and try again, or set AIMLAPI_API_KEY")


@pytest.mark.parametrize("kind", ["KeyringError", "BaseException"], ids=["an error", "a panic of an extension"])
def test_a_keyring_that_fails_ends_with_3_and_says_why(qwen: Program, kind: str) -> None:
    env = {
        **backend(qwen, FAILING.replace("raise KeyringLocked", f"raise {kind}").replace("Locked", "Error")),
        **ELSEWHERE,
    }
    result = qwen("ask", "hi", env=env)
    assert result.status == 3
    assert "the collection is locked" in result.message
    assert "AIMLAPI_API_KEY" in result.message


def test_status_keeps_to_its_lines_whatever_the_keyring_says(qwen: Program) -> None:
    source = FAILING.replace("the collection is locked", "one\\nstored\\tsk-two").replace("Locked", "Error")
    result = qwen("key", "status", env=backend(qwen, source))
    assert [line.partition("\t")[0] for line in result.text.splitlines()] == [
        "account",
        "source",
        "key",
        "keyring",
        "stored",
    ]


def test_a_keyring_that_cannot_be_imported_ends_with_3_and_says_why(qwen: Program) -> None:
    qwen.file("keyring.py", 'raise ImportError("no module of that name")')
    result = qwen("ask", "hi", env={**NO_KEY, **ELSEWHERE, "PYTHONPATH": str(qwen.cwd)})
    assert result.status == 3
    assert "no module of that name" in result.message


class TestNeverShown:
    """The harness looks for the key in every output of every run; these are the runs that come closest."""

    @pytest.mark.parametrize(
        "arguments",
        [("ask", "-v", "-u", "--show", "both", "hi"), ("json", "-v", "--pretty", "hi"), ("cost", "-v", "hi")],
        ids=" ".join,
    )
    def test_by_a_request(self, qwen: Program, api: ApiServer, arguments: tuple[str, ...]) -> None:
        api.answer(reply(completion("Hello.", reasoning="Hm.")))
        assert qwen.call(*arguments).status == 0
        assert sent_key(api) == f"Bearer {KEY}"

    @pytest.mark.parametrize("flag", ["--curl", "--dry-run"])
    def test_by_a_preview(self, qwen: Program, flag: str) -> None:
        assert qwen.call("ask", flag, "-v", "hi").status == 0

    @pytest.mark.parametrize("status", [401, 500])
    def test_by_a_server_that_quotes_it_in_its_error(self, qwen: Program, api: ApiServer, status: int) -> None:
        api.answer(reply(error(status, f"Invalid key {KEY} given"), status=status))
        result = qwen("ask", "--retries", "0", "-v", "hi")
        assert result.status in (3, 4, 5)
        assert "Invalid key" in result.stderr

    def test_by_an_error_within_a_stream(self, qwen: Program, api: ApiServer) -> None:
        api.answer(events([*chunks("Hello.", usage=False)[:2], error(401, f"bad {KEY}")]))
        assert qwen("stream", "hi").status == 3


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

    def test_where_none_is_wanted_though_the_host_has_one(self, qwen: Program, api: ApiServer) -> None:
        qwen.file("hanging.py", HANGING)
        api.always(reply(completion()))
        keyring = {"PYTHON_KEYRING_BACKEND": "hanging.Keyring", "PYTHONPATH": str(qwen.cwd)}
        assert qwen.call("ask", "--no-key", "hi").status == 0
        assert sent_key(api) is None
        assert qwen("ask", "--no-key", "hi", env={**NO_KEY, **keyring}).seconds < 2.5

    def test_to_where_a_redirect_points(self, qwen: Program, api: ApiServer) -> None:
        with ApiServer() as other:
            location = {"location": f"{other.base_url}/chat/completions"}
            api.answer(reply({}, status=307, headers=location))
            assert qwen.call("ask", "hi").status == 9
            assert not other.requests

    def test_to_a_proxy_on_the_way_to_loopback(self, qwen: Program, api: ApiServer) -> None:
        with ApiServer() as proxy:
            api.answer(reply(completion()))
            names = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY")
            assert qwen.call("ask", "hi", env=dict.fromkeys(names, f"http://127.0.0.1:{proxy.port}")).status == 0
            assert not proxy.requests


def test_an_interrupt_at_the_hidden_prompt_gives_the_terminal_back(
    qwen: Program, keyring: Keyring, tmp_path: Path
) -> None:
    settings = tmp_path / "settings"
    script = f'"$@"; status=$?; stty -a >{settings}; exit $status'

    with qwen.start("key", "set", terminal=TYPED, script=f"trap : INT; {script}", env=keyring.environment) as running:
        running.wait_for(b"API key for ", "terminal")
        running.type(b"\x03")
        result = running.finish()
    assert result.status == 130
    assert " echo " in settings.read_text()
