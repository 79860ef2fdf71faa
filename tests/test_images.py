"""Images: known by their content, whatever their name, and sent as data or as the URL they are."""

import base64
import json

import hypothesis.strategies as st
import pytest
from hypothesis import given

from qwen_cli.prompt.images import image_type
from tests.dry_run import refused, user_message
from tests.program import Program

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)
GIF = b"GIF89a" + bytes(4)

IMAGES = [
    ("png", PNG),
    ("jpeg", b"\xff\xd8\xff\xe0rest"),
    ("gif", GIF),
    ("gif", b"GIF87a" + bytes(4)),
    ("webp", b"RIFF\x04\0\0\0WEBPVP8 "),
]
GIF_URI = "data:image/gif;base64," + base64.b64encode(GIF).decode()


class TestImages:
    @pytest.mark.parametrize(("kind", "content"), IMAGES)
    def test_a_file_is_recognised_by_its_content(self, qwen: Program, kind: str, content: bytes) -> None:
        qwen.file("picture.txt", content)
        text, image = user_message(qwen, "-i", "picture.txt", "What is this?")
        assert text == {"type": "text", "text": "What is this?"}
        encoded = base64.b64encode(content).decode()
        assert image == {"type": "image_url", "image_url": {"url": f"data:image/{kind};base64,{encoded}"}}

    def test_urls_pass_as_they_are_in_the_order_given_with_their_detail(self, qwen: Program) -> None:
        url = "https://example.org/a%20b.png?size=1&x=é"
        parts = user_message(qwen, "-i", url, "--image", GIF_URI, "--image-detail", "low", "Compare")
        assert parts[1:] == [
            {"type": "image_url", "image_url": {"url": each, "detail": "low"}} for each in (url, GIF_URI)
        ]

    def test_an_image_alone_is_a_prompt(self, qwen: Program) -> None:
        assert user_message(qwen, "-i", GIF_URI) == [{"type": "image_url", "image_url": {"url": GIF_URI}}]

    @pytest.mark.parametrize("content", [b"", b"%PDF-1.7", b"<svg/>", b"RIFF\0\0\0\0WAVE", b"\x89PNG", b"BM\0\0"])
    def test_a_file_that_is_none_ends_with_7_whatever_its_name(self, qwen: Program, content: bytes) -> None:
        qwen.file("picture.png", content)
        message = refused(qwen, 7, "-i", "picture.png", "hi")
        assert message == "picture.png is not a JPEG, PNG, GIF or WEBP image"

    @pytest.mark.parametrize("brand", [b"heic", b"mif1", b"avif"])
    def test_one_that_a_phone_takes_gets_the_advice_to_convert_it(self, qwen: Program, brand: bytes) -> None:
        qwen.file("photo.heic", b"\0\0\0\x18ftyp" + brand + bytes(8))
        message = refused(qwen, 7, "-i", "photo.heic", "hi")
        assert message.endswith("is not a JPEG, PNG, GIF or WEBP image; convert it first, to JPEG for instance")

    @pytest.mark.parametrize(
        "url", ["http://example.org/a.png", "data:text/plain,hi", "data:image/svg+xml;base64,AAAA", "data:image/png,x"]
    )
    def test_a_url_that_the_api_does_not_take_is_a_usage_error(self, qwen: Program, url: str) -> None:
        message = refused(qwen, 2, "-i", url, "hi")
        assert "--image" in message
        assert message.endswith("; download it first, and give the file") == url.startswith("http:")

    def test_a_detail_without_an_image_is_a_usage_error(self, qwen: Program) -> None:
        assert "--image-detail" in refused(qwen, 2, "--image-detail", "low", "hi")


@given(st.binary(max_size=20))
def test_the_type_of_an_image_is_one_of_four_or_unknown(data: bytes) -> None:
    assert image_type(data) in {None, *dict(IMAGES)}
    for kind, start in IMAGES:
        assert image_type(start + data) == kind


def test_an_image_may_come_from_standard_input_which_is_then_no_text(qwen: Program) -> None:
    result = qwen("ask", "--dry-run", "-i", "-", "What is this?", input=PNG)
    assert (result.status, result.stderr) == (0, "")
    text, image = json.loads(result.text)["messages"][0]["content"]
    assert text == {"type": "text", "text": "What is this?"}
    assert image["image_url"]["url"].startswith("data:image/png;base64,")


@pytest.mark.parametrize("other", [("-i", "-"), ("-f", "-"), ("-",)], ids=" ".join)
def test_standard_input_is_one_image_or_nothing_else(qwen: Program, other: tuple[str, ...]) -> None:
    result = qwen.call("ask", "-i", "-", *other)
    assert (result.status, result.stdout) == (2, b"")
    assert "only once" in result.message


def test_standard_input_that_is_no_image_ends_with_7(qwen: Program) -> None:
    result = qwen.call("ask", "-i", "-", "hi", input="words")
    assert (result.status, result.message) == (7, "standard input is not a JPEG, PNG, GIF or WEBP image")
