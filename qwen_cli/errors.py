"""Every failure, with the exit status that scripts rely on.

QwenError
├── Defect             1  a defect in qwen-cli, or no memory left
├── InvalidUsage       2  the command line or a variable is wrong; nothing was sent
├── CredentialsError   3  no key, a rejected key, no credit, or no usable keyring
├── RefusedError       4  the API refused the request
├── ServiceError       5  the service failed or is rate limiting
├── NetworkError       6  the network failed: name, connection, TLS, timeout
│   └── CacheMiss      6  the answer is not in the cache, and nothing may be sent
├── LocalError         7  a local file or input could not be read, understood or written
├── IncompleteAnswer   8  the answer is incomplete: cut, filtered, refused or empty
└── ProtocolError      9  the response is not what the protocol or the requested format says

An interrupt is not a QwenError: `Killed` carries the signal that the process then dies of.
"""

from qwen_cli import __version__


class QwenError(Exception):
    """A failure, reported in one line: `message` is what was wrong, `advice` what to do about it."""

    status = 1

    def __init__(self, message: str, *, advice: str | None = None) -> None:
        super().__init__(message if advice is None else f"{message.rstrip('.')}; {advice}")
        self.message = message


class Defect(QwenError):
    """What no other class explains: it names the error and its place, since its message could quote a key."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(_describe(error))


def _describe(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "out of memory"
    import sys
    from traceback import extract_tb

    frames = extract_tb(error.__traceback__)
    where = f" at {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
    versions = f"qwen-cli {__version__}, Python {sys.version.partition(' ')[0]}"
    return f"internal error, please report it: {type(error).__name__}{where} ({versions})"


class InvalidUsage(QwenError):
    status = 2


class CredentialsError(QwenError):
    status = 3


class RefusedError(QwenError):
    status = 4


class ServiceError(QwenError):
    status = 5


class NetworkError(QwenError):
    status = 6


class CacheMiss(NetworkError):
    """Not in the cache, and nothing may be sent."""


class LocalError(QwenError):
    status = 7


class IncompleteAnswer(QwenError):
    status = 8


class ProtocolError(QwenError):
    status = 9


class Killed(BaseException):
    """A signal, or a reader that went away (SIGPIPE): clean up, then die of it."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number
