"""One request, from the options to the verdict on its answer."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, NamedTuple

from qwen_cli.credentials import Key, find_key
from qwen_cli.dialling import Dial, is_proxied
from qwen_cli.endpoint import Endpoint, parse_endpoint
from qwen_cli.errors import IncompleteAnswer, NetworkError, QwenError
from qwen_cli.inputs import StandardInput
from qwen_cli.notes import Notes
from qwen_cli.options import PromptOptions, RequestOptions, SendingOptions, VerdictOptions
from qwen_cli.prompt import read_messages
from qwen_cli.request import Body, as_curl, build_fields, encode_body

if TYPE_CHECKING:
    from qwen_cli.answer import Answer, ChunkReader, Delta
    from qwen_cli.client import Reply


def prepare(
    words: Sequence[str],
    asking: PromptOptions,
    request: RequestOptions,
    sending: SendingOptions,
    notes: Notes,
    *,
    stream: bool,
) -> "Exchange":
    """Read and check all that the request is made of; what can fail without waiting comes first."""
    endpoint = parse_endpoint(sending.base_url)
    fields = build_fields(request, stream=stream)
    is_preview = sending.dry_run or sending.curl
    dial = None if is_preview or is_proxied(endpoint) else Dial(endpoint)
    key = None if is_preview else find_key(endpoint)
    messages = read_messages(words, asking, StandardInput(notes.note))
    return Exchange({"model": fields.pop("model"), "messages": messages} | fields, endpoint, key, sending, notes, dial)


class Exchange(NamedTuple):
    """A request that is ready to be sent."""

    body: Body
    endpoint: Endpoint
    key: Key | None
    sending: SendingOptions
    notes: Notes
    dial: Dial | None

    def preview(self, *, pretty: bool) -> str | None:
        """The request in print, if that is asked for instead of sending it."""
        if self.sending.curl:
            return as_curl(self.body, self.endpoint, request_id=self.sending.request_id) + "\n"
        if self.sending.dry_run:
            return encode_body(self.body, pretty=pretty).decode() + "\n"
        return None

    def ask(self) -> "Answer":
        """Send, and read the whole answer."""
        from qwen_cli.answer import read_completion

        with self.notes.waiting("waiting for the answer"), self._send() as reply:
            return read_completion(reply.read())

    def pieces(self) -> Iterator[bytes]:
        """Send, and pass on the body as it arrives."""
        with self.notes.waiting("waiting for the answer") as wait, self._send() as reply:
            for piece in reply.pieces():
                wait.over()
                yield piece

    def chunks(self, reader: "ChunkReader", wanted: Sequence[str]) -> Iterator[tuple[str, "Delta"]]:
        """Send, and pass on each chunk's JSON and what it adds; the wait ends with the first wanted text."""
        with self.notes.waiting("waiting for the answer") as wait, self._send() as reply:
            try:
                for data in reply.events():
                    delta = reader.read(data)
                    if wait.lasts and any(getattr(delta, name) for name in wanted):
                        wait.over()
                    yield data, delta
            except NetworkError as error:
                if not reader.is_finished:
                    raise
                self.notes.note(f"the answer is whole, but its usage may be missing: {error}")

    def _send(self) -> AbstractContextManager["Reply"]:
        from qwen_cli.client import Client

        client = Client(self.endpoint, self.key, self.sending, self.notes, self.dial)
        return client.post(self.endpoint.chat_url, encode_body(self.body))

    @property
    def wants_json(self) -> bool:
        """Whether the content is held against a JSON format, and so has to be kept."""
        response_format = self.body.get("response_format")
        return isinstance(response_format, dict) and response_format.get("type") in ("json_object", "json_schema")

    def judge(self, answer: "Answer", wanted: str, judging: VerdictOptions, *, check_content: bool = True) -> None:
        """Raise what the answer lacks, unless that is allowed; tell its usage if asked to."""
        from qwen_cli.answer import check_format, verdict

        if judging.usage:
            from qwen_cli.costs import usage_line

            self.notes.tell(usage_line(answer))
        failure: QwenError | None = verdict(answer, wanted)
        if failure is None and self.wants_json and check_content and not answer.tool_calls and wanted == "content":
            failure = check_format(answer.content, self.body["response_format"])
        if isinstance(failure, IncompleteAnswer) and judging.allow_incomplete:
            self.notes.note(str(failure))
        elif failure is not None:
            raise failure
