"""What help and manual say beside the options: what a command does, examples, and what follows them.

Not in docstrings, which Python can be told to leave out.
"""

from collections.abc import Mapping, Sequence
from inspect import cleandoc

from qwen_cli.cli.early_connection import SENDING

TEXTS: Mapping[str, str] = {
    "qwen-cli": "Ask a language model from the command line.",
    "qwen-cli ask": """
        Print the answer once it is complete.

        The prompt is made of --prompt-file, each -f FILE, standard input and the words, with blank lines between them.
        A '-' stands for standard input. On a terminal, the answer's Markdown is rendered.
    """,
    "qwen-cli stream": """
        Print the answer as it arrives.

        The prompt is made of --prompt-file, each -f FILE, standard input and the words, with blank lines between them.
        A '-' stands for standard input.
    """,
    "qwen-cli json": """
        Print the response as JSON.

        The body is printed as it came. The prompt is made as for 'qwen-cli ask'. With --stream, each event is a line.
    """,
    "qwen-cli cost": """
        Print the cost of a request, of saved responses or of the account.

        Each line is a name, a tab and a value, in columns on a terminal; a value that the server did not send is '-'.
        The answer is not printed, and the exit status is 0 even if it is incomplete. With --estimate, the model is not
        asked: the values are upper bounds, computed from the prompt's length, --max-tokens or the model's own limit,
        and the server's public prices. With --saved, the arguments are files with responses saved by 'qwen-cli json' or
        --save; '-', or none, is standard input.
    """,
    "qwen-cli check": """
        Answer yes or no with the exit status.

        The status is 0 for yes and 10 for no; anything else is a failure. Nothing is printed. The question is made like
        the prompt of 'qwen-cli ask'.
    """,
    "qwen-cli map": r"""
        Print one answer per line of standard input, in order.

        '{}' in the prompt, -s, -f, -i and -o stands for the line; without it, the line is the last part of the prompt.
        An answer is printed on one line: backslash, newline, carriage return and tab become \\, \n, \r and \t. If an
        item fails, its line is empty, the others go on, and the exit status is 11.

        With --csv, standard input is a table, which is printed with the answers added: in a column 'answer', or with
        --schema in a column for each property. '{column}' stands for the record's value.
    """,
    "qwen-cli filter": """
        Print the lines of standard input for which the answer is yes.

        '{}' in the question stands for the line; without it, the line is the last part of the question. Lines are
        printed as they came. The exit status is 0 if any was printed and 10 if none was; 11 means that some items
        failed, which are not printed.
    """,
    "qwen-cli models": """
        Print the server's models.

        Each line is an id, USD per million tokens in and out, and the context length; '-' is unknown. With words, only
        the ids that contain each of them are printed.
    """,
    "qwen-cli key": "Store, check or delete the API key.",
    "qwen-cli key set": """
        Store the API key in the OS keyring.

        The key is typed at a hidden prompt, or read from standard input if that is not a terminal.
    """,
    "qwen-cli key status": """
        Show which key is used and where it comes from.

        The exit status is 3 if there is none.
    """,
    "qwen-cli key delete": "Delete the stored API key.",
    "qwen-cli sandbox": """
        Serve a local stand-in for the API.

        The command runs with AIMLAPI_BASE_URL and AIMLAPI_API_KEY set for it, and its exit status is returned. Without
        a command, the sandbox prints the two variables and serves until interrupted. There is no model: the answer
        repeats the prompt.
    """,
}
"""Command path -> what it does: a summary, then paragraphs."""


def text_of(path: str) -> str:
    """What the command of that path does."""
    return cleandoc(TEXTS[path])


def summary_of(path: str) -> str:
    """The same in one line."""
    return text_of(path).partition("\n")[0]


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
        "qwen-cli map --csv --schema kind.json 'Classify: {body}' <in.csv >out.csv",
        "qwen-cli map --jsonl 'Who is {name}?' --json <people.jsonl | jq -r .content",
    ),
    "qwen-cli filter": (
        "journalctl -n 500 | qwen-cli filter 'Does this line report a failed login?'",
        "qwen-cli filter --csv 'Is this a complaint? {body}' <mails.csv >complaints.csv",
        "printf '%s\\0' *.md | qwen-cli filter -0 -f {} 'About money?' | xargs -0 ls",
    ),
    "qwen-cli models": (
        "qwen-cli models qwen",
        "qwen-cli models --json | jq -r '.data[].id'",
        "qwen-cli models --base-url http://localhost:8080/v1 --no-key",
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
    **{f"qwen-cli {name}": _VARIABLES for name in SENDING},
}
"""Command path -> what its help ends with."""
