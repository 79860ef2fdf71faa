"""Content codings: a compressed body reads like any other, however it was compressed, and takes no more memory."""

import gzip
import json
import threading
import zlib
from subprocess import DEVNULL

import pytest
from httpx._decoders import SUPPORTED_DECODERS
from hypothesis import given
from hypothesis import strategies as st

from qwen_cli.connection.decompression import decoded
from qwen_cli.errors import ProtocolError
from tests.api_server import EVENT_STREAM, LAST_CHUNK, ApiServer, head, http_chunk, reply
from tests.bodies import chunk, chunks, completion, event, event_stream
from tests.program import Program


def compressed(coding: str, data: bytes) -> bytes:
    """The data in that coding of HTTP."""
    return gzip.compress(data) if coding == "gzip" else zlib.compress(data)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_compressed_body_reads_like_a_plain_one(qwen: Program, api: ApiServer, coding: str) -> None:
    body = json.dumps(completion("Hello.")).encode()
    answer = reply(body=compressed(coding, body), headers={"content-encoding": coding})
    api.answer(answer, answer)
    assert qwen("ask", "hi").text == "Hello.\n"
    result = qwen("json", "hi")
    assert (result.status, result.stdout) == (0, body + b"\n")


def test_a_deflated_body_may_lack_the_header_of_zlib(qwen: Program, api: ApiServer) -> None:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    body = packer.compress(json.dumps(completion("Hello.")).encode()) + packer.flush()
    api.answer(reply(body=body, headers={"content-encoding": "deflate"}))
    assert qwen.call("ask", "hi").text == "Hello.\n"


@pytest.mark.parametrize("coding", ["utf-8", "none", "identity", "UTF8"])
def test_what_is_no_encoding_needs_no_decoding(qwen: Program, api: ApiServer, coding: str) -> None:
    api.answer(reply(completion("Hello."), headers={"content-encoding": coding}))
    assert qwen.call("ask", "hi").text == "Hello.\n"


def test_a_compressed_stream_is_printed_as_it_arrives(qwen: Program, api: ApiServer) -> None:
    seen = threading.Event()
    packer = zlib.compressobj(wbits=31)

    def packed(data: bytes) -> bytes:
        return http_chunk(packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))

    rest = packed(event(chunk("One "))), packed(event_stream(chunks("two"))), http_chunk(packer.flush())
    api.answer((head(200, {**EVENT_STREAM, "content-encoding": "gzip"}), rest[0], seen, *rest[1:], LAST_CHUNK))
    with qwen.start("stream", "hi") as running:
        running.wait_for(b"One")
        seen.set()
        result = running.finish()
    assert (result.status, result.text) == (0, "One two\n")


def test_padding_after_a_gzip_body_is_ignored(qwen: Program, api: ApiServer) -> None:
    body = gzip.compress(json.dumps(completion("Hello.")).encode()) + bytes(100_000)
    api.answer(reply(body=body, headers={"content-encoding": "gzip"}))
    assert qwen.call("ask", "hi").text == "Hello.\n"


def test_a_body_of_several_gzip_members_reads_like_one(qwen: Program, api: ApiServer) -> None:
    """Their concatenation is gzip as well (RFC 1952, 2.2)."""
    body = json.dumps(completion("Hello.")).encode()
    members = b"".join(gzip.compress(part) for part in (body[:20], b"", body[20:]))
    api.answer(reply(body=members, headers={"content-encoding": "gzip"}))
    result = qwen.call("ask", "hi")
    assert (result.status, result.text) == (0, "Hello.\n")


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_body_that_is_not_in_the_coding_it_claims_ends_with_9(qwen: Program, api: ApiServer, coding: str) -> None:
    api.answer(reply(body=b"this is not compressed at all", headers={"content-encoding": coding}))
    result = qwen.call("ask", "hi")
    assert (result.status, result.stdout) == (9, b"")
    assert result.message


def test_only_codings_that_can_be_undone_are_asked_for(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion()))
    qwen.call("ask", "hi")
    asked = {coding.strip() for coding in api.request.headers.get("accept-encoding", "identity").split(",")}
    assert asked <= {*SUPPORTED_DECODERS}


@given(st.text(), st.lists(st.binary()))
def test_any_content_encoding_is_undone_or_refused(encodings: str, pieces: list[bytes]) -> None:
    try:
        result = b"".join(decoded(pieces, encodings))
    except ProtocolError:
        return
    assert isinstance(result, bytes)


MIB = 1 << 20


def bomb(mebibytes: int) -> bytes:
    """So many MiB of zeros in a thousandth of that, without its end: nobody gets there."""
    packer = zlib.compressobj(9, wbits=31)
    first, further = (packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + further * (mebibytes - 1)


BOMB = bomb(512)


@pytest.mark.parametrize("layers", [1, 2], ids=["once", "twice"])
@pytest.mark.parametrize("command", ["ask", "json"])
def test_a_response_that_was_compressed_takes_no_more_memory_than_another(
    qwen: Program, api: ApiServer, command: str, layers: int
) -> None:
    """A few kilobytes of zip bomb are stopped where any response is stopped that is too large."""
    body = BOMB if layers == 1 else gzip.compress(BOMB)
    api.answer(reply(body=body, headers={"content-encoding": ", ".join(["gzip"] * layers)}))
    result = qwen(command, "hi", stdout=DEVNULL, timeout=60)
    assert result.status == 9
    assert "64 MiB" in result.message
    assert result.peak_memory < 200 * MIB
