"""The entry point, and the one place where an error becomes a message and an exit status."""

# The half of `signal` that is built in, and nothing before it: importing the rest takes milliseconds, in which an
# interrupt would end in a traceback. A signal that the parent ignores (as `nohup` does) stays ignored.
import _signal  # type: ignore[import-not-found]  # typeshed does not know it

if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

import os
import sys

from qwen_cli import __version__

TYPE_CHECKING = False  # as in `typing`, which takes longer to import than all that --version needs
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

_VERSION = (["--version"], ["-V"])


def main(arguments: "Sequence[str]") -> int:
    """Run a command and return its exit status, or die of the signal that ended it."""
    if list(arguments) in _VERSION and sys.stdout is not None:
        # Answered before anything is imported, since scripts ask this in loops; failures take the usual way.
        try:
            os.write(1, f"qwen-cli {__version__}\n".encode())
        except OSError:
            pass
        else:
            return 0

    from qwen_cli.errors import Defect, InvalidUsage, Killed, LocalError, NetworkError, QwenError
    from qwen_cli.key.redaction import redact_environment, without_keys
    from qwen_cli.output.stderr import report
    from qwen_cli.output.terminal import keep_standard_streams

    keep_standard_streams()
    redact_environment(os.environ)
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
        from qwen_cli import signals

        signals.die_of(killed.signal_number)
    except Exception as error:
        report(str(Defect(error)))
        return Defect.status


def _dial_ahead(arguments: "Sequence[str]") -> None:
    """Begin to connect while the command line is still being imported and parsed."""
    from qwen_cli.cli.early_connection import base_url_ahead

    base_url = base_url_ahead(arguments, os.environ)
    if base_url is None:
        return
    from qwen_cli.connection.dialling import dial_ahead
    from qwen_cli.endpoint import parse_endpoint
    from qwen_cli.errors import InvalidUsage

    try:
        dial_ahead(parse_endpoint(base_url))
    except InvalidUsage:  # reported when the command line is parsed, with the name of the variable
        return


def run() -> "NoReturn":
    """The console script."""
    if sys.argv[1:] not in _VERSION:
        import gc
        import warnings

        # A process that lives for one request has no cycles worth looking for, and to its user, what Python warns of
        # is neither output nor an error, whatever the environment says.
        gc.disable()
        warnings.simplefilter("ignore")
        sys.set_int_max_str_digits(sys.int_info.default_max_str_digits)
    status = main(sys.argv[1:])
    # All is written and closed by now; to take the interpreter apart would cost a start another 4 ms.
    os._exit(status)


if __name__ == "__main__":
    run()
