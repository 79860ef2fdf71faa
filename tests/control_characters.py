"""What a terminal would obey, and a text that holds all of it."""

import re

EVERYTHING = (
    "\x1b]52;c;ZXZpbA==\x07"  # OSC 52, which sets the clipboard
    "\x1b]8;;https://evil.invalid\x1b\\click\x1b]8;;\x1b\\"  # OSC 8, which makes links
    "\x1b[2J\x1b[H"  # CSI, which clears the screen
    "\x1b[8mhidden"  # SGR, which hides text
    "\x9b2J\x9d52;c;ZXZpbA==\x9c"  # C1 control sequences
    "\x1bP$q\x1b\\\x90+q\x9c"  # DCS
    "safe\revil\x08\x08\x7f"
    "\x07\x00\x0c\x0b"
    "\u202egpj.exe\u202c\u2066x\u2069\u200f\u061c"  # bidirectional overrides and isolates
    "one\u2028two\u2029three\u0085four"
)
OBEYED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|\r(?!\n)")
"""A line ends with CR LF on a terminal."""


def obeyed(shown: bytes) -> list[str]:
    """The characters that a terminal would obey."""
    return OBEYED.findall(shown.decode())
