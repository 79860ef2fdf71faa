"""A conversation in a file that grows: read, asked about and replaced by one process at a time."""

import fcntl
import json
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from typing import Self

from qwen_cli import signals
from qwen_cli.errors import InvalidUsage, LocalError
from qwen_cli.output.file_replacement import check_replaceable, naming, replace_file
from qwen_cli.output.spinner import waiting
from qwen_cli.output.stderr import Notes
from qwen_cli.prompt.files import decode_text, load_json_from, read_file
from qwen_cli.prompt.messages import Message, Prompt
from qwen_cli.prompt.standard_input import PATIENCE, STDIN
from qwen_cli.request.validation import OutsideLimitsError, check_field
from qwen_cli.text import encode


class Conversation:
    """The conversation in the file at `path`, until the context ends; after any failure the file stands as it was.

    The file itself is locked, so that nothing is left beside it; a process that gets the lock checks whether the file
    has been replaced in the meantime. A missing file is created empty, to be locked, and removed after a failure.
    """

    def __init__(self, path: str, notes: Notes, *, is_read_only: bool = False) -> None:
        if path == STDIN:
            raise InvalidUsage("--chat needs a file name, because it writes to the file")
        self._path = path
        self._notes = notes
        self._is_read_only = is_read_only
        self._earlier: list[Message] | None = None
        self._locked: int | None = None
        self._is_made = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._remove_made()
        if self._locked is not None:
            os.close(self._locked)

    def begin(self) -> None:
        """Wait for other processes that continue it, keep them waiting, and read it, once.

        LocalError if it is not a conversation, or cannot be replaced.
        """
        if self._earlier is None:
            if not self._is_read_only:
                self._take_turn()
            self._earlier = self._read()

    def continued(self, prompt: Prompt) -> Prompt:
        """The prompt after what was said so far; InvalidUsage if that started with another system message or none."""
        self.begin()
        earlier = self._earlier or []
        if earlier and prompt.system is not None:
            if earlier[0] != {"role": "system", "content": prompt.system}:
                raise InvalidUsage(
                    f"{self._path} started without this system message", advice="omit it, or start another file"
                )
            prompt = prompt._replace(system=None)
        return prompt._replace(earlier=earlier)

    def add(self, asked: Sequence[Message], answer: Message) -> None:
        """Replace the file by what was asked, all of it, and the answer."""
        lines = ",\n".join(json.dumps(message, ensure_ascii=False) for message in [*asked, answer])
        replace_file(self._path, encode(f"[\n{lines}\n]\n"))

    def _read(self) -> list[Message]:
        """The messages so far, none if the file is missing or empty."""
        try:
            if not stat.S_ISREG(os.stat(self._path).st_mode):
                raise LocalError(f"{self._path} is not a regular file")
        except FileNotFoundError:
            return []
        except (OSError, ValueError):
            pass  # reported when it is opened
        text = decode_text(read_file(self._path), self._path, path=self._path)
        if not text.strip():
            return []
        messages = load_json_from(self._path, text)
        try:
            check_field("messages", messages)
        except OutsideLimitsError as error:
            raise LocalError(f"{self._path} is not a conversation: {error}") from None
        return list(messages)

    def _take_turn(self) -> None:
        signals.before_dying(self._remove_made)
        with naming(self._path):
            if os.path.exists(self._path) and not os.path.isfile(self._path):
                raise LocalError(f"{self._path} is not a regular file")
            check_replaceable(self._path)
            while self._locked is None:
                descriptor, is_made = self._open()
                self._wait_for_lock(descriptor)
                if self._is_at_path(descriptor):
                    self._locked, self._is_made = descriptor, is_made
                else:  # another file has taken its place meanwhile
                    os.close(descriptor)

    def _wait_for_lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"waiting for another process to finish with {self._path}"
            with waiting(message, self._notes, patience=PATIENCE):
                fcntl.flock(descriptor, fcntl.LOCK_EX)

    def _open(self) -> tuple[int, bool]:
        """The descriptor of the file, and whether it was missing."""
        while True:
            with suppress(FileNotFoundError):
                return os.open(self._path, os.O_RDWR), False
            with suppress(FileExistsError):
                target = os.path.realpath(self._path)
                return os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666), True

    def _is_at_path(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self._path))
        except FileNotFoundError:
            return False

    def _remove_made(self) -> None:
        """Remove the empty file that was created for the lock, unless the conversation has replaced it."""
        if self._is_made and self._locked is not None:
            with suppress(OSError):
                if self._is_at_path(self._locked):
                    os.unlink(os.path.realpath(self._path))
