"""A client of the sandbox that shows all of a response, and what its tests ask for."""

import http.client
import json
from typing import Any

from qwen_cli.request import field_limits

KEY = {"Authorization": "Bearer any"}
CHAT = "/v1/chat/completions"
PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACw="
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
    },
}


class Answer:
    """A response, read to its end."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        """Of a refusal."""
        text: str = self.json["message"]
        return text

    @property
    def choice(self) -> Any:
        return self.json["choices"][0]

    @property
    def content(self) -> str:
        """Of a completion, streamed or not."""
        if not self.body.startswith(b"data: "):
            text: str = self.choice["message"]["content"]
            return text
        choices = [choice for chunk in self.chunks for choice in chunk["choices"]]
        return "".join(choice["delta"]["content"] or "" for choice in choices)

    @property
    def chunks(self) -> list[Any]:
        """The parsed chunks of a whole stream."""
        *events, done, rest = self.body.decode().split("\n\n")
        assert (done, rest) == ("data: [DONE]", "")
        return [json.loads(event.removeprefix("data: ")) for event in events]


def connect(base_url: str) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(base_url.split("/")[2], timeout=60)


def send(
    base_url: str, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> Answer:
    connection = connect(base_url)
    try:
        connection.request(method, path, body, KEY if headers is None else headers)
        return Answer(connection.getresponse())
    finally:
        connection.close()


def asking(prompt: object = "Hello there, world", **fields: object) -> dict[str, Any]:
    """A request body."""
    return {"model": field_limits.MODEL, "messages": [{"role": "user", "content": prompt}], **fields}


def chat(base_url: str, prompt: object = "Hello there, world", **fields: object) -> Answer:
    return send(base_url, "POST", CHAT, json.dumps(asking(prompt, **fields)).encode())


def formatted(schema: object) -> dict[str, Any]:
    """The field that asks for an instance of the schema."""
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "thing", "schema": schema}}}
