"""httpx without the parts that are not used here: the only module that imports it.

`import httpx` also imports its command line (`httpx._main`) where rich and Pygments are installed, which costs half as
much again, and httpcore its backends for anyio and trio.
"""

import sys

_UNUSED = [name for name in ("httpx._main", "anyio", "trio") if name not in sys.modules]

# None makes an import fail, for which both are prepared.
sys.modules.update(dict.fromkeys(_UNUSED))  # type: ignore[arg-type]
import httpcore as httpcore  # noqa: E402, PLC0414
import httpx as httpx  # noqa: E402, PLC0414

for _name in _UNUSED:
    del sys.modules[_name]
