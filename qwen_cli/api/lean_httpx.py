"""httpx without what a command-line program does not use: the one door through which it is imported.

`import httpx` also imports its command line (`httpx._main`) where rich and Pygments are installed, which costs half as
much again, and httpcore its backends for anyio and trio.
"""

import sys

_UNUSED = [name for name in ("httpx._main", "anyio", "trio") if name not in sys.modules]

# None makes an import fail, which both provide for.
sys.modules.update(dict.fromkeys(_UNUSED))  # type: ignore[arg-type]
import httpcore as httpcore  # noqa: E402, PLC0414
import httpx as httpx  # noqa: E402, PLC0414

for _name in _UNUSED:
    del sys.modules[_name]
