"""A whole response is read into an answer."""

import pytest

from qwen_cli.answer.completion import read_completion
from qwen_cli.errors import ProtocolError
from tests.bodies import META, USAGE, Json, completion, tool_call
from tests.reading import as_dict, read


def test_a_completion_is_read_whole() -> None:
    calls = [tool_call("a", "{}"), tool_call("b", "[]", id="call_2")]
    answer = read(completion("Hello.", reasoning="Hm.", refusal="No.", tool_calls=calls, finish_reason="tool_calls"))
    assert as_dict(answer) == {
        "content": "Hello.",
        "reasoning": "Hm.",
        "has": {"content", "reasoning"},
        "is_still_thinking": False,
        "failure": None,
        "odd": [],
        "refusal": "No.",
        "tool_calls": ['{"id":"call_1","name":"a","arguments":{}}', '{"id":"call_2","name":"b","arguments":[]}'],
        "finish_reason": "tool_calls",
        "usage": USAGE,
        "meta_usage": META["usage"],
    }


def test_the_first_choice_is_the_one_with_index_0() -> None:
    def choice(index: int, content: str) -> Json:
        return {"index": index, "message": {"content": content}, "finish_reason": "stop"}

    assert read(completion(choices=[choice(1, "second"), choice(0, "first")])).content == "first"
    assert read(completion(choices=[choice(1, "only")])).content == "only"


@pytest.mark.parametrize("missing", ["content", "reasoning_content", "refusal"])
def test_a_member_that_is_missing_is_like_null(missing: str) -> None:
    body = completion("Hello.", reasoning="Hm.", refusal="No.")
    without = completion("Hello.", reasoning="Hm.", refusal="No.")
    body["choices"][0]["message"][missing] = None
    del without["choices"][0]["message"][missing]
    assert as_dict(read(without)) == as_dict(read(body))


@pytest.mark.parametrize(
    ("broken", "where"),
    [
        ([], "the response is not a JSON object but an array"),
        ({"choices": {}}, "the response has no choices"),
        ({"choices": ["x"]}, "the response has no choices"),
        ({"choices": [{"message": []}]}, "the response has no message"),
        ({"detail": "Not here"}, "Not here"),
        ({}, "the response has no choices"),
    ],
)
def test_a_body_without_an_answer_says_why(broken: object, where: str) -> None:
    with pytest.raises(ProtocolError) as raised:
        read(broken)
    assert where in str(raised.value)


@pytest.mark.parametrize(
    ("body", "remark"),
    [
        (completion(7), "content is not a string but a number"),
        (completion(True), "content is not a string but a boolean"),
        (completion(finish_reason=["stop"]), "finish_reason is not a string but an array"),
        (completion(tool_calls=[None]), "a tool call is not an object"),
        (completion(usage="much"), "usage is not an object but a string"),
        (completion(meta={"usage": 1}), "usage is not an object but a number"),
    ],
)
def test_a_member_of_an_odd_type_counts_as_absent_and_is_remembered(body: Json, remark: str) -> None:
    assert read(body).odd == [remark]


@pytest.mark.parametrize("body", [b"", b"  \n", b"Hello", b"{", b"[" * 100_000, b"\xff", b"{} {}"])
def test_what_is_no_json_is_a_protocol_error(body: bytes) -> None:
    with pytest.raises(ProtocolError, match="the response is not JSON: "):
        read_completion(body)
