"""The base URL says where requests go and whose key may go with them."""

import re
import socket

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from qwen_cli.connection import dialling
from qwen_cli.connection.client import Client
from qwen_cli.endpoint import DEFAULT_BASE_URL, SendingOptions, parse_endpoint
from qwen_cli.errors import InvalidUsage, QwenError
from qwen_cli.output.stderr import Notes
from qwen_cli.request.field_limits import REQUEST_ID
from tests.control_characters import obeyed
from tests.program import Program


@pytest.mark.parametrize(
    ("base_url", "account", "chat_url", "billing_url"),
    [
        (
            DEFAULT_BASE_URL,
            "api.aimlapi.com",
            "https://api.aimlapi.com/v1/chat/completions",
            "https://api.aimlapi.com/v2/billing",
        ),
        (
            "https://API.Example/v1/",
            "api.example",
            "https://API.Example/v1/chat/completions",
            "https://API.Example/v2/billing",
        ),
        (
            "http://127.0.0.1:8080/v1",
            "127.0.0.1:8080",
            "http://127.0.0.1:8080/v1/chat/completions",
            "http://127.0.0.1:8080/v2/billing",
        ),
        (
            "https://example.org/openai/v1",
            "example.org",
            "https://example.org/openai/v1/chat/completions",
            "https://example.org/openai/v2/billing",
        ),
        (
            "https://example.org/v1/openai",
            "example.org",
            "https://example.org/v1/openai/chat/completions",
            "https://example.org/v2/billing",
        ),
        (
            "https://example.org/v1/openai/v1",
            "example.org",
            "https://example.org/v1/openai/v1/chat/completions",
            "https://example.org/v1/openai/v2/billing",
        ),
        ("http://localhost", "localhost", "http://localhost/chat/completions", "http://localhost/v2/billing"),
        (
            "http://[::1]:9/api",
            "[::1]:9",
            "http://[::1]:9/api/chat/completions",
            "http://[::1]:9/v2/billing",
        ),
    ],
)
def test_a_base_url_says_where_each_request_goes(base_url: str, account: str, chat_url: str, billing_url: str) -> None:
    endpoint = parse_endpoint(base_url)
    assert (endpoint.account, endpoint.chat_url) == (account, chat_url)
    assert endpoint.account_url("billing") == billing_url


def test_the_port_follows_from_the_scheme_where_none_is_named() -> None:
    assert parse_endpoint("https://example.org/v1").port == 443
    assert parse_endpoint("http://localhost/v1").port == 80
    assert parse_endpoint("https://example.org:8443/v1").port == 8443


def test_hosts_that_differ_in_port_have_keys_of_their_own() -> None:
    urls = (
        *("https://example.org/v1", "https://example.org:8443/v1", "https://example.com/v1"),
        *("https://[fd77::2]/v1", "https://[fd77::2]:443/v1", "https://[fd77::2:443]/v1"),
    )
    assert len({parse_endpoint(url).account for url in urls}) == len(urls)


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "api.aimlapi.com/v1",
        "ftp://localhost/v1",
        "https://",
        "https:///v1",
        "https://host:port/v1",
        "https://host:99999/v1",
        "https://[::1/v1",
        "https://user@example.org/v1",
        "https://user:key@example.org/v1",
        "https://example.org/v1?key=1",
        "https://example.org/v1#top",
        "https://example.org/a b",
        "https://example.org/v1\n",
        "https://exämple.org/v1",
    ],
)
def test_what_is_no_base_url_is_a_usage_error(base_url: str) -> None:
    with pytest.raises(InvalidUsage, match="the base URL"):
        parse_endpoint(base_url)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1"])
def test_plain_http_is_for_loopback(host: str) -> None:
    endpoint = parse_endpoint(f"http://{f'[{host}]' if ':' in host else host}/v1")
    assert endpoint.is_loopback
    endpoint.require_privacy()


@pytest.mark.parametrize(
    "host",
    ["example.org", "localhost.example.org", "127.0.0.1.example", "10.0.0.1", "0.0.0.0", "::2"],
)
def test_no_key_goes_over_plain_http_to_anything_else(host: str) -> None:
    endpoint = parse_endpoint(f"http://{f'[{host}]' if ':' in host else host}/v1")
    assert not endpoint.is_loopback
    with pytest.raises(InvalidUsage, match="never sent over plain http"):
        endpoint.require_privacy()


@given(st.text())
def test_any_text_is_an_endpoint_or_a_usage_error(text: str) -> None:
    for base_url in (text, f"https://{text}", f"http://127.0.0.1:{text}"):
        try:
            endpoint = parse_endpoint(base_url)
        except InvalidUsage:
            continue
        assert endpoint.scheme in ("http", "https")
        assert endpoint.host
        assert 0 < endpoint.port <= 65535


@pytest.mark.parametrize(
    "url",
    [
        *(
            "https://a..b/v1",
            f"https://{'x' * 64}.example/v1",
            "https://1.2.3.400/v1",
            "http://127.1/v1",
            "http://2130706433/v1",
            "https://010.0.0.1/v1",
        ),
        *("https://xn--a.example/v1", "https://www.xn--ls8h.xn--0.example", "https://xn--/v1"),
        *("https://./v1", f"https://example.org/{'x' * 70_000}", "https://[::1", "https://example.org:99999/v1"),
    ],
    ids=lambda url: url[:24],
)
def test_a_base_url_without_a_host_that_can_be_is_refused(qwen: Program, url: str) -> None:
    result = qwen.call("ask", "hi", env={"AIMLAPI_BASE_URL": url})
    assert (result.status, result.stdout) == (2, b"")
    assert "AIMLAPI_BASE_URL" in result.message


_URLS = (r"https?://[^/]{0,20}(:[0-9]{0,6})?/.{0,20}", r"https?://([a-z]{0,3}\.)?[xX]n--[a-z0-9-]{0,8}(\.example)?/v1")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(url=st.one_of(st.text(), *map(st.from_regex, _URLS)), agent=st.text())
def test_no_base_url_is_a_defect(monkeypatch: pytest.MonkeyPatch, url: str, agent: str) -> None:
    """Whatever it is, it is refused, or an attempt to connect to it ends as one of the known failures."""

    def nobody(_candidates: object) -> socket.socket:
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(dialling, "connect", nobody)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [])
    sending = SendingOptions(retries=0, request_id=agent if re.fullmatch(REQUEST_ID, agent) else None)

    def ask() -> None:
        endpoint = parse_endpoint(url)
        with Client(endpoint, None, sending, Notes(quiet=True)) as client, client.post(endpoint.chat_url, b"{}"):
            pass

    with pytest.raises(QwenError):
        ask()


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/v1\r\nX-Evil: 1", "http://127.0.0.1/v1 HTTP/1.1", "http://127.0.0.1/\x1b[2J"]
)
def test_a_base_url_cannot_smuggle_anything(qwen: Program, url: str) -> None:
    result = qwen.call("ask", "hi", env={"AIMLAPI_BASE_URL": url})
    assert (result.status, result.stdout) == (2, b"")
    assert obeyed(result.stderr.encode()) == []
    assert result.message
