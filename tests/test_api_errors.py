"""What the API says when it refuses: one line, with its status, its message, its request id and the next step."""

import pytest

from tests.api_server import ApiServer, reply
from tests.program import Program

HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1>\n<hr>nginx</body></html>\n"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(qwen: Program, api: ApiServer, status: int) -> None:
    with ApiServer() as elsewhere:
        api.answer(reply({}, status=status, headers={"location": f"{elsewhere.base_url}/chat/completions"}))
        result = qwen.call("ask", "hi")
    assert (result.status, result.stdout) == (9, b"")
    assert "redirect" in result.message
    assert elsewhere.connections == 0
