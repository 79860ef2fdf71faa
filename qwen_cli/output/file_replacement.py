"""Files replaced atomically: written next to the target, renamed over it once complete."""

import errno
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, Self

from qwen_cli import signals
from qwen_cli.errors import LocalError
from qwen_cli.output.terminal import write_all

_ACL: Final = "system.posix_acl_access"

_unfinished: Final[set[str]] = set()
"""The temporary files to remove when a signal kills the process, each added before it is made."""

_making: Final = threading.RLock()
"""Held while one is made, and for good once the process dies, so that no thread makes one after the clean-up."""


class AtomicFile:
    """New content for the file at `path`, which replaces the old one on `commit` and is discarded without it.

    A failure that can be foreseen is raised at once, as a LocalError. Symbolic links are followed. A new file gets the
    permissions that the folder and the umask give it; one that is replaced keeps its mode, its ACL and, where possible,
    its owner. A mount point cannot be renamed over: its content is kept in memory, and written in place at the end.

    Any thread may use it, but only after the main thread has made one or called `signals.before_dying` does a fatal
    signal remove the temporary files.
    """

    def __init__(self, path: str) -> None:
        signals.before_dying(_discard_unfinished)
        self.name = path
        self._temporary = ""
        with _naming(path):
            if path.endswith("/"):
                raise IsADirectoryError(errno.EISDIR, "Is a directory")
            self._target = os.path.realpath(path)  # fails if the working folder is gone
            self._old = _stat_replaceable(self._target)
            if self._old is not None and _is_mount_point(self._target):
                self.descriptor = os.memfd_create("qwen-cli")
            else:
                self.descriptor = self._make_temporary()

    def _make_temporary(self) -> int:
        name = os.path.join(os.path.dirname(self._target), f".qwen-cli-{os.urandom(8).hex()}.tmp")
        with _making:
            _unfinished.add(name)
            self._temporary = name
            try:
                # Nobody else may read it before it has the permissions of the file that it replaces.
                return os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666 if self._old is None else 0o600)
            except OSError:
                _unfinished.discard(name)
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    def discard(self) -> None:
        """Close it; without a `commit` before, the old file is unchanged."""
        os.close(self.descriptor)
        if self._temporary in _unfinished:
            with suppress(FileNotFoundError):
                os.unlink(self._temporary)
            _unfinished.discard(self._temporary)

    def write(self, data: bytes) -> None:
        with _naming(self.name):
            write_all(self.descriptor, data)

    def commit(self) -> None:
        """Replace the target."""
        with _naming(self.name):
            if not self._temporary:
                _overwrite(self._target, self.descriptor)
                return
            if self._old is not None:
                _take_over_permissions(self._target, self._old, self.descriptor)
            os.fsync(self.descriptor)
            os.replace(self._temporary, self._target)
            _unfinished.discard(self._temporary)


def _discard_unfinished() -> None:
    _making.acquire(timeout=1)
    for name in list(_unfinished):
        with suppress(OSError):
            os.unlink(name)


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Turn an OSError into a LocalError that names the file."""
    try:
        yield
    except (OSError, ValueError) as error:  # a name with NUL or a lone surrogate is a ValueError
        reason = error.strerror if isinstance(error, OSError) else "this is not a file name"
        raise LocalError(f"cannot write {name}: {reason}") from error


def _stat_replaceable(path: str) -> os.stat_result | None:
    """The file to be replaced, None if there is none yet; OSError if it may not be replaced."""
    try:
        old = os.stat(path)
    except FileNotFoundError:
        return None
    # Only opening it shows whether its mode, its attributes and its file system allow writing.
    os.close(os.open(path, os.O_WRONLY))
    folder = os.stat(os.path.dirname(path))
    if folder.st_mode & stat.S_ISVTX and os.geteuid() not in (0, old.st_uid, folder.st_uid):
        raise PermissionError(errno.EPERM, "The folder is sticky, and the file is another user's")
    return old


def _is_mount_point(path: str) -> bool:
    """Whether the file itself is a mount point, as with `docker run -v FILE:FILE`; on Linux only."""
    try:
        return _mount(path) != _mount(os.path.dirname(path))
    except OSError:
        return False


def _mount(path: str) -> str:
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_PATH", 0))
    try:
        with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as file:
            return next((line for line in file if line.startswith("mnt_id:")), "")
    finally:
        os.close(descriptor)


def _take_over_permissions(path: str, old: os.stat_result, descriptor: int) -> None:
    """Give the new file the owner, ACL and mode of the old one; fewer permissions if the owner cannot be kept."""
    for owner in (old.st_uid, -1):
        with suppress(OSError):
            os.fchown(descriptor, owner, old.st_gid)
            break
    new = os.fstat(descriptor)
    mode = stat.S_IMODE(old.st_mode)
    is_same_group = new.st_gid == old.st_gid
    is_same_owner = is_same_group and new.st_uid == old.st_uid
    if not is_same_owner:
        mode &= 0o777
    if not is_same_group:
        # Another group gets no more than everybody has.
        mode = mode & 0o707 | (mode & 0o007) << 3
    _copy_acl(path if is_same_owner else None, descriptor)
    os.fchmod(descriptor, mode)


def _copy_acl(path: str | None, descriptor: int) -> None:
    """Give the new file the ACL of the old one, or none: the folder's default ACL is for files that did not exist."""
    if not hasattr(os, "getxattr"):
        return
    acl = b""
    with suppress(OSError):
        acl = os.getxattr(path, _ACL) if path is not None else b""
    if acl:
        os.setxattr(descriptor, _ACL, acl)
    else:
        with suppress(OSError):  # there is none, or the file system has no ACLs
            os.removexattr(descriptor, _ACL)


def _overwrite(path: str, descriptor: int) -> None:
    """Overwrite a file in place, after making sure that there is room."""
    size = os.fstat(descriptor).st_size
    target = os.open(path, os.O_WRONLY)
    try:
        old_size = os.fstat(target).st_size
        try:
            os.posix_fallocate(target, 0, max(size, 1))
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):  # other errors: not supported here
                os.ftruncate(target, old_size)
                raise
        os.lseek(descriptor, 0, os.SEEK_SET)
        while piece := os.read(descriptor, 1 << 16):
            write_all(target, piece)
        os.ftruncate(target, size)
        os.fsync(target)
    finally:
        os.close(target)
