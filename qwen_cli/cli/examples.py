"""What help and manual show beside the options: examples for each command, and what follows them."""

from collections.abc import Mapping, Sequence

EXAMPLES: Mapping[str, Sequence[str]] = {
    "qwen-cli": (
        "qwen-cli ask 'How do I undo the last commit?'",
        "git diff --staged | qwen-cli ask 'Write a commit message' >message",
        "qwen-cli sandbox -- qwen-cli ask 'Is anybody there?'",
    ),
    "qwen-cli ask": (
        "qwen-cli ask 'How do I undo the last commit?'",
        "git diff --staged | qwen-cli ask 'Write a commit message'",
        "qwen-cli ask -f notes.md -o summary.md 'Summarise this in five lines'",
    ),
    "qwen-cli stream": (
        "qwen-cli stream 'Tell me a long story'",
        "qwen-cli stream --show both 'Is 91 a prime?' 2>reasoning.txt",
    ),
    "qwen-cli json": (
        "qwen-cli json 'Name a colour' | jq .usage",
        "qwen-cli json --stream 'Count to ten' | jq -c '.choices[].delta'",
    ),
    "qwen-cli cost": (
        "qwen-cli cost 'Name a colour'",
        "qwen-cli cost --estimate -f notes.md 'Summarise this'",
        "qwen-cli cost --saved build/*.json",
        "qwen-cli json 'Name a colour' | tee colour.json | qwen-cli cost --saved",
        "qwen-cli cost --period 7d",
    ),
    "qwen-cli check": (
        "qwen-cli check -f mail.txt 'Is this spam?' && mv mail.txt spam/",
        "if qwen-cli check 'Is 91 a prime number?'; then echo prime; fi",
    ),
    "qwen-cli map": (
        "qwen-cli map 'Translate into French: {}' <words.txt",
        "printf '%s\\0' *.md | qwen-cli map -0 -f {} -o {}.summary 'Summarise this'",
        "qwen-cli map --jsonl 'Who is {name}?' --json <people.jsonl | jq -r .content",
    ),
    "qwen-cli key": (
        "qwen-cli key set",
        "pass show aimlapi | qwen-cli key set",
    ),
    "qwen-cli sandbox": (
        "qwen-cli sandbox -- make report",
        "qwen-cli sandbox --fault '429*2' -- qwen-cli ask 'Try hard'",
        "qwen-cli sandbox -- $SHELL",
    ),
}
"""Command path -> command lines that work as pasted."""

_VARIABLES = """\
Most long options can be set by a variable, such as QWEN_CLI_MAX_TOKENS=500.
The option takes precedence; an empty variable counts as unset."""

FOOTERS: Mapping[str, str] = {
    "qwen-cli": "See 'qwen-cli COMMAND --help' for options, and 'man qwen-cli' for everything.",
    **{f"qwen-cli {name}": _VARIABLES for name in ("ask", "stream", "json", "cost", "check", "map")},
}
"""Command path -> what its help ends with."""
