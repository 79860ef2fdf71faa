"""The README's picture of a session shows what the program does today."""

from scripts import session_picture


def test_the_session_of_the_picture_goes_the_same_way_again() -> None:
    shown = session_picture.text(session_picture.PICTURE.read_text(encoding="utf-8"))
    again = session_picture.draw(session_picture.screen(session_picture.record()))
    assert session_picture.text(again) == shown


def test_the_picture_fetches_nothing_and_brings_its_own_background() -> None:
    picture = session_picture.PICTURE.read_text(encoding="utf-8")
    assert "url(http" not in picture
    assert '<rect fill="#0c0c0c"' in picture
