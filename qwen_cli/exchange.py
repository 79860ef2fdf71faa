"""One request, from its body to the verdict on its answer, and asking again."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any, NamedTuple

from qwen_cli.answer.completion import Answer, ChunkReader, Delta, read_completion
from qwen_cli.answer.verdict import Expectation, Judgement, UnfitAnswer, judge
from qwen_cli.cache import Cache
from qwen_cli.connection.client import Client
from qwen_cli.connection.response import Reply
from qwen_cli.errors import CacheMiss, IncompleteAnswer, LocalError, NetworkError, QwenError
from qwen_cli.json_text import encode
from qwen_cli.output.stderr import Notes

_WAITING = "waiting for the answer"


class Outcome(NamedTuple):
    """Every answer to a request, each of them paid for, and the verdict on the last one."""

    answers: list[Answer]
    judgement: Judgement
    cached: bool = False
    """Whether the answer came from the cache, and so cost nothing."""

    @property
    def answer(self) -> Answer:
        return self.answers[-1]


class Exchange(NamedTuple):
    """A request that is ready to be sent."""

    client: Client
    body: dict[str, Any]
    notes: Notes
    expectation: Expectation = Expectation()
    reask: int = 0
    """How often to ask again if the answer is not what was requested."""
    save: Callable[[bytes], None] | None = None
    """Called with each body, or each chunk, as it came."""
    cache: Cache | None = None

    def ask(self) -> Outcome:
        """Answer from the cache, or send, read and judge; ask again, with what was wrong, as often as allowed."""
        if recalled := self.recall():
            return recalled[1]
        answers: list[Answer] = []
        messages = self.body["messages"]
        while True:
            received = self._receive(self.body | {"messages": messages})
            answer = read_completion(received)
            answers.append(answer)
            judgement = judge(answer, self.expectation)
            failure = judgement.failure
            if not isinstance(failure, UnfitAnswer) or len(answers) > self.reask:
                return Outcome(answers, self.keep(received, judgement))
            self.notes.note(f"asking again, {len(answers)} of {self.reask}: {failure}")
            said = [{"role": "assistant", "content": answer.content}] if answer.content else []
            messages = [
                *messages,
                *said,
                {"role": "user", "content": f"{failure}. Answer again, without that mistake."},
            ]

    def judged(self, answer: Answer) -> Outcome:
        """The outcome of an answer that was read elsewhere."""
        return Outcome([answer], judge(answer, self.expectation))

    def recall(self) -> tuple[bytes, Outcome] | None:
        """The response in the cache, and its outcome; None if the request has to be sent, CacheMiss if it may not be.

        An answer that is not what this command needs counts as a miss.
        """
        if self.cache is None:
            return None
        body = self.cache.read(self.client.endpoint.chat_url, encode(self.body))
        if body is not None:
            with suppress(QwenError):
                outcome = self.judged(read_completion(body))
                if outcome.judgement.is_good:
                    if self.save:
                        self.save(body)
                    return body, outcome._replace(cached=True)
        if self.cache.only:
            message = f"the answer is not in the cache {self.cache.folder}"
            raise CacheMiss(message, advice="run once without --cache-only to record it")
        return None

    def keep(self, received: bytes, judgement: Judgement) -> Judgement:
        """Put a response into the cache, if there is one, and nothing is wrong with the answer.

        A full disk is a failure of the judgement, raised after the answer has been printed.
        """
        if self.cache is not None and judgement.is_good:
            try:
                self.cache.keep(self.client.endpoint.chat_url, encode(self.body), received)
            except LocalError as error:
                return judgement._replace(failure=error)
        return judgement

    def _receive(self, body: dict[str, Any]) -> bytes:
        with self.notes.waiting(_WAITING), self._send(body) as reply:
            received = reply.read()
        if self.save:
            self.save(received)
        return received

    def pieces(self) -> Iterator[bytes]:
        """Send, and yield the body as it arrives."""
        with self.notes.waiting(_WAITING) as wait, self._send(self.body) as reply:
            for piece in reply.pieces():
                wait.over()
                yield piece

    def chunks(self, reader: ChunkReader, wanted: Sequence[str]) -> Iterator[tuple[bytes, Delta]]:
        """Send, and yield each chunk as a line of JSON and a delta; the wait ends with the first text in `wanted`."""
        with self.notes.waiting(_WAITING) as wait, self._send(self.body) as reply:
            try:
                for data in reply.events():
                    # In an event of several data lines, line breaks can only stand between tokens.
                    line = data.replace("\n", " ").encode()
                    if self.save:
                        self.save(line)
                    delta = reader.read(data)
                    if wait.lasts and any(getattr(delta, name, "") for name in wanted):
                        wait.over()
                    yield line, delta
            except (NetworkError, IncompleteAnswer) as error:
                if reader.is_finished:
                    self.notes.note(f"the answer is complete, but its usage may be missing: {error}")
                elif isinstance(error, NetworkError):
                    raise
                # Otherwise the verdict will be that the finish reason is missing.

    def _send(self, body: dict[str, Any]) -> AbstractContextManager[Reply]:
        return self.client.post(self.client.endpoint.chat_url, encode(body))
