"""Answers on a terminal: their Markdown rendered, nothing lost, nothing obeyed; in a pipe, not a byte changes."""

import re
import struct
import subprocess
import termios
from fcntl import ioctl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_cli.output.markdown import MAX_LENGTH, render
from tests.api_server import ApiServer, events, reply
from tests.bodies import chunks, completion
from tests.program import PROGRAM, Program

COLOUR = re.compile(r"\x1b\[(?:3[0-7]|9[0-7]|4[0-7])m|\x1b\[[\d;]*;(?:3[0-7]|9[0-7])m")
STYLE = re.compile(r"\x1b\[[\d;]*m")


def rendered(text: str, *, width: int = 60) -> list[str]:
    """The lines without their styles."""
    return STYLE.sub("", render(text, width=width, has_colour=True)).split("\n")


CASES: list[tuple[str, str, list[str]]] = [
    ("headings", "# One\ntext\n## Two", ["One", "", "text", "", "Two"]),
    ("emphasis", "**a** _b_ ~~c~~ `d`", ["a b c d"]),
    ("line breaks stay", "red\ngreen  \nblue\\\nend", ["red", "green", "blue", "end"]),
    ("paragraphs", "one\n\n\n\ntwo", ["one", "", "two"]),
    ("a list", "- a\n- b\n  continued\n* c", ["• a", "• b", "  continued", "", "• c"]),
    ("nested lists", "1. a\n   - b\n     1. c\n2. d", ["1. a", "   • b", "     1. c", "2. d"]),
    ("a list from 9", "9. a\n10. b", ["9. a", "10. b"]),
    ("a list with parentheses", "1) a\n2) b", ["1) a", "2) b"]),
    ("a loose list", "- a\n\n- b", ["• a", "", "• b"]),
    ("a quote", "> a\n> > b", ["│ a", "│", "│ │ b"]),
    ("a rule", "a\n\n***\n\nb", ["a", "", "─" * 60, "", "b"]),
    ("code", "```python\ndef f():\n\treturn 1\n\n```", ["def f():", "\treturn 1", ""]),
    ("code without a language", "    a  b\n    c", ["a  b", "c"]),
    ("code in an unknown language", "~~~nosuch\nx < y\n~~~", ["x < y"]),
    ("code that never ends", "```\na", ["a"]),
    ("code in a list", "- a\n  ```\n  b\n  ```", ["• a", "  b"]),
    ("references", "[a][1]\n\n[1]: https://example.org", ["[a][1]", "", "[1]: https://example.org"]),
    ("a link", "[here](https://example.org/a)", ["here (https://example.org/a)"]),
    ("a link that is its text", "<https://example.org> <me@example.org>", ["https://example.org me@example.org"]),
    ("an image", "![a *cat*](cat.png)", ["a *cat* (cat.png)"]),
    (
        "HTML is text",
        "use `<b>` or List<String>\n\n<div>\n\n&lt;p&gt;",
        ["use <b> or List<String>", "", "<div>", "", "<p>"],
    ),
    ("no Markdown", "2 * 3 * 4 = 24, a_b_c [x] {y} $z", ["2 * 3 * 4 = 24, a_b_c [x] {y} $z"]),
    ("bare JSON", '{\n  "a": [\n    1\n  ]\n}', ["{", '  "a": [', "    1", "  ]", "}"]),
    ("nothing", "", [""]),
    (
        "a table",
        "| a | **b** | c |\n|---|--:|:-:|\n| 1 | 2 | 3 |\n| long cell | | x |",
        ["a           b   c", "─────────────────", "1           2   3", "long cell       x"],
    ),
    ("a table in a quote", "> | a | b |\n> |---|---|\n> | 1 | 2 |", ["│ a   b", "│ ─────", "│ 1   2"]),
    (
        "a table with a bar in a cell",
        "| a | b |\n|---|---|\n| `ls | wc` | counts |\n| 1 \\| 2 | 3 |",
        ["| a | b |", "|---|---|", "| `ls | wc` | counts |", "| 1 \\| 2 | 3 |"],
    ),
]


@pytest.mark.parametrize(("text", "lines"), [pytest.param(text, lines, id=name) for name, text, lines in CASES])
def test_each_kind_of_block(text: str, lines: list[str]) -> None:
    assert rendered(text) == lines


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize(
    "words",
    ["words to wrap", "日本語 テキスト", "שלום עולם", "x" * 300 + " end"],
    ids=["Latin", "wide", "right to left", "long"],
)
def test_lines_break_at_words_and_fit_the_width(width: int, words: str) -> None:
    from rich.cells import cell_len

    text = " ".join([words] * 30)
    lines = rendered(text, width=width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split()), "nothing is lost"
    if "x" not in words:
        assert " ".join(lines).split() == text.split(), "no word is broken"
    for line in rendered(f"- {text}\n\n> {text}\n\n| a | b |\n|---|---|\n| {text} | {words} |", width=width):
        assert cell_len(line) <= width
        assert line == line.rstrip()


def test_a_table_with_many_columns_keeps_its_text() -> None:
    """It is wider than the terminal, as code may be."""
    cells = [f"{number:02}" for number in range(30)]
    row = f"|{'|'.join(cells)}|\n"
    assert rendered(f"{row}|{'-|' * len(cells)}\n{row}", width=40)[2].split() == cells


def test_a_long_line_of_code_is_not_broken() -> None:
    line = "x = " + " + ".join(["1"] * 100)
    assert rendered(f"- a\n\n  ```python\n  {line}\n  ```", width=40)[-1] == f"  {line}"


def test_code_and_links_are_coloured_with_the_terminals_own_colours() -> None:
    text = "```python\nreturn 'x'\n```\n\n`a` [b](c)"
    shown = render(text, width=60, has_colour=True)
    assert COLOUR.search(shown)
    assert not re.search(r"\x1b\[[\d;]*[34]8;", shown), "neither 256 colours nor more"
    plain = render("# Title\n\n## Part\n\n" + text, width=60, has_colour=False)
    assert not COLOUR.search(plain)
    assert "\x1b[1;4mTitle" in plain, "the layout is kept"
    assert "\x1b[1mPart" in plain


@given(st.text(st.sampled_from("*_`~#>-|[]()<>&;!\\ \n\tab1.:\x1b\x9b\u202e\r")))
def test_nothing_of_the_models_is_obeyed(text: str) -> None:
    shown = STYLE.sub("", render(text, width=40, has_colour=True))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", shown)


@given(st.text(st.sampled_from("*_#>-[]()<!\\ \nabc")))
def test_no_letter_is_lost(text: str) -> None:
    shown = STYLE.sub("", render(text, width=40, has_colour=True))
    assert [*filter("abc".__contains__, shown)] == [*filter("abc".__contains__, text)]


@pytest.mark.parametrize("entity", ["&#27;[31m", "&#x9b;", "&#x202e;", "&#7;"])
def test_an_entity_is_no_way_around_that(entity: str) -> None:
    assert not re.search("[\x07\x1b\x9b\u202e]", STYLE.sub("", render(entity, width=60, has_colour=True)))


def test_deep_nesting_loses_nothing(qwen: Program, api: ApiServer) -> None:
    nested = "".join(f"{'  ' * depth}- a{depth}\n" for depth in range(30))
    assert [line.split()[1] for line in rendered(nested)] == [f"a{depth}" for depth in range(30)]
    endless = ">" * 5000 + " hello"
    api.answer(reply(completion(endless)))
    assert shown_by(qwen, "ask", "hi") == endless + "\n"


def test_a_very_long_answer_stays_as_it_is() -> None:
    text = "**word** " * (1_000_000 // 9)
    assert len(text) > MAX_LENGTH
    assert render(text + "\x1b", width=80, has_colour=True) == text + "\\x1b"


# The program

ANSWER = "# Title\n\nSome **bold** text.\n"


def shown_by(qwen: Program, *arguments: str, **options: object) -> str:
    result = qwen(*arguments, terminal=["stdout"], **options)  # type: ignore[arg-type]
    return result.terminal.decode().replace("\r\n", "\n")


@pytest.mark.parametrize(
    ("arguments", "env", "is_rendered"),
    [
        (["ask"], {}, True),
        (["ask"], {"TERM": "dumb"}, False),
        (["ask"], {"QWEN_CLI_PRETTY": "0"}, False),
        (["ask", "--no-pretty"], {}, False),
        (["ask", "--pretty"], {"TERM": "dumb"}, True),
        (["ask", "-r"], {}, False),
        (["stream"], {}, False),
        (["map"], {}, False),
    ],
)
def test_ask_renders_on_a_terminal_and_nothing_else_does(
    qwen: Program, api: ApiServer, arguments: list[str], env: dict[str, str], is_rendered: bool
) -> None:
    whole = completion(ANSWER, reasoning=ANSWER)
    api.answer(events(chunks(ANSWER)) if arguments[0] == "stream" else reply(whole))
    words = [] if arguments[0] == "map" else ["hi"]
    text = shown_by(qwen, *arguments, *words, env=env, input="hi\n" if not words else None)
    if is_rendered:
        assert text == "\x1b[1;4mTitle\x1b[0m\n\nSome \x1b[1mbold\x1b[0m text.\n"
    else:
        assert "**bold**" in text


def test_no_color_keeps_the_layout(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("`x`\n\n- a\n\n```python\n1\n```")))
    assert shown_by(qwen, "ask", "hi", env={"NO_COLOR": "1"}) == "x\n\n• a\n\n1\n"


def test_a_pipe_and_a_file_get_the_bytes_as_they_are(qwen: Program, api: ApiServer) -> None:
    api.always(reply(completion(ANSWER)))
    assert qwen("ask", "hi").text == ANSWER
    assert qwen("ask", "-o", "answer", "hi", terminal=["stdout"]).terminal == b""
    assert qwen.files()["answer"].decode() == ANSWER


def test_a_pipe_can_be_rendered_for_a_pager(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion(ANSWER)))
    assert qwen.call("ask", "--pretty", "hi").text == "\x1b[1;4mTitle\x1b[0m\n\nSome \x1b[1mbold\x1b[0m text.\n"


@pytest.mark.parametrize("arguments", [["-x"], ["--schema", "{}"], ["--choice", "a", "--choice", "*a*"]])
def test_what_is_selected_from_an_answer_is_not_rendered(qwen: Program, api: ApiServer, arguments: list[str]) -> None:
    content = {"-x": "```\n*a*\n```", "--schema": '"*a*"', "--choice": "*a*"}[arguments[0]]
    api.answer(reply(completion(content)))
    assert "*a*" in shown_by(qwen, "ask", "-q", *arguments, "hi")


def test_an_incomplete_answer_is_rendered_too(qwen: Program, api: ApiServer) -> None:
    api.answer(reply(completion("# Half", finish_reason="length")))
    result = qwen.call("ask", "hi", terminal=["stdout"])
    assert (result.status, result.terminal) == (8, b"\x1b[1;4mHalf\x1b[0m\r\n")


def test_it_is_wrapped_to_the_width_of_the_terminal(qwen: Program, api: ApiServer) -> None:
    import os
    import pty

    api.answer(reply(completion("word " * 40)))
    master, slave = pty.openpty()
    ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 33, 0, 0))
    done = subprocess.run(
        [*PROGRAM, "ask", "-n", "hi"], stdout=slave, stderr=subprocess.PIPE, env=qwen.environment(None, {}), check=True
    )
    os.close(slave)
    assert done.stderr == b""
    lines = os.read(master, 4096).decode().split("\r\n")
    os.close(master)
    assert [len(line) for line in lines[:-2]] == [29] * (len(lines) - 2)


def test_rendering_is_prepared_while_the_answer_is_awaited(qwen: Program, api: ApiServer) -> None:
    """What is imported for it is not imported where nothing is rendered."""
    api.always((0.5, *reply(completion(ANSWER))))
    for options, is_imported in ((["--pretty"], True), (["--no-pretty"], False)):
        result = qwen("ask", *options, "hi", env={"PYTHONPROFILEIMPORTTIME": "1"}, secret="none")
        assert ("rich.markdown" in result.stderr or "qwen_cli.output.markdown" in result.stderr) == is_imported
        assert ("pygments" in result.stderr) == is_imported
