"""Calls that go on beside the main thread."""

import threading

import pytest

from qwen_cli.background import Background


def test_without_memory_for_a_thread_the_call_is_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    assert Background(lambda: 5).result(0) == 5
