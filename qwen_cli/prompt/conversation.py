"""A conversation in a file that grows: read, asked about and replaced by one process at a time."""

import fcntl
import json
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from typing import Self

from qwen_cli import signals
from qwen_cli.answer.completion import Answer
from qwen_cli.errors import InvalidUsage, LocalError
from qwen_cli.output.file_replacement import AtomicFile
from qwen_cli.output.stderr import Notes
from qwen_cli.output.terminal import encode
from qwen_cli.prompt.files import PATIENCE, decode_text, load_json_from, read_file
from qwen_cli.prompt.messages import STDIN, Message, Parts
from qwen_cli.request.validation import OutsideLimitsError, check_field


class Chat:
    """The conversation in the file at `path`. Used as a context: what was added counts when the block succeeds.

    After any failure the file stands as it was. The file itself is locked, so that nothing is left beside it; a process
    that gets the lock checks whether the file has been replaced in the meantime. A missing file is created empty, to be
    locked, and removed after a failure.
    """

    def __init__(self, path: str, notes: Notes) -> None:
        if path == STDIN:
            raise InvalidUsage("--chat needs a file name, because it writes to the file")
        self._path = path
        self._notes = notes
        self._locked: int | None = None
        self._is_made = False
        self._new: AtomicFile | None = None
        self._has_grown = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None and self._new is not None and self._has_grown:
                self._new.commit()
        finally:
            if self._new is not None:
                self._new.discard()
            self._remove_made()
            if self._locked is not None:
                os.close(self._locked)

    def continued(self, parts: Parts) -> Parts:
        """The parts without the system message that it starts with; InvalidUsage if it starts with another or none."""
        if not parts.earlier or parts.system is None:
            return parts
        if parts.earlier[0] != {"role": "system", "content": parts.system}:
            raise InvalidUsage(
                f"{self._path} started without this system message", advice="omit it, or start another file"
            )
        return parts._replace(system=None)

    def read(self) -> list[Message]:
        """The messages so far, none if the file is missing or empty; LocalError if it is not a conversation."""
        try:
            if not stat.S_ISREG(os.stat(self._path).st_mode):
                raise LocalError(f"{self._path} is not a regular file")
        except FileNotFoundError:
            return []
        except (OSError, ValueError):
            pass  # reported when it is opened
        text = decode_text(read_file(self._path), self._path)
        if not text.strip():
            return []
        messages = load_json_from(self._path, text)
        try:
            check_field("messages", messages)
        except OutsideLimitsError as error:
            raise LocalError(f"{self._path} is not a conversation: {error}") from None
        return list(messages)

    def take_turn(self) -> None:
        """Wait for other processes that continue it, and keep them waiting. LocalError if it cannot be replaced."""
        signals.before_dying(self._remove_made)
        try:
            while self._locked is None:
                descriptor, is_made = self._open()
                self._wait_for_lock(descriptor)
                if self._is_at_path(descriptor):
                    self._locked, self._is_made = descriptor, is_made
                else:  # another file has taken its place meanwhile
                    os.close(descriptor)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "this is no name of a file"
            raise LocalError(f"cannot write {self._path}: {reason}") from error
        self._new = AtomicFile(self._path)

    def _wait_for_lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with self._notes.waiting(f"waiting for another process to finish with {self._path}", patience=PATIENCE):
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

    def add(self, asked: Sequence[Message], answer: Answer) -> None:
        """Add the answer to what was asked; the file is replaced when the block succeeds."""
        assert self._new is not None
        lines = ",\n".join(json.dumps(message, ensure_ascii=False) for message in [*asked, answer.as_message()])
        self._new.write(encode(f"[\n{lines}\n]\n"))
        self._has_grown = True
