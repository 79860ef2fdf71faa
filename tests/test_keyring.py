"""The OS keyring: keys by host, and what if there is none, or it is locked, broken or never answers."""

from contextlib import ExitStack

import pytest

from qwen_cli.key.os_keyring import PATIENCE
from tests.api_server import ApiServer, reply
from tests.bodies import completion
from tests.keyring_daemon import SECRET, Keyring, account, sent_key, without_environment
from tests.program import KEY, Program, Stream

NO_KEY = {"AIMLAPI_API_KEY": None}

# A proxy that is not there keeps even the look-up of the name on this machine.
ELSEWHERE = {"AIMLAPI_BASE_URL": "https://api.example/v1", "HTTPS_PROXY": "http://127.0.0.1:9"}

HANGING = """
import time
from keyring.backend import KeyringBackend


class Keyring(KeyringBackend):
    priority = 9

    def get_password(self, *_):
        time.sleep(600)

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

TELLTALE = """
from keyring.backend import KeyringBackend


class Keyring(KeyringBackend):
    priority = 9

    def get_password(self, *_):
        open("asked", "w").close()

    set_password = get_password
"""

FORGETFUL = """
from keyring.backend import KeyringBackend


class Keyring(KeyringBackend):
    priority = 9

    def get_password(self, *_):
        return None

    def set_password(self, *_):
        pass
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


class TestKeyring:
    """With a real Secret Service."""

    def test_a_piped_key_is_stored_without_its_line_end_used_and_deleted(
        self, qwen: Program, api: ApiServer, keyring: Keyring
    ) -> None:
        env = without_environment(keyring)
        stored = qwen("key", "set", input=f" {SECRET}\r\n", env=env, secret=SECRET)
        assert (stored.status, stored.stdout) == (0, b"")
        assert stored.message == f"stored the key …4c1d for {account(api)}"
        api.always(reply(completion("Hello.")))
        assert qwen("ask", "hi", env=env, secret=SECRET).text == "Hello.\n"
        assert sent_key(api) == f"Bearer {SECRET}"
        status = qwen("key", "status", env=env, secret=SECRET)
        assert (status.status, "\nsource\tkeyring\nkey\t…4c1d\n" in status.text) == (0, True)
        deleted = qwen("key", "delete", env=env, secret=SECRET)
        assert (deleted.status, deleted.message) == (0, f"deleted the key for {account(api)}")
        assert qwen("ask", "hi", env=env).status == 0
        assert sent_key(api) is None
        again = qwen("key", "delete", env=env)
        assert (again.status, again.message) == (0, f"no key for {account(api)} is stored")

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
            assert result.seconds >= PATIENCE
            assert "did not answer within 3 seconds" in result.message
            assert "unlock it" in result.message
            assert "AIMLAPI_API_KEY" in result.message
        assert not api.requests


TYPED: tuple[Stream, ...] = ("stdin", "stderr")


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


def test_a_loopback_host_that_has_no_key_does_not_need_the_keyring_unlocked(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Hello.")))
    result = qwen("ask", "hi", env=backend(qwen, FAILING))
    assert (result.status, result.text, result.stderr) == (0, "Hello.\n", "")
    assert sent_key(api) is None


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


def test_the_variable_of_the_backend_wins_over_the_file(qwen: Program) -> None:
    (qwen.cwd / "python_keyring").mkdir()
    qwen.file("python_keyring/keyringrc.cfg", "[backend]\ndefault-keyring=other.Keyring\n")
    qwen.file("other.py", FORGETFUL)
    env = {**backend(qwen, FORGETFUL), "XDG_CONFIG_HOME": str(qwen.cwd)}
    assert "keyring\town.Keyring\n" in qwen("key", "status", env=env).text
    assert "keyring\tother.Keyring\n" in qwen("key", "status", env={**env, "PYTHON_KEYRING_BACKEND": None}).text


def test_a_keyring_that_keeps_nothing_ends_with_3(qwen: Program) -> None:
    """As the backend `null` does, without an error."""
    result = qwen("key", "set", input=SECRET, env=backend(qwen, FORGETFUL), secret=SECRET)
    assert (result.status, result.stdout) == (3, b"")
    assert result.message.startswith("the OS keyring did not keep the key; choose another backend")


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


def test_the_keyring_is_not_asked_where_the_environment_has_a_key(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion()))
    assert qwen("ask", "hi", env={**backend(qwen, TELLTALE), "AIMLAPI_API_KEY": KEY}).status == 0
    assert sent_key(api) == f"Bearer {KEY}"
    assert not (qwen.cwd / "asked").exists()


def test_the_keyring_is_not_asked_where_no_key_is_wanted(qwen: Program, api: ApiServer) -> None:
    api.always(reply(completion()))
    assert qwen.call("ask", "--no-key", "hi").status == 0
    assert sent_key(api) is None
    assert qwen("ask", "--no-key", "hi", env=backend(qwen, TELLTALE)).status == 0
    assert not (qwen.cwd / "asked").exists()
    assert qwen("ask", "hi", env=backend(qwen, TELLTALE)).status == 0
    assert (qwen.cwd / "asked").exists()
