"""`--save`: the raw response in a file of its own, beside the answer."""

from tests.api_server import ApiServer, events, reply
from tests.bodies import chunks, completion
from tests.program import Program


def test_the_receipt_is_kept_of_what_is_refused_and_never_of_nothing(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("Half", finish_reason="length")), events(chunks("Hi")), reply({}, status=400))
    assert qwen("ask", "--save", "a.json", "hi").status == 8
    assert qwen("stream", "--save", "b.json", "-x", "hi").status == 9
    assert qwen("ask", "--save", "c.json", "hi").status == 4
    assert set(qwen.files()) == {"a.json", "b.json"}
    assert "responses\t2\n" in qwen("cost", "--saved", "a.json", "b.json").text
    assert qwen("ask", "-o", "./a.json", "--save", "a.json", "hi").status == 2
