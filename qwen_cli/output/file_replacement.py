"""Files replaced at once: what is to be written is complete before anything is."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from qwen_cli import signals
from qwen_cli.errors import LocalError
from qwen_cli.output.terminal import write_all

MAX_COLLECTED: Final = 256 << 20
"""Bytes that are collected for a file at most."""


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Turn an OSError into a LocalError that names the file."""
    try:
        yield
    except (OSError, ValueError) as error:  # a name with NUL or a lone surrogate is a ValueError
        reason = error.strerror if isinstance(error, OSError) else "this is not a file name"
        raise LocalError(f"cannot write {name}: {reason}") from error


def check_replaceable(path: str) -> None:
    """LocalError if it can be foreseen that the file cannot be replaced; nothing is written."""
    with naming(path):
        target = _target(path)
        old = _stat(target)
        folder = os.path.dirname(target)
        if old is not None:
            # Only opening it shows whether its mode, its attributes and its file system allow writing.
            os.close(os.open(target, os.O_WRONLY))
            owner = os.stat(folder)
            if owner.st_mode & stat.S_ISVTX and os.geteuid() not in (0, old.st_uid, owner.st_uid):
                raise PermissionError(errno.EPERM, "The folder is sticky, and the file is another user's")
        _check_folder(folder)


def _check_folder(folder: str) -> None:
    """OSError if no file can be made there: by making one without a name, where the system can."""
    try:
        os.close(os.open(folder, os.O_TMPFILE | os.O_WRONLY))
    except AttributeError:
        _check_access(folder)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
            raise
        _check_access(folder)


def _check_access(folder: str) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def replace_file(path: str, data: bytes) -> None:
    """Make this the content of the file, wholly or not at all; LocalError if that is not possible.

    It is written beside the target and renamed over it, with every signal put off, so that no end of the process leaves
    it there. To be called from the main thread. Symbolic links are followed. A new file gets the permissions that the
    folder and the umask give it; one that is replaced keeps its mode and, where possible, its owner.
    """
    with naming(path), signals.held():
        target = _target(path)
        old = _stat(target)
        temporary = os.path.join(os.path.dirname(target), f".qwen-cli-{os.urandom(8).hex()}.tmp")
        # Nobody else may read it before it has the permissions of the file that it replaces.
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if old is None else 0o600)
        try:
            write_all(descriptor, data)
            if old is not None:
                _take_over_permissions(old, descriptor)
            os.fsync(descriptor)
            os.replace(temporary, target)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        finally:
            os.close(descriptor)


def _target(path: str) -> str:
    """The file itself, behind symbolic links; OSError if the name, or the working folder, is that of none."""
    if path.endswith("/"):
        raise IsADirectoryError(errno.EISDIR, "Is a directory")
    return os.path.realpath(path)


def _stat(target: str) -> os.stat_result | None:
    """The file to be replaced, None if there is none yet."""
    try:
        return os.stat(target)
    except FileNotFoundError:
        return None


def _take_over_permissions(old: os.stat_result, descriptor: int) -> None:
    """Give the new file the owner and mode of the old one; fewer permissions if the owner cannot be kept."""
    for owner in (old.st_uid, -1):
        with suppress(OSError):
            os.fchown(descriptor, owner, old.st_gid)
            break
    new = os.fstat(descriptor)
    mode = stat.S_IMODE(old.st_mode)
    is_same_group = new.st_gid == old.st_gid
    if not (is_same_group and new.st_uid == old.st_uid):
        mode &= 0o777
    if not is_same_group:
        # Another group gets no more than everybody has.
        mode = mode & 0o707 | (mode & 0o007) << 3
    os.fchmod(descriptor, mode)
