"""A response that isn't what the protocol says ends with status 9; whatever it allows reads the same in any form."""

import pytest

from tests.api_server import ApiServer
from tests.program import Program

HTML = b"<!DOCTYPE html>\n<html><body>It works!</body></html>\n"


@pytest.mark.parametrize("command", ["ask", "stream", "json"])
def test_what_is_not_http_ends_with_a_clear_line(qwen: Program, api: ApiServer, command: str) -> None:
    api.answer((b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n\r\n",))
    result = qwen(command, "hi")
    assert (result.status, result.stdout) == (9, b"")
    assert "HTTP" in result.message
