"""httpx without its command line: the one door through which it is imported.

`import httpx` also imports `httpx._main` where Click, rich and Pygments are installed, which costs half as much again.
"""

import sys

# None makes the import fail, which httpx provides for.
sys.modules["httpx._main"] = None  # type: ignore[assignment]
import httpx as httpx  # noqa: E402, PLC0414

del sys.modules["httpx._main"]
