"""The same request is answered again without being sent, for `ask`, `json` and `check`."""

import json
import signal
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api_server import ApiServer, Request, Step, reply, stream
from tests.bodies import completion
from tests.program import WITHOUT_PRIVILEGE, Program, wait_until

KEPT = completion("Hello.")


@pytest.fixture
def folder(qwen: Program) -> Path:
    """Where answers are kept."""
    return qwen.cwd / "cache"


def entries(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.json"))


@pytest.fixture
def recorded(qwen: Program, api: ApiServer, folder: Path) -> Iterator[Path]:
    """A cache that holds the answer to `hi`."""
    api.answer(reply(KEPT))
    assert qwen.call("ask", "--cache", folder, "hi").text == "Hello.\n"
    yield folder
    assert not [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".json"]


def test_a_request_is_sent_once(qwen: Program, api: ApiServer, recorded: Path) -> None:
    result = qwen("ask", "--cache", recorded, "hi")
    assert (result.status, result.text, result.stderr) == (0, "Hello.\n", "")
    assert len(api.requests) == 1


def test_an_entry_is_the_body_as_it_came_named_by_what_was_asked(qwen: Program, recorded: Path) -> None:
    (entry,) = entries(recorded)
    assert json.loads(entry.read_bytes()) == KEPT
    assert len(entry.parent.name) == 2
    assert len(entry.parent.name + entry.stem) == 64
    assert qwen.call("cost", "--saved", entry).status == 0


def test_the_folder_is_the_users_own(recorded: Path) -> None:
    assert stat.S_IMODE(recorded.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "other",
    [["ho"], ["-t", "1", "hi"], ["-m", "other", "hi"], ["-s", "Be brief.", "hi"], ["--seed", "1", "hi"]],
    ids=" ".join,
)
def test_another_request_is_another_entry(qwen: Program, api: ApiServer, recorded: Path, other: list[str]) -> None:
    api.answer(reply(completion("Other.")))
    assert qwen.call("ask", "--cache", recorded, *other).text == "Other.\n"
    assert len(entries(recorded)) == 2


@pytest.mark.parametrize(
    "same",
    [["--timeout", "5"], ["--retries", "0"], ["--no-key"], ["--request-id", "x"], ["-o", "answer"], ["-q"], ["-r"]],
    ids=" ".join,
)
def test_how_it_is_sent_and_printed_is_no_part_of_the_request(
    qwen: Program, api: ApiServer, recorded: Path, same: list[str]
) -> None:
    body = completion("Hello.", reasoning="Because.") if same == ["-r"] else KEPT
    if same == ["-r"]:
        entries(recorded)[0].write_text(json.dumps(body))
    result = qwen.call("ask", "--cache", recorded, *same, "hi", env={"AIMLAPI_API_KEY": "another"})
    assert result.status == 0
    assert len(api.requests) == 1


def test_the_variable_counts_and_does_not_disturb_commands_without_a_cache(
    qwen: Program, api: ApiServer, recorded: Path
) -> None:
    changes = {"QWEN_CLI_CACHE": str(recorded)}
    assert qwen.call("ask", "hi", env=changes).text == "Hello.\n"
    assert len(api.requests) == 1
    api.answer(reply(KEPT))
    result = qwen.call("cost", "hi", env=changes)
    assert (result.status, result.stderr) == (0, "")
    assert len(api.requests) == 2


def test_json_and_check_share_it(qwen: Program, api: ApiServer, recorded: Path) -> None:
    result = qwen.call("json", "--cache", recorded, "hi")
    assert (result.status, json.loads(result.text)) == (0, KEPT)
    assert len(api.requests) == 1
    api.answer(reply(completion("no")))
    for _ in range(2):
        assert qwen.call("check", "--cache", recorded, "Is it late?").status == 10
    assert len(api.requests) == 2


def test_json_records_too(qwen: Program, api: ApiServer, folder: Path) -> None:
    api.answer(reply(KEPT))
    first, second = (qwen.call("json", "--cache", folder, "hi") for _ in range(2))
    assert (first.status, first.stdout) == (second.status, second.stdout)
    assert len(api.requests) == 1


def test_a_hit_costs_nothing_and_says_so(qwen: Program, recorded: Path) -> None:
    result = qwen.call("ask", "-u", "--cache", recorded, "hi")
    assert "cached" in result.message
    assert "0 USD" in result.message


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        pytest.param([], completion("Half", finish_reason="length"), id="that is incomplete"),
        pytest.param(["--allow-incomplete"], completion("Half", finish_reason="length"), id="that is let through"),
        pytest.param(["--response-format", "json_object"], completion("prose"), id="that is not the JSON asked for"),
    ],
)
def test_no_answer_is_kept(
    qwen: Program, api: ApiServer, folder: Path, arguments: list[str], body: dict[str, object]
) -> None:
    api.answer(reply(body), reply(body))
    for _ in range(2):
        qwen.call("ask", "--cache", folder, *arguments, "hi")
    assert len(api.requests) == 2
    assert not folder.exists() or entries(folder) == []


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b"\xff", json.dumps(completion("x", finish_reason=None)).encode()]
)
def test_a_damaged_entry_is_a_miss_and_is_replaced(
    qwen: Program, api: ApiServer, recorded: Path, damage: bytes
) -> None:
    entries(recorded)[0].write_bytes(damage)
    api.answer(reply(completion("Again.")))
    assert qwen.call("ask", "--cache", recorded, "hi").text == "Again.\n"
    assert json.loads(entries(recorded)[0].read_bytes()) == completion("Again.")


def test_an_incomplete_entry_is_a_miss_even_where_incomplete_answers_are_allowed(
    qwen: Program, api: ApiServer, recorded: Path
) -> None:
    half = json.dumps(completion("Half", finish_reason="length")).encode()
    entries(recorded)[0].write_bytes(half)
    api.answer(reply(completion("Half again", finish_reason="length")))
    result = qwen.call("ask", "--cache", recorded, "--allow-incomplete", "hi")
    assert (result.status, result.text) == (0, "Half again\n")
    assert entries(recorded)[0].read_bytes() == half


def test_cache_only_sends_nothing_and_needs_no_key(qwen: Program, api: ApiServer, recorded: Path) -> None:
    connections = api.connections
    changes = {"AIMLAPI_API_KEY": None}
    for command in ("ask", "json"):
        result = qwen.call(command, "--cache", recorded, "--cache-only", "hi", env=changes)
        assert (result.status, result.stderr) == (0, "")
        result = qwen.call(command, "--cache", recorded, "--cache-only", "ho", env=changes)
        assert (result.status, result.stdout) == (6, b"")
        assert "--cache-only" in result.message
    assert api.connections == connections


def test_a_test_suite_replays_by_variables(qwen: Program, api: ApiServer, recorded: Path) -> None:
    changes = {"QWEN_CLI_CACHE": str(recorded), "QWEN_CLI_CACHE_ONLY": "1", "AIMLAPI_API_KEY": None}
    assert qwen.call("ask", "hi", env=changes).text == "Hello.\n"
    assert qwen.call("ask", "ho", env=changes).status == 6
    assert len(api.requests) == 1


def test_cache_only_without_a_cache_is_a_usage_error(qwen: Program) -> None:
    result = qwen.call("ask", "--cache-only", "hi")
    assert (result.status, result.stdout) == (2, b"")
    assert "--cache DIR" in result.message


def test_a_cache_that_cannot_be_written_is_reported(qwen: Program, api: ApiServer) -> None:
    """Before anything is sent."""
    qwen.file("file", "not a folder")
    for folder in ("file", "/proc/cache"):
        result = qwen.call("ask", "--cache", folder, "hi")
        assert (result.status, result.stdout, api.requests) == (7, b"", [])
        assert f"cannot write the cache in {folder}: " in result.message


def test_a_folder_of_others_is_found_out_before_anything_is_sent(qwen: Program, api: ApiServer) -> None:
    (qwen.cwd / "cache").mkdir(mode=0o555)
    result = qwen("ask", "--cache", "cache", "hi", script=WITHOUT_PRIVILEGE)
    assert (result.status, api.requests) == (7, [])
    assert result.message.endswith("Permission denied")


@pytest.mark.parametrize("command", ["ask", "json", "check", "map", "filter"])
def test_a_folder_that_cannot_be_made_is_found_out_before_anything_is_sent(
    qwen: Program, api: ApiServer, command: str
) -> None:
    """Not even root makes one in /proc."""
    result = qwen.call(command, "hi", input="x\n", env={"QWEN_CLI_CACHE": "/proc/cache"})
    assert (result.status, result.stdout, api.requests) == (7, b"", [])
    assert result.message.startswith("cannot write the cache in /proc/cache")


def test_many_processes_share_one_cache(qwen: Program, api: ApiServer, folder: Path) -> None:
    """Eight at once, all with the same two requests: every answer is right and every entry whole."""
    api.always(lambda request: reply(completion(request.json["messages"][0]["content"].upper())))
    command = 'for n in $(seq 4); do for word in one two; do "$@" --cache cache $word & done; done; wait'
    result = qwen("ask", "-n", script=command, timeout=120)
    assert result.stderr == ""
    assert sorted(result.text.split()) == ["ONE"] * 4 + ["TWO"] * 4
    assert sorted(json.loads(entry.read_bytes())["choices"][0]["message"]["content"] for entry in entries(folder)) == [
        "ONE",
        "TWO",
    ]


def test_a_makefile_is_free_the_second_time(qwen: Program, api: ApiServer) -> None:
    qwen.file("Makefile", "answer:\n\t@qwen-cli ask -n --cache cache -o $@ hi\n")
    api.answer(reply(KEPT))
    for _ in range(2):
        subprocess.run(["make", "-s", "-B"], cwd=qwen.cwd, env=qwen.environment(None, {}), check=True)
        assert (qwen.cwd / "answer").read_text() == "Hello.\n"
    assert len(api.requests) == 1


def test_stream_offers_none(qwen: Program, api: ApiServer, folder: Path) -> None:
    result = qwen.call("stream", "--cache", folder, "hi")
    assert result.status == 2
    api.answer(stream(b'data: {"choices":[{"delta":{"content":"Hi."},"finish_reason":"stop"}]}\n\n'))
    assert qwen.call("stream", "hi", env={"QWEN_CLI_CACHE": str(folder)}).text == "Hi.\n"
    assert not folder.exists()


def test_map_resumes_from_the_cache_and_pays_only_for_the_rest(qwen: Program, api: ApiServer, folder: Path) -> None:
    api.always(lambda request: reply(completion(request.json["messages"][0]["content"].upper())))
    assert qwen.call("map", "--cache", folder, input="one\ntwo\n").text == "ONE\nTWO\n"
    result = qwen.call("map", "--cache", folder, "--json", input="two\nthree\n")
    two, three = map(json.loads, result.text.splitlines())
    assert len(api.requests) == 3
    assert (two["content"], two["cached"], two["usd_spent"]) == ("TWO", True, 0)
    assert (three["content"], three["cached"]) == ("THREE", False)
    assert three["usd_spent"] > 0
    assert qwen.call("ask", "--cache", folder, "three").text == "THREE\n"
    assert len(api.requests) == 3


def test_the_usage_of_map_says_how_many_answers_were_free(qwen: Program, api: ApiServer, folder: Path) -> None:
    api.answer(*(reply(completion(word)) for word in "abc"))
    assert qwen.call("map", "-P", "1", "--cache", folder, "-u", input="a\nb\n").message.endswith(" 0.00026 USD")
    assert qwen.call("map", "--cache", folder, "-u", input="a\nb\nc\n").message.endswith(
        " 0.00013 USD; 2 from the cache"
    )
    assert qwen.call("map", "--cache", folder, "-u", input="a\nb\nc\n").message == "0 USD; 3 from the cache"


def test_map_without_the_network_names_what_is_missing(qwen: Program, api: ApiServer, recorded: Path) -> None:
    """Every item that is there is answered, however many are not."""
    words = "a\nb\nc\nd\ne\nhi\n"
    result = qwen.call(
        "map", "-P", "2", "--cache", recorded, "--cache-only", input=words, env={"AIMLAPI_API_KEY": None}
    )
    assert (result.status, result.text) == (11, "\n" * 5 + "Hello.\n")
    assert len(api.requests) == 1


def test_an_interrupted_map_keeps_what_was_answered(qwen: Program, api: ApiServer, folder: Path) -> None:
    """In order or not: the first item waits for ever, and the others are kept."""
    hold = threading.Event()

    def answer(request: Request) -> list[Step]:
        word = request.json["messages"][0]["content"]
        return [hold if word == "first" else b"", *reply(completion(word.upper()))]

    api.always(answer)
    with qwen.start("map", "--cache", folder, input="first\nsecond\nthird\n") as running:
        wait_until(lambda: len(entries(folder)) == 2, "two are kept")
        running.send(signal.SIGINT)
        assert running.finish().status == 130
    hold.set()
    assert qwen("map", "--cache", folder, input="first\nsecond\nthird\n").text == "FIRST\nSECOND\nTHIRD\n"
    assert [request.json["messages"][0]["content"] for request in api.requests].count("second") == 1
