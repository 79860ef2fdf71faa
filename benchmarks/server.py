"""The API for the benchmark, near and far: `server.py CERTIFICATE KEY TUN`.

Serves `POST [/KIND/COUNT]/v1/chat/completions` until it is terminated: an answer that repeats the prompt, `/chunks/N`
a stream of N chunks, `/bytes/N` an answer of N bytes, `/busy/N` an answer but to each Nth request, which gets a 503,
`/limited/N` an answer to the first N requests of a run, then for a second a 429. Prints its two ports, HTTP and HTTPS,
on one line; and after an answer of N bytes the time when the last was sent.

TUN is a network device (0 for none) on which every packet comes back from where it was sent to, half as many
milliseconds later as the last byte of that address says: a connection to this machine over a distance.
"""

import asyncio
import contextlib
import functools
import itertools
import json
import os
import re
import selectors
import ssl
import sys
import time


def completion(content: str) -> bytes:
    """A response with this answer."""
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 11, "completion_tokens": 9, "total_tokens": 20}
    text = json.dumps({"id": "benchmark", "object": "chat.completion", "choices": [choice], "usage": usage}).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(text), text)


@functools.cache
def stream(count: int) -> bytes:
    """A response of so many numbered events, each an HTTP chunk of 257 bytes as in recorded streams of the model."""
    events = []
    for index in range(count):
        choice = {"index": 0, "delta": {"content": f" {index}"}, "finish_reason": None if index + 1 < count else "stop"}
        chunk = json.dumps({"id": "benchmark", "object": "chat.completion.chunk", "choices": [choice], "padding": ""})
        events.append(f"data: {chunk[:-2]}".ljust(253, "x") + '"}\n\n')
    head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return (head + "".join(f"{len(event):x}\r\n{event}\r\n" for event in [*events, "data: [DONE]\n\n", ""])).encode()


def refusal(status: str, *headers: str) -> bytes:
    """A response without an answer."""
    return "\r\n".join([f"HTTP/1.1 {status}", "content-length: 0", *headers, "", ""]).encode()


class Limit:
    """Refuses for a second what comes after the first requests of a run, which follow a prompt of `first`."""

    def __init__(self) -> None:
        self.began, self.seen = 0.0, 0

    def refuses(self, prompt: str, count: int) -> bool:
        """Count a request, and say whether it is one too many."""
        now = time.monotonic()
        if prompt == "first":
            self.seen = 0
            return False
        self.began = now if not self.seen else self.began
        self.seen += 1
        return self.seen > count and now < self.began + 1


numbers, limit = itertools.count(1), Limit()


def respond(kind: str | None, count: int, body: bytes) -> bytes:
    """The response to one request."""
    request = json.loads(body)
    if kind == "busy" and next(numbers) % count == 0:
        return refusal("503 Service Unavailable")
    if kind == "limited" and limit.refuses(request["messages"][-1]["content"], count):
        return refusal("429 Too Many Requests", "retry-after: 1")
    if kind == "bytes":
        return completion("x" * count)
    if kind == "chunks" or request.get("stream"):
        return stream(count)
    content = request["messages"][-1]["content"]
    return completion(content if isinstance(content, str) else "".join(part["text"] for part in content))


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection, one after the other, until the client goes away."""
    writer.transport.set_write_buffer_limits(high=0)
    with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = re.search(r"\ncontent-length: *(\d+)", head)
            body = await reader.readexactly(int(length[1]) if length else 0)
            path = re.match(r"post (?:/(chunks|bytes|busy|limited)/(\d+))?/v1/chat/completions ", head)
            if path is None:
                break
            writer.write(respond(path[1], int(path[2] or 1), body))
            await writer.drain()
            if path[1] == "bytes":
                print(time.monotonic(), flush=True)
    writer.close()


def return_packet(tun: int) -> None:
    """Send one packet back later with its addresses exchanged, which leaves its checksums right."""
    packet = os.read(tun, 1 << 16)
    if packet[0] >> 4 == 4:  # noqa: PLR2004 -- the version of IP
        late = packet[:12] + packet[16:20] + packet[12:16] + packet[20:]
        asyncio.get_running_loop().call_later(packet[19] / 2000, os.write, tun, late)


async def main(certificate: str, key: str, tun: int) -> None:
    """Serve until terminated."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    if tun:
        asyncio.get_running_loop().add_reader(tun, return_packet, tun)
    address = "0.0.0.0" if tun else "127.0.0.1"
    servers = [await asyncio.start_server(answer, address, 0, ssl=context, backlog=1000) for context in (None, tls)]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    # select waits to the microsecond, where epoll would round each delay up to a millisecond.
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        runner.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
