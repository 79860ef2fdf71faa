"""The entry point, and the one place where an error becomes a message and an exit status."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from qwen_cli import __version__


def main(arguments: Sequence[str]) -> int:
    """Run a command and return its exit status, or die of the signal that ended it."""
    if list(arguments) in (["--version"], ["-V"]) and sys.stdout is not None:
        # Answered before anything is imported, since scripts ask this in loops; failures take the usual way.
        try:
            os.write(1, f"qwen-cli {__version__}\n".encode())
        except OSError:
            pass
        else:
            return 0

    from qwen_cli import signals
    from qwen_cli.errors import InvalidUsage, Killed, LocalError, NetworkError, QwenError
    from qwen_cli.output.stderr import report, without_keys
    from qwen_cli.output.terminal import keep_standard_streams

    keep_standard_streams()
    try:
        _dial_ahead(arguments)
        from qwen_cli.cli.commands import run_command

        return run_command(arguments)
    except (InvalidUsage, LocalError, NetworkError) as error:  # their messages quote arguments, and one may be a key
        report(without_keys(str(error)))
        return error.status
    except QwenError as error:
        report(str(error))
        return error.status
    except Killed as killed:
        signals.die_of(killed.signal_number)
    except MemoryError:
        report("out of memory")
        return 1
    except Exception as error:
        report(f"internal error, please report it: {describe(error)}")
        return 1


def _dial_ahead(arguments: Sequence[str]) -> None:
    """Begin to connect while the command line is still being imported and parsed."""
    from qwen_cli.cli.early_connection import base_url_ahead

    base_url = base_url_ahead(arguments, os.environ)
    if base_url is None:
        return
    from qwen_cli.connection.dialling import dial_ahead
    from qwen_cli.endpoint import parse_endpoint
    from qwen_cli.errors import InvalidUsage

    with suppress(InvalidUsage):  # reported when the command line is parsed, with the name of the variable
        dial_ahead(parse_endpoint(base_url))


def describe(error: Exception) -> str:
    """Name a defect and its place; its message is left out, since it could quote a key."""
    from traceback import extract_tb

    frames = extract_tb(error.__traceback__)
    where = f" at {os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where} (qwen-cli {__version__}, Python {sys.version.partition(' ')[0]})"


def run() -> NoReturn:
    """The console script."""
    # The half of `signal` that is built in: importing the rest takes milliseconds, in which an interrupt would end in a
    # traceback. A signal that the parent ignores (as `nohup` does) stays ignored.
    import _signal  # type: ignore[import-not-found]  # typeshed does not know it

    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

    import gc

    # A process that lives for one request has no cycles worth looking for.
    gc.disable()
    status = main(sys.argv[1:])
    # All is written and closed by now; to take the interpreter apart would cost a start another 4 ms.
    os._exit(status)


if __name__ == "__main__":
    run()
