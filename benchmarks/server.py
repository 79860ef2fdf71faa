"""A fast local server for `POST /v1/chat/completions`, in a process of its own: `python3 server.py CERTIFICATE KEY`.

Serves HTTP and HTTPS on loopback until its standard input ends, and prints the two ports. The path before `/v1`
chooses the answer: `/chunks/N` a stream of N chunks, `/bytes/N` a content of N bytes; without one the content is the
prompt. `GET /sent` tells when the last answer had been sent, by the monotonic clock.
"""

import json
import socket
import socketserver
import ssl
import sys
import threading
import time
from functools import cache
from typing import ClassVar

KEY = "sk-benchmark-0123456789"
MODEL = "alibaba/qwen3.6-35b-a3b"
ENDPOINT = "/v1/chat/completions"
EVENT_BYTES = 257
"""The length of one event on the wire, its blank line included, as recorded streams of this model have it."""
STREAM_CHUNKS = 8
"""How many chunks a stream has when the path doesn't say."""


def chunk_text(index: int) -> str:
    """The content of one chunk: each is another, so that a lost, doubled or moved one shows."""
    return f" {index}"


def stream_text(chunks: int) -> str:
    """What a whole stream of that many chunks says."""
    return "".join(map(chunk_text, range(chunks)))


def completion(prompt: str) -> bytes:
    """The body of an answer that repeats the prompt."""
    return _completion(json.dumps(prompt).encode())


@cache
def big_completion(size: int) -> bytes:
    """The body of an answer whose content is that many bytes."""
    return _completion(b'"' + b"x" * size + b'"')


def _completion(content: bytes) -> bytes:
    return b"".join(
        [
            b'{"id":"chatcmpl-benchmark","object":"chat.completion","created":1790000000,"model":"',
            MODEL.encode(),
            b'","choices":[{"index":0,"message":{"role":"assistant","content":',
            content,
            b',"reasoning_content":"The user said something.","refusal":null},"logprobs":null,"finish_reason":"stop"}]',
            b',"usage":{"prompt_tokens":11,"completion_tokens":9,"total_tokens":20},',
            b'"meta":{"usage":{"credits_used":42,"usd_spent":0.000021}}}',
        ]
    )


@cache
def stream(chunks: int) -> bytes:
    """A whole stream as it goes over the wire: one HTTP chunk for each event, of EVENT_BYTES each."""
    deltas: list[object] = [{"content": chunk_text(index), "reasoning_content": None} for index in range(chunks)]
    finish = [None] * (chunks - 1) + ["stop"]
    events = [
        _event({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})
        for delta, reason in zip(deltas, finish, strict=True)
    ]
    usage = {"prompt_tokens": 11, "completion_tokens": chunks, "total_tokens": 11 + chunks}
    cost = {"usage": {"credits_used": 42, "usd_spent": 0.000021}}
    events += [_event({"choices": [], "usage": usage, "meta": cost}), b"data: [DONE]\n\n", b""]
    return b"".join(b"%x\r\n%b\r\n" % (len(event), event) for event in events)


def _event(fields: dict[str, object]) -> bytes:
    head = {"id": "chatcmpl-benchmark", "object": "chat.completion.chunk", "created": 1790000000, "model": MODEL}
    event = json.dumps(head | fields | {"system_fingerprint": ""}, separators=(",", ":"))
    padding = "f" * (EVENT_BYTES - len(event) - len("data: \n\n"))
    return f'data: {event[:-2]}{padding}"}}\n\n'.encode()


class Handler(socketserver.StreamRequestHandler):
    """Answers one connection's requests, one after the other."""

    disable_nagle_algorithm = True
    sent: ClassVar[float] = 0.0

    def handle(self) -> None:
        try:
            while self.answer():
                pass
        except (ConnectionError, ssl.SSLError):
            pass  # The client went away, which clients may.

    def answer(self) -> bool:
        """Answer one request; False when there was none."""
        request = self.rfile.readline().decode("ascii").split()
        if not request:
            return False
        method, path, _ = request
        headers = {}
        while line := self.rfile.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        body = self.rfile.read(int(headers.get("content-length", 0)))
        if (method, path) == ("GET", "/sent"):
            self.send("200 OK", repr(Handler.sent).encode())
        elif method != "POST" or not path.endswith(ENDPOINT):
            self.send("404 Not Found", b'{"message":"no such path"}')
        elif headers.get("authorization") != f"Bearer {KEY}":
            self.send("401 Unauthorized", b'{"message":"the key is wrong"}')
        else:
            self.complete(path.removesuffix(ENDPOINT), json.loads(body))
            Handler.sent = time.monotonic()
        return True

    def complete(self, choice: str, request: dict[str, object]) -> None:
        """Answer a chat completion request."""
        if request.get("stream"):
            chunks = int(choice.removeprefix("/chunks/")) if choice else STREAM_CHUNKS
            head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
            self.wfile.write(head.encode() + stream(chunks))
        elif choice:
            self.send("200 OK", big_completion(int(choice.removeprefix("/bytes/"))))
        else:
            self.send("200 OK", completion(last_prompt(request)))

    def send(self, status: str, body: bytes) -> None:
        """Send a whole JSON response."""
        head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body)


def last_prompt(request: dict[str, object]) -> str:
    """The text of the last message, whether it came as a string or as parts."""
    messages = request["messages"]
    if not isinstance(messages, list):
        raise TypeError("messages is not an array")
    content = messages[-1]["content"]
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


class Server(socketserver.ThreadingTCPServer):
    """Serves HTTP, or HTTPS where it is given a TLS context."""

    daemon_threads = True
    tls: ssl.SSLContext | None = None

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        if self.tls:
            # The handshake is left to the connection's own thread, with the first read.
            connection = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address


def main() -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(sys.argv[1], sys.argv[2])
    servers = [Server(("127.0.0.1", 0), Handler) for _ in range(2)]
    servers[1].tls = tls
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(" ".join(str(server.server_address[1]) for server in servers) + "\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
