"""A faraway server made of a near one: `python3 proxy.py TARGET_PORT MILLISECONDS`.

Passes TCP connections on to a loopback port, as if each direction took that many milliseconds, and prints the port it
listens on. Ends with its standard input.
"""

import asyncio
import sys
import threading


async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, opened: float, delay: float) -> None:
    """Pass on what the reader gives: everything one delay after it was sent, and nothing is sent before `opened`."""
    loop = asyncio.get_running_loop()
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def deliver() -> None:
        data = b"not yet at the end"
        while data:
            arrival, data = await under_way.get()
            await asyncio.sleep(arrival - loop.time())
            writer.write(data)
        writer.close()

    delivery = asyncio.create_task(deliver())
    data = b"not yet at the end"
    while data:
        try:
            data = await reader.read(1 << 16)
        except ConnectionError:
            data = b""
        under_way.put_nowait((max(loop.time(), opened) + delay, data))
    await delivery


async def serve(target: int, delay: float) -> None:
    """Listen until cancelled."""

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Loopback connects at once. Over the distance its first byte would have left one round trip later.
        opened = asyncio.get_running_loop().time() + 2 * delay
        target_reader, target_writer = await asyncio.open_connection("127.0.0.1", target)
        await asyncio.gather(
            relay(reader, target_writer, opened=opened, delay=delay),
            relay(target_reader, writer, opened=0, delay=delay),
        )

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


def main() -> None:
    target, milliseconds = map(int, sys.argv[1:])
    threading.Thread(target=asyncio.run, args=[serve(target, milliseconds / 1000)], daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
