"""One request, from its body to the verdict on its answer."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from qwen_cli.api.answer import Answer, ChunkReader, Delta, asks_for_json, read_completion, verdict
from qwen_cli.api.client import Client, Reply
from qwen_cli.api.json_text import encode
from qwen_cli.errors import IncompleteAnswer, NetworkError, QwenError
from qwen_cli.output.stderr import Notes

_WAITING = "waiting for the answer"


class Exchange(NamedTuple):
    """A request that is ready to be sent."""

    client: Client
    body: dict[str, Any]
    notes: Notes

    def ask(self) -> Answer:
        """Send, and read the whole answer."""
        with self.notes.waiting(_WAITING), self._send() as reply:
            return read_completion(reply.read())

    def pieces(self) -> Iterator[bytes]:
        """Send, and pass on the body as it arrives."""
        with self.notes.waiting(_WAITING) as wait, self._send() as reply:
            for piece in reply.pieces():
                wait.over()
                yield piece

    def chunks(self, reader: ChunkReader, wanted: Sequence[str]) -> Iterator[tuple[str, Delta]]:
        """Send, and pass on each chunk's JSON and what it adds; the wait ends with the first wanted text."""
        with self.notes.waiting(_WAITING) as wait, self._send() as reply:
            try:
                for data in reply.events():
                    delta = reader.read(data)
                    if wait.lasts and any(getattr(delta, name, "") for name in wanted):
                        wait.over()
                    yield data, delta
            except (NetworkError, IncompleteAnswer) as error:
                if reader.is_finished:
                    self.notes.note(f"the answer is complete, but its usage may be missing: {error}")
                elif isinstance(error, NetworkError):
                    raise
                # Otherwise what is missing is the finish reason, as the verdict will say.

    def _send(self) -> AbstractContextManager[Reply]:
        return self.client.post(self.client.endpoint.chat_url, encode(self.body))

    @property
    def wants_json(self) -> bool:
        """Whether the content is held against a JSON format, and so has to be kept."""
        return asks_for_json(self.body)

    def verdict(self, answer: Answer, wanted: str) -> QwenError | None:
        """Why the answer is not what was asked for; None when it is. `wanted`: `content`, `reasoning` or `calls`."""
        return verdict(answer, wanted, self.body)
