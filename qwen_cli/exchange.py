"""One request, from its body to the verdict on the answer: cache, send, read, judge, ask again."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

from qwen_cli import json_text
from qwen_cli.answer.chunks import ChunkReader, TooMuchToKeep
from qwen_cli.answer.completion import Answer, read_completion
from qwen_cli.answer.message import Delta
from qwen_cli.answer.server_errors import FieldRefused, ServiceBusy, refused_field
from qwen_cli.answer.verdict import Expectation, UnfitAnswer, Verdict, judge
from qwen_cli.cache import Cache
from qwen_cli.connection.client import Client
from qwen_cli.connection.response import MAX_BYTES, CutEvent, Reply, too_large
from qwen_cli.connection.server_sent_events import Event
from qwen_cli.errors import CacheMiss, LocalError, NetworkError, ProtocolError, QwenError
from qwen_cli.json_text import encode
from qwen_cli.output.spinner import waiting
from qwen_cli.output.stderr import Notes
from qwen_cli.request.body import Body, without_field


class Request(NamedTuple):
    """A body that is ready to be sent, and what is expected of the answer."""

    body: Body
    expectation: Expectation = Expectation()
    droppable: Sequence[str] = ()
    """The fields without which a server that refuses them may be asked once more."""

    @property
    def is_stream(self) -> bool:
        """Whether the answer is requested as a stream, in which form it may come or not."""
        return bool(self.body.get("stream"))


class Outcome(NamedTuple):
    """Every answer to a request, each of them paid for, and the verdict on the last one."""

    request: Request
    answers: Sequence[Answer]
    verdict: Verdict
    received: bytes = b""
    """The last response as it came, unless it was requested as a stream."""
    cached: bool = False
    """Whether the answer came from the cache, and so cost nothing."""

    @property
    def answer(self) -> Answer:
        return self.answers[-1]

    @property
    def is_json(self) -> bool:
        """Whether the text of the verdict is JSON that was asked for."""
        expectation = self.request.expectation
        return expectation.json_format is not None and not expectation.choices and self.verdict.value is not None


class Receipt(Protocol):
    """Where raw responses are kept."""

    def add(self, document: bytes) -> None:
        """Keep a body, or an event of a stream, as it came."""

    def follow(self, arriving: bytearray) -> None:
        """Keep as much of a body as has arrived, if the run ends before it is added."""


class Watch:
    """What a command sees of a response while it arrives."""

    is_raw = False
    """Whether all of it is shown, so that no other response can take its place."""
    keeps_content = True
    """Whether the content of a stream is needed at its end."""
    over: Callable[[], None] = staticmethod(lambda: None)
    """Ends the wait for the answer, before anything is shown."""

    def piece(self, data: bytes) -> None:
        """A piece of a response that was not requested as a stream."""

    def whole(self) -> None:
        """All pieces have come, or no more will."""

    def event(self, data: str) -> None:
        """The data of an event of a stream, whatever it is."""

    def delta(self, delta: Delta) -> None:
        """What a chunk adds."""

    def has_all(self) -> None:
        """Nothing more has arrived so far, and the wait for it begins."""


class Service:
    """Asks one server, or the cache. Any thread may ask; what is to be kept, the main one keeps."""

    def __init__(self, client: Client, notes: Notes, run_notes: Notes, cache: Cache | None = None) -> None:
        self._client = client
        self._notes = notes
        self._run_notes = run_notes
        """For what is noted once, however many requests it concerns."""
        self._cache = cache
        self._url = client.endpoint.chat_url
        self._refused: set[str] = set()
        """The fields that the server has refused so far."""

    def ask(
        self, request: Request, *, reask: int = 0, watch: Watch | None = None, receipt: Receipt | None = None
    ) -> Outcome:
        """Answer from the cache, or send, read and judge; ask again, with what was wrong, up to `reask` times.

        What fails after an answer, or after a part of one, is a failure of the outcome: that was paid for.
        """
        if recalled := self._recall(request, watch, receipt):
            return recalled
        answers: list[Answer] = []
        body = request.body
        while True:
            try:
                answer, received = self._receive(body, request, watch or Watch(), receipt)
            except QwenError as error:
                if not answers:
                    raise
                return Outcome(request, answers, Verdict("", error))
            answers.append(answer)
            for remark in answer.odd:
                self._notes.detail(f"ignored in the response: {remark}")
            verdict = judge(answer, request.expectation)
            failure = verdict.failure
            if not isinstance(failure, UnfitAnswer) or len(answers) > reask:
                return Outcome(request, answers, verdict, received)
            self._notes.note(f"asking again, {len(answers)} of {reask}: {failure}")
            said = [{"role": "assistant", "content": answer.content}] if answer.content else []
            correction = {"role": "user", "content": f"{failure}. Answer again, without that mistake."}
            body = body | {"messages": [*body["messages"], *said, correction]}

    def keep(self, outcome: Outcome) -> Outcome:
        """Put the response into the cache, if there is one, and nothing is wrong with the answer.

        A full disk is a failure of the verdict, to be raised after the answer has been printed.
        """
        if self._cache is not None and outcome.verdict.is_good and not outcome.cached:
            try:
                self._cache.keep(self._url, encode(outcome.request.body), outcome.received)
            except LocalError as error:
                return outcome._replace(verdict=outcome.verdict._replace(failure=error))
        return outcome

    def _recall(self, request: Request, watch: Watch | None, receipt: Receipt | None) -> Outcome | None:
        """The answer from the cache; None if the request has to be sent, CacheMiss if it may not be.

        One that is not what this command needs counts as a miss.
        """
        if self._cache is None:
            return None
        received = self._cache.read(self._url, encode(request.body))
        if received is not None:
            with suppress(QwenError):
                answer, _ = self._read(Reply([received]), request, Watch(), None)
                verdict = judge(answer, request.expectation)
                if verdict.is_good:
                    if watch:
                        watch.piece(received)
                        watch.whole()
                    if receipt:
                        receipt.add(received)
                    return Outcome(request, [answer], verdict, received, cached=True)
        if self._cache.only:
            message = f"the answer is not in the cache {self._cache.folder}"
            raise CacheMiss(message, advice="run once without --cache-only to record it")
        return None

    def _receive(self, body: Body, request: Request, watch: Watch, receipt: Receipt | None) -> tuple[Answer, bytes]:
        """The answer to a body, and the response; what the server refuses and may be left out is left out.

        A failure that is an answer's, since something was paid for, is that of the answer; any other is raised.
        """
        attempt = 0
        while True:
            sent, droppable = self._without_refused(body, request.droppable)
            try:
                with (
                    waiting("waiting for the answer", self._notes) as wait,
                    self._client.post(self._url, encode(sent), droppable=droppable, before_wait=watch.has_all) as reply,
                ):
                    watch.over = wait.over
                    answer, received = self._read(reply, request, watch, receipt)
            except FieldRefused as refused:
                self._drop(refused)
                continue
            failure = answer.failure
            if failure is None or answer.has_arrived or watch.is_raw:
                return answer, received
            # With the status 200, it is refused all the same.
            if refused_in_200 := refused_field(failure, failure.message, droppable):
                self._drop(refused_in_200)
            elif isinstance(failure, ServiceBusy):
                self._client.wait_before_retry(attempt, failure)
                attempt += 1
            elif isinstance(failure, ProtocolError):
                raise ProtocolError(failure.message, advice=self._client.endpoint.advice_on_path)
            else:
                raise failure

    def _without_refused(self, body: Body, droppable: Sequence[str]) -> tuple[Body, list[str]]:
        """The body without what the server has refused, and what it may still refuse."""
        for field in self._refused.intersection(droppable):
            body = without_field(body, field)
        return body, [field for field in droppable if field not in self._refused]

    def _drop(self, refused: FieldRefused) -> None:
        if refused.field not in self._refused:
            self._refused.add(refused.field)
            self._run_notes.note(f"{refused.message.rstrip('.')}; asking again {_INSTEAD[refused.field]}")

    def _read(self, reply: Reply, request: Request, watch: Watch, receipt: Receipt | None) -> tuple[Answer, bytes]:
        """The answer in a response of whichever form, and the response as it came if no stream was requested."""
        is_format_asked = request.expectation.is_format_asked
        is_event_stream = reply.is_event_stream()
        keep_content = watch.keeps_content or not request.is_stream
        reader = ChunkReader(keep_content=keep_content, is_format_asked=is_format_asked)
        if is_event_stream and request.is_stream:
            return self._read_events(reply.events(reply.pieces()), reader, watch, receipt), b""
        received = bytearray()
        if receipt:
            receipt.follow(received)
        pieces = _collected(reply, watch, received)
        try:
            if is_event_stream:
                answer = self._read_events(reply.events(pieces), reader, watch, None)
            else:
                self._exhaust(pieces, received)
                answer = self._read_body(bytes(received), request, watch)
        finally:
            watch.whole()
            if receipt and received:
                receipt.add(bytes(received))
        return answer, bytes(received)

    def _exhaust(self, pieces: Iterator[bytes], received: bytearray) -> None:
        """Take all pieces, or as many as make the body complete: it may be followed by a cut."""
        try:
            for _ in pieces:
                pass
        except NetworkError as error:
            if not json_text.is_json(bytes(received), strict=False):
                raise
            self._notes.note(f"the response is complete, but not its transfer: {error}")

    def _read_body(self, body: bytes, request: Request, watch: Watch) -> Answer:
        """The answer in a body that is JSON, also if a stream was requested."""
        if request.is_stream and body.strip():
            watch.event(body.decode(errors="replace").strip().replace("\n", " "))
        try:
            answer = read_completion(body, is_format_asked=request.expectation.is_format_asked)
        except QwenError as error:
            return Answer(failure=error)
        if request.is_stream:
            watch.delta(Delta(answer.content, answer.reasoning, answer.refusal))
        return answer

    def _read_events(
        self, events: Iterator[Event], reader: ChunkReader, watch: Watch, receipt: Receipt | None
    ) -> Answer:
        """The answer in the events of a stream, or as much of it as came before something went wrong."""
        failure: QwenError | None = None
        try:
            for event in events:
                # In an event of several data lines, line breaks can only stand between tokens.
                line = event.data.replace("\n", " ")
                if receipt and line.startswith(("{", "[")):  # any other is no chunk, but a ping
                    receipt.add(line.encode())
                watch.event(line)
                watch.delta(reader.read(event.data, event.type))
        except (LocalError, TooMuchToKeep):
            raise
        except CutEvent as error:
            failure = error if reader.is_finished else None  # the verdict will be that the finish reason is missing
        except QwenError as error:
            failure = error
        watch.has_all()
        if failure is not None and reader.is_finished:
            self._notes.note(f"the answer is complete, but its usage may be missing: {failure}")
            failure = None
        last, answer = reader.finish()
        watch.delta(last)
        answer.failure = failure or answer.failure
        return answer


_INSTEAD = {
    "response_format": "without it: the format is stated in words, too",
    "tool_choice": "with tool_choice 'auto'",
    "stream_options": "without it: the usage may be missing",
}


def _collected(reply: Reply, watch: Watch, received: bytearray) -> Iterator[bytes]:
    """The pieces of a body, which are shown, and kept as far as they can be; ProtocolError if they are too many."""
    for piece in reply.pieces():
        watch.piece(piece)
        if len(received) <= MAX_BYTES:
            received += piece
        elif not watch.is_raw:
            break
        yield piece
    if len(received) > MAX_BYTES:
        raise too_large()
