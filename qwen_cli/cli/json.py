"""`qwen-cli json`: print the response itself."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from qwen_cli.cli.options import CommonOptions, Words
from qwen_cli.errors import ProtocolError
from qwen_cli.output.result import Output, open_output

if TYPE_CHECKING:
    from qwen_cli.exchange import Exchange, Outcome


def json(
    words: Words = None,
    *,
    common: CommonOptions,
    stream: bool = False,
    pretty: bool | None = None,
    allow_incomplete: bool = False,
    usage: bool = False,
    output: str | None = None,
) -> None:
    """Print the response as JSON.

    The body is printed as it came. The prompt is made as for 'qwen-cli ask'. With --stream, each chunk is a line.
    """
    from qwen_cli.cli.prepare import prepare, settle

    with (
        open_output(output) as out,
        prepare(words, common, stream=stream, allow_incomplete=allow_incomplete).opened(out) as exchange,
    ):
        if exchange is None:
            return
        if stream:
            outcome = _print_chunks(exchange, out, pretty=bool(pretty))
        else:
            outcome = _print_body(exchange, out, pretty=out.terminal if pretty is None else pretty)
        settle(exchange, outcome, usage=usage)


def _print_chunks(exchange: "Exchange", output: Output, *, pretty: bool) -> "Outcome":
    from qwen_cli.answer.completion import ChunkReader
    from qwen_cli.cli.printing import print_json

    reader = ChunkReader(keep_content=exchange.expectation.needs_content)
    for line, _ in exchange.chunks(reader, ["content", "reasoning"]):
        print_json([line], output, pretty=pretty)
    return exchange.judged(reader.finish())


def _print_body(exchange: "Exchange", output: Output, *, pretty: bool) -> "Outcome":
    from qwen_cli.answer.completion import read_completion
    from qwen_cli.cli.printing import print_json

    if recalled := exchange.recall():
        body, outcome = recalled
        print_json([body], output, pretty=pretty)
        return outcome
    received = bytearray()
    print_json(_kept(exchange.pieces(), received), output, pretty=pretty)
    outcome = exchange.judged(read_completion(bytes(received)))
    return outcome._replace(judgement=exchange.keep(bytes(received), outcome.judgement))


def _kept(pieces: Iterable[bytes], body: bytearray) -> Iterator[bytes]:
    """Pass the pieces on and keep them for the verdict; ProtocolError, once all have passed, if they were too many."""
    from qwen_cli.connection.response import MAX_BYTES

    size = 0
    for piece in pieces:
        yield piece
        size += len(piece)
        if size <= MAX_BYTES:
            body += piece
    if size > MAX_BYTES:
        raise ProtocolError(f"the response is larger than {MAX_BYTES >> 20} MiB, the limit of what can be checked")
