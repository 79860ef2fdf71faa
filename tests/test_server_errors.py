"""What a server says when it refuses or fails: one line with its status, its words, its request id, the next step."""

import json
from collections.abc import Iterator

import pytest

from tests.api_server import FIN, SILENCE, ApiServer, Request, Step, events, head, http_chunk, reply, stream
from tests.bodies import Json, chunk, chunks, completion, error, event
from tests.keyring_daemon import Keyring
from tests.program import READERS, SECONDS, Program, is_streamed

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
        assert "no key was sent" in qwen.call("ask", *arguments, "hi", env=env).message


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
    (
        "the words of a server behind a gateway",
        json.dumps({"error": {"message": "Failed", "metadata": {"raw": json.dumps({"error": "Too hot"})}}}).encode(),
        "Failed: Too hot",
    ),
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
    "rest", [pytest.param((b"{", FIN), id="that is cut"), pytest.param((b"{", SILENCE), id="that never ends")]
)
def test_the_status_of_an_error_survives_a_body(qwen: Program, api: ApiServer, rest: tuple[Step, ...]) -> None:
    """And is not kept waiting for by the time limit of answers, which is ten minutes."""
    api.answer((head(401, {"content-length": 100}), *rest))
    result = qwen.call("ask", "hi")
    assert result.status == 3
    assert "401" in result.message


def test_an_endless_error_body_is_not_read_to_its_end(qwen: Program, api: ApiServer) -> None:
    def endless(_: Request) -> Iterator[Step]:
        yield head(500, {"transfer-encoding": "chunked"})
        while True:
            yield http_chunk(b"x" * 65536)

    api.answer(endless)
    result = qwen.call("ask", "--retries", "0", "hi")
    assert result.status == 5
    assert "500" in result.message
    assert api.request.closed.wait(SECONDS)


@pytest.mark.parametrize("arguments", [("cost", "--balance"), ("cost", "--period", "7d"), ("json", "hi")], ids=" ".join)
def test_the_other_commands_explain_errors_the_same_way(
    qwen: Program, api: ApiServer, arguments: tuple[str, ...]
) -> None:
    api.answer(reply(error(401, "Wrong key"), status=401))
    result = qwen.call(*arguments)
    assert (result.status, result.stdout) == (3, b"")
    for part in ("401", "Wrong key", ID, "AIMLAPI_API_KEY"):
        assert part in result.message


@pytest.mark.parametrize(
    ("status", "code", "ends_with"),
    [
        pytest.param(429, "insufficient_quota", 3, id="an empty account is no busy service"),
        pytest.param(400, "Arrearage", 3, id="nor a wrong request"),
        pytest.param(400, "invalid_api_key", 3, id="400 about the key"),
        pytest.param(400, "data_inspection_failed", 8, id="400 about the content"),
        pytest.param(400, "server_error", 5, id="400 about the service"),
        pytest.param(404, "server_error", 4, id="404 says more than a code"),
        pytest.param(500, "invalid_request_error", 5, id="so does 500"),
        pytest.param(500, "content_filter", 8, id="but not about the content"),
    ],
)
def test_a_code_says_more_than_some_statuses(
    qwen: Program, api: ApiServer, status: int, code: str, ends_with: int
) -> None:
    """And an account without credit is never asked again."""
    api.answer(reply({"error": {"message": "No", "code": code}}, status=status))
    retries = "2" if ends_with in (3, 4, 8) else "0"
    result = qwen.call("ask", "--retries", retries, "hi")
    assert result.status == ends_with
    assert ("top up" in result.message) == (code in ("insufficient_quota", "Arrearage"))


UNPAID: Json = {"code": "insufficient_quota", "message": "Pay first"}
WRAPPED: list[tuple[str, object]] = [
    ("an error in an error", {"error": {"error": UNPAID}}),
    ("a detail", {"detail": UNPAID}),
    ("an error in a detail", {"detail": {"error": UNPAID}}),
    ("an array of errors", {"errors": [UNPAID]}),
    ("an error that is an array", {"error": [UNPAID]}),
    ("an array around the error", [{"error": UNPAID}]),
    ("a message that is an object", {"message": UNPAID, "statusCode": 429}),
    ("JSON in a string", {"error": json.dumps(UNPAID)}),
    ("JSON in the message", {"error": {"message": json.dumps({"error": UNPAID}), "code": 429}}),
    ("what a gateway quotes", {"error": {"message": "Sorry", "code": 429, "metadata": {"raw": json.dumps(UNPAID)}}}),
]


@pytest.mark.parametrize("status", [429, 200])
@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in WRAPPED])
def test_a_code_decides_in_whatever_it_is_wrapped(qwen: Program, api: ApiServer, body: object, status: int) -> None:
    api.answer(reply(body, status=status))
    result = qwen.call("ask", "hi")
    assert (result.status, result.stdout) == (3, b"")
    assert "Pay first" in result.message
    assert UNPAID["code"] not in result.message


@pytest.mark.parametrize(("code", "status"), [("401", 3), (429, 5), (404, 4), ("503", 5)])
def test_a_status_in_a_400_is_that_of_the_server_behind_it(
    qwen: Program, api: ApiServer, code: object, status: int
) -> None:
    api.answer(reply({"error": {"message": "No", "code": code}}, status=400))
    assert qwen.call("ask", "hi").status == status


# Errors after a 200, in a body or among the events of a stream.


ERROR_EVENTS: list[tuple[str, object, int, str]] = [
    ("of the service's shape", {"message": "Overloaded", "requestId": "req-9", "statusCode": 503}, 5, "req-9"),
    ("with its status as a string", {"message": "Slow down", "statusCode": "429"}, 5, "Slow down"),
    ("about the key", {"message": "Key disabled", "statusCode": 401}, 3, "Key disabled"),
    ("about the request", {"message": "Too long", "statusCode": 400}, 4, "Too long"),
    ("as an error object with a status", {"error": {"message": "Broken", "code": 500}}, 5, "Broken"),
    ("as an error object with a kind", {"error": {"message": "Broken", "type": "server_error"}}, 5, "Broken"),
    ("as an error object without one", {"error": {"message": "Broken", "type": "x"}}, 9, "Broken"),
    ("in a choice", chunk(choices=[{"delta": {}, "error": {"message": "Broken", "code": 502}}]), 5, "Broken"),
    ("as a message and a code", {"object": "error", "message": "Too long", "code": 400}, 4, "Too long"),
    ("as a detail", {"detail": "Broken"}, 9, "Broken"),
    ("about the content", {"error": {"message": "Blocked", "code": "data_inspection_failed"}}, 8, "Blocked"),
    ("about an account", {"error": {"message": "Pay", "code": "Arrearage"}}, 3, "top up"),
    ("as an error that is a string", {"error": "Broken"}, 9, "Broken"),
]


@pytest.mark.parametrize(("payload", "status", "part"), [pytest.param(*rest, id=name) for name, *rest in ERROR_EVENTS])
def test_an_error_event_after_a_200_ends_with_the_status_of_the_error(
    qwen: Program, api: ApiServer, payload: object, status: int, part: str
) -> None:
    api.answer(events([chunk("One "), chunk("two"), payload]))
    result = qwen.call("stream", "hi")
    assert (result.status, result.text) == (status, "One two\n")
    assert part in result.message


def test_an_error_in_a_body_after_a_200_is_reported(qwen: Program, api: ApiServer) -> None:
    api.answer(reply({"error": {"message": "Broken inside", "code": 500}}))
    result = qwen.call("ask", "hi")
    assert (result.status, result.stdout) == (5, b"")
    assert "the response holds an error 500: Broken inside" in result.message


ERRORS: list[tuple[str, object, int, str]] = [
    ("an object with a status", {"message": "Upstream broke", "code": 502}, 5, "Upstream broke"),
    ("an object with a status as text", {"message": "Slow down", "code": "429"}, 5, "Slow down"),
    ("an object without a status", {"message": "Upstream broke", "type": "x"}, 9, "Upstream broke"),
    ("a string", "Upstream broke", 9, "Upstream broke"),
    ("about the key", {"message": "Key disabled", "code": 401}, 3, "Key disabled"),
]


@pytest.mark.parametrize("arguments", READERS, ids=" ".join)
@pytest.mark.parametrize("empty", [False, True], ids=["beside choices", "beside no choices"])
@pytest.mark.parametrize(("error", "status", "part"), [pytest.param(*rest, id=name) for name, *rest in ERRORS])
def test_an_error_beside_choices_is_that_error(
    qwen: Program, api: ApiServer, error: object, status: int, part: str, empty: bool, arguments: tuple[str, ...]
) -> None:
    fields: Json = {"error": error} | ({"choices": []} if empty else {})
    if is_streamed(arguments):
        api.answer(events([chunk("One "), chunk("two", **fields)]))
    else:
        api.answer(reply(completion("Half", **fields)))
    result = qwen.call(*arguments, "--retries", "0", "hi")
    assert result.status == status
    assert part in result.message


@pytest.mark.parametrize("arguments", [("stream",), ("json", "--stream")], ids=" ".join)
def test_an_error_that_comes_as_a_body_where_a_stream_was_asked_for_is_that_error(
    qwen: Program, api: ApiServer, arguments: tuple[str, ...]
) -> None:
    api.answer(reply({"error": {"message": "Slow down", "code": 429}}, headers={"content-type": "application/json"}))
    result = qwen.call(*arguments, "--retries", "0", "hi")
    shown = '{"error": {"message": "Slow down", "code": 429}}\n' if arguments[0] == "json" else ""
    assert (result.status, result.text) == (5, shown)
    assert "Slow down" in result.message


@pytest.mark.parametrize("arguments", READERS, ids=" ".join)
@pytest.mark.parametrize("nothing", [None, {}, "", False, [], {"message": None, "code": ""}], ids=repr)
def test_an_error_that_is_none_is_no_error(
    qwen: Program, api: ApiServer, nothing: object, arguments: tuple[str, ...]
) -> None:
    payloads = [{**each, "error": nothing} for each in chunks("Hello.")]
    api.answer(events(payloads) if is_streamed(arguments) else reply(completion("Hello.", error=nothing)))
    assert qwen.call(*arguments, "hi").status == 0


@pytest.mark.parametrize(
    "field", ["event: error\ndata: ", "error: "], ids=["an event of that type", "a line of that name"]
)
@pytest.mark.parametrize(
    ("said", "status"),
    [("upstream is away", 9), ('{"message": "upstream is away", "code": 503}', 5)],
    ids=["plain text", "an object"],
)
def test_an_error_may_be_an_event_that_says_so(
    qwen: Program, api: ApiServer, field: str, said: str, status: int
) -> None:
    api.answer(stream(event(chunk("One")), f"{field}{said}\n\n".encode()))
    result = qwen.call("stream", "hi")
    assert (result.status, result.text) == (status, "One\n")
    assert "upstream is away" in result.message
