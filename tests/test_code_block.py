"""`-x`: the first fenced code block of the answer, and nothing else."""

import pytest

from tests.api_server import ApiServer, events, reply
from tests.bodies import chunks, completion
from tests.program import Program


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("So:\n\n```c++\nint x;\n```\n\n```\nother\n```\n", "int x;\n"),
        ("- so\n\n  ~~~c#\n  a\n    ```\n  ~~~\n", "a\n  ```\n"),
        ("````md\n```py\nx\n```\n````\n", "```py\nx\n```\n"),
        ("```py\r\nx\r\ny\r\n```\r\n", "x\ny\n"),
        ("```\nunclosed", "unclosed\n"),
    ],
)
@pytest.mark.parametrize("command", ["ask", "stream"])
def test_the_first_code_block_is_printed(qwen: Program, api: ApiServer, command: str, content: str, code: str) -> None:
    api.answer(events(chunks(content)) if command == "stream" else reply(completion(content)))
    result = qwen.call(command, "-x", "hi")
    assert (result.status, result.text) == (0, code)


def test_no_code_block_is_9(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("No `code`.")))
    result = qwen("ask", "-x", "hi")
    assert (result.status, result.stdout) == (9, b"")
