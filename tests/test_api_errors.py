"""What the API says when it refuses: one line, with its status, its message, its request id and the next step."""

import json
from collections.abc import Iterator

import pytest

from tests.api_server import FIN, SILENCE, ApiServer, Request, Step, head, http_chunk, reply
from tests.bodies import error
from tests.keyring_daemon import Keyring
from tests.program import Program

ID = "req-5e1f"
HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1>\n<hr>nginx</body></html>\n"


@pytest.mark.parametrize(
    ("status", "ends_with", "next_step"),
    [
        pytest.param(400, 4, "", id="400 is a refusal"),
        pytest.param(401, 3, "AIMLAPI_API_KEY", id="401 names the variable of the key"),
        pytest.param(402, 3, "top up", id="402 says to top up"),
        pytest.param(403, 3, "", id="403 is about credentials"),
        pytest.param(404, 4, "--model", id="404 names the model's flag"),
        pytest.param(405, 4, "", id="405 is a refusal"),
        pytest.param(409, 4, "", id="409 is a refusal"),
        pytest.param(413, 4, "shorter", id="413 says to send less"),
        pytest.param(422, 4, "", id="422 is a refusal"),
        pytest.param(429, 5, "--retries", id="429 names the flag for retries"),
        pytest.param(500, 5, "", id="500 is the service's failure"),
        pytest.param(502, 5, "", id="502 is the service's failure"),
        pytest.param(503, 5, "", id="503 is the service's failure"),
        pytest.param(504, 5, "", id="504 is the service's failure"),
        pytest.param(599, 5, "", id="599 is the service's failure"),
    ],
)
def test_each_status_has_its_exit_status_and_its_next_step(
    qwen: Program, api: ApiServer, status: int, ends_with: int, next_step: str
) -> None:
    api.answer(reply(error(status, "No such luck"), status=status))
    result = qwen.call("ask", "--retries", "0", "hi")
    assert (result.status, result.stdout) == (ends_with, b"")
    for part in (str(status), "No such luck", ID, next_step):
        assert part in result.message


@pytest.mark.parametrize("message", ["You are out of credit", "Insufficient balance", "Not enough funds"])
def test_a_403_about_credit_says_to_top_up(qwen: Program, api: ApiServer, message: str) -> None:
    api.answer(reply(error(403, message), status=403))
    assert "top up" in qwen.call("ask", "hi").message


def test_a_401_without_a_key_says_that_none_was_sent(qwen: Program, api: ApiServer) -> None:
    api.always(reply(error(401, "Unauthorized"), status=401))
    for arguments, env in ((("--no-key",), {}), ((), {"AIMLAPI_API_KEY": None})):
        assert "no key was sent" in qwen("ask", *arguments, "hi", env=env).message


def test_a_401_with_a_stored_key_says_how_to_store_another(qwen: Program, api: ApiServer, keyring: Keyring) -> None:
    env = {**keyring.environment, "AIMLAPI_API_KEY": None}
    assert qwen("key", "set", input="an-outdated-key", env=env).status == 0
    api.answer(reply(error(401, "Unauthorized"), status=401))
    message = qwen("ask", "hi", env=env).message
    assert "key set" in message
    assert "AIMLAPI_API_KEY" not in message


@pytest.mark.parametrize("arguments", [("--balance",), ("--period", "7d")], ids=" ".join)
def test_a_404_of_the_account_is_not_about_the_model(qwen: Program, api: ApiServer, arguments: tuple[str, ...]) -> None:
    api.answer(reply(error(404, "Not found"), status=404))
    message = qwen.call("cost", *arguments).message
    assert "--base-url" in message
    assert "--model" not in message


@pytest.mark.parametrize(
    "message",
    [
        "max_tokens must be greater than thinking_budget [8192]",
        "Could not finish the message because max_tokens or model output limit was reached.",
    ],
)
def test_a_400_about_too_few_tokens_to_think_names_the_flags(qwen: Program, api: ApiServer, message: str) -> None:
    api.answer(reply(error(400, message), status=400))
    result = qwen.call("ask", "--max-tokens", "5", "hi")
    assert result.status == 4
    assert result.message.endswith("; raise --max-tokens or lower --reasoning-effort")


def test_a_403_about_anything_else_does_not(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(error(403, "Your country is not served"), status=403))
    assert "top up" not in qwen.call("ask", "hi").message


SHAPES: list[tuple[str, bytes, str]] = [
    ("a string", json.dumps(error(400, "Wrong thing")).encode(), "Wrong thing"),
    ("an array of strings", json.dumps(error(400, ["One wrong", "Two wrong"])).encode(), "Two wrong"),
    ("an array of objects", json.dumps(error(400, [{"message": "Too hot", "path": ["x"]}])).encode(), "Too hot"),
    ("an array of other objects", json.dumps(error(400, [{"field": "top_p"}])).encode(), "top_p"),
    ("an object", json.dumps(error(400, {"message": "Nested wrong"})).encode(), "Nested wrong"),
    ("an object without a message", json.dumps(error(400, {"temperature": "Too hot"})).encode(), "Too hot"),
    ("a status given as a string", json.dumps(error(400, "Wrong", statusCode="400")).encode(), "Wrong"),
    ("an error object", b'{"error": {"message": "Compatible wrong", "type": "x", "code": null}}', "Compatible wrong"),
    ("an error that is a string", b'{"error": "Bare wrong"}', "Bare wrong"),
    ("an error under detail", b'{"detail": [{"msg": "Field required", "loc": ["body"]}]}', "Field required"),
    ("plain text", b"upstream is away\n", "upstream is away"),
    ("a JSON string", b'"quoted wrong"', "quoted wrong"),
    ("HTML", HTML, "HTTP 400"),
    ("nothing", b"", "HTTP 400"),
    ("null", b"null", "HTTP 400"),
    ("an empty object", b"{}", "HTTP 400"),
    ("a message of null", b'{"message": null}', "HTTP 400"),
    ("bytes that are not text", bytes(range(256)), "HTTP 400"),
    ("deeply nested arrays", b'{"message": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", "HTTP 400"),
    ("nested as deep as JSON parses", b'{"message": ' + b"[" * 900 + b'"deep"' + b"]" * 900 + b"}", "HTTP 400"),
    ("50 kB of text", json.dumps(error(400, "long " * 10_000)).encode(), "long long"),
    ("a megabyte of text", json.dumps(error(400, "long " * 200_000)).encode(), "HTTP 400"),
]


@pytest.mark.parametrize(("body", "part"), [pytest.param(*rest, id=name) for name, *rest in SHAPES])
def test_an_error_of_any_shape_is_reported_in_one_line(qwen: Program, api: ApiServer, body: bytes, part: str) -> None:
    api.answer(reply(body=body, status=400))
    result = qwen.call("ask", "hi")
    assert (result.status, result.stdout) == (4, b"")
    assert "400" in result.message
    assert part in result.message
    assert "<" not in result.message
    assert len(result.message) < 5000


@pytest.mark.parametrize(
    "body", [b"", HTML, b'{"error": {"message": "x"}}'], ids=["nothing", "HTML", "a foreign shape"]
)
def test_the_request_id_comes_from_the_header_where_the_body_has_none(
    qwen: Program, api: ApiServer, body: bytes
) -> None:
    api.answer(reply(body=body, status=400))
    assert "inf-7d2c" in qwen.call("ask", "hi").message


@pytest.mark.parametrize(
    ("rest", "seconds"),
    [pytest.param((b"{", FIN), 3, id="that is cut"), pytest.param((b"{", SILENCE), 4, id="that never ends")],
)
def test_the_status_of_an_error_survives_a_body(
    qwen: Program, api: ApiServer, rest: tuple[Step, ...], seconds: float
) -> None:
    api.answer((head(401, {"content-length": 100}), *rest))
    result = qwen("ask", "--timeout", "1", "hi")
    assert result.status == 3
    assert "401" in result.message
    assert result.seconds < seconds


def test_an_endless_error_body_is_not_read_to_its_end(qwen: Program, api: ApiServer) -> None:
    def endless(_: Request) -> Iterator[Step]:
        yield head(500, {"transfer-encoding": "chunked"})
        while True:
            yield http_chunk(b"x" * 65536)

    api.answer(endless)
    result = qwen("ask", "--retries", "0", "hi")
    assert result.status == 5
    assert "500" in result.message
    assert api.request.closed.wait(2)


@pytest.mark.parametrize("arguments", [("cost", "--balance"), ("cost", "--period", "7d"), ("json", "hi")], ids=" ".join)
def test_the_other_commands_explain_errors_the_same_way(
    qwen: Program, api: ApiServer, arguments: tuple[str, ...]
) -> None:
    api.answer(reply(error(401, "Wrong key"), status=401))
    result = qwen(*arguments)
    assert (result.status, result.stdout) == (3, b"")
    for part in ("401", "Wrong key", ID, "AIMLAPI_API_KEY"):
        assert part in result.message


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(qwen: Program, api: ApiServer, status: int) -> None:
    with ApiServer() as elsewhere:
        api.answer(reply({}, status=status, headers={"location": f"{elsewhere.base_url}/chat/completions"}))
        result = qwen.call("ask", "hi")
    assert (result.status, result.stdout) == (9, b"")
    assert "redirect" in result.message
    assert elsewhere.connections == 0
