"""Answers, read from bodies and chunks without a process."""

import json
from typing import Any

from qwen_cli.answer.chunks import ChunkReader
from qwen_cli.answer.completion import Answer, read_completion
from tests.bodies import Json


def read(body: object) -> Answer:
    """The answer in that body."""
    return read_completion(json.dumps(body).encode())


def read_stream(payloads: list[Json], *, keep_content: bool = True) -> tuple[Answer, str, str]:
    """The answer in those chunks, and the content and the reasoning that their deltas brought."""
    reader = ChunkReader(keep_content=keep_content)
    deltas = [reader.read(json.dumps(payload)) for payload in payloads]
    last, answer = reader.finish()
    deltas.append(last)
    return answer, "".join(each.content for each in deltas), "".join(each.reasoning for each in deltas)


def as_dict(answer: Answer) -> dict[str, Any]:
    """What is known of an answer, to be compared."""
    return vars(answer) | {"tool_calls": [call.as_json() for call in answer.tool_calls]}
