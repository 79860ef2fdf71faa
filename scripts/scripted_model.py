"""A server of the API whose answers are written down, for pictures and examples: they look like those of a model."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from qwen_cli.sandbox.completion import CREDITS_PER_USD, chunks, price


class Answer(NamedTuple):
    """What is answered to a prompt in which `asked` occurs."""

    asked: str
    content: str
    reasoning_tokens: int = 240
    finish_reason: str = "stop"
    is_held: bool = False
    """Never given: the client waits until the server ends."""


UNDO = """\
Move the branch back by one commit; your changes stay staged:

```sh
git reset --soft HEAD~1  # HEAD~2 for two of them
```

| option    | index | files    |
| --------- | ----- | -------- |
| `--soft`  | kept  | kept     |
| `--mixed` | reset | kept     |
| `--hard`  | reset | **lost** |

Is it pushed already? Then use `git revert HEAD` instead.
"""

CAPITALS = {
    "Norway": "Oslo",
    "Kenya": "Nairobi",
    "Peru": "Lima",
    "Nepal": "Kathmandu",
    "Ghana": "Accra",
    "Chile": "Santiago",
    "Latvia": "Riga",
    "Jordan": "Amman",
}
UNANSWERED = ("Fiji", "Malta", "Cuba", "Iran")

ANSWERS = (
    Answer(
        "Why is the sky blue?", "Air scatters blue light far more than red, so blue reaches us from all sides.", 412
    ),
    Answer("subject line of a commit message", "Note the boiling point of water"),
    Answer("story in six words", "The lighthouse keeper left. Ships didn't.", 655),
    Answer("Who wrote this", '{"name": "Ingrid Berg", "city": "Oslo"}', 131),
    Answer("refund", '{"choice":"yes"}', 87),
    Answer("Which country is London in?", "United Kingdom", 60),
    Answer("Which country is New York in?", "United States", 60),
    Answer("Summarise this in one line", "Water boils at 100 degrees at sea level, and at less higher up.", 198),
    Answer("Name a colour", "Teal.", 264),
    Answer("undo my last commit", UNDO, 530),
    Answer(
        "How does TCP open a connection?",
        "The client sends a segment with the SYN flag and a sequence number of its own; the server answers",
        8980,
        "length",
    ),
    *(Answer(f"capital of {country}", city, 150) for country, city in CAPITALS.items()),
    *(Answer(f"capital of {country}", "", is_held=True) for country in UNANSWERED),
)


def answer_to(prompt: str) -> Answer:
    """The first answer that is written down for such a prompt; LookupError without one."""
    for answer in ANSWERS:
        if answer.asked in prompt:
            return answer
    raise LookupError(f"no answer is written down for {prompt!r}")


def completion(request: dict[str, Any]) -> dict[str, Any]:
    """The response to a request, charged at the model's prices for a token every four characters."""
    texts = [message["content"] for message in request["messages"]]
    answer = answer_to(texts[-1])
    message = {"role": "assistant", "content": answer.content, "reasoning_content": "…", "refusal": None}
    prompt_tokens = sum(map(len, texts)) // 4 + 10
    completion_tokens = answer.reasoning_tokens + len(answer.content) // 4 + 1
    usage = {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "completion_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
    }
    usd: Decimal = price(usage)
    return {
        "id": "chatcmpl-0",
        "object": "chat.completion",
        "created": 0,
        "model": request["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": answer.finish_reason}],
        "usage": usage,
        "meta": {"usage": {"credits_used": float(usd * CREDITS_PER_USD), "usd_spent": float(usd)}},
    }


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    seconds = 0.0
    """How long each answer takes."""
    ended: threading.Event

    def log_message(self, *_args: Any) -> None:
        """Write nothing."""

    def do_POST(self) -> None:
        """Answer, or refuse what nothing is written down for."""
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            found = completion(request)
        except LookupError as error:
            self._send(400, "application/json", json.dumps({"message": str(error)}).encode())
            return
        if answer_to(request["messages"][-1]["content"]).is_held:
            self.ended.wait()
            self.close_connection = True
            return
        time.sleep(self.seconds)
        if request["stream"]:
            events = [*map(json.dumps, chunks(found, include_usage=True)), "[DONE]"]
            self._send(200, "text/event-stream", "".join(f"data: {event}\n\n" for event in events).encode())
        else:
            self._send(200, "application/json", json.dumps(found).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """Whose connections end with it."""

    daemon_threads = True
    block_on_close = False


@contextmanager
def serving(*, seconds: float = 0.0) -> Iterator[dict[str, str]]:
    """Serve while the context lasts; the variables that lead the program there."""
    ended = threading.Event()
    handler = type("Handler", (Handler,), {"seconds": seconds, "ended": ended})
    with Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield {
                "AIMLAPI_BASE_URL": f"http://127.0.0.1:{server.server_address[1]}/v1",
                "AIMLAPI_API_KEY": "sk-a-key-for-this-machine-alone",
            }
        finally:
            ended.set()
            server.shutdown()
            thread.join()
