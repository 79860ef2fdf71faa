"""What Tab offers, in the real shells. What ought to be offered is read off Click, not off the generator."""

from collections.abc import Iterator

import click
import pytest

from qwen_cli.cli import option_types as types
from qwen_cli.cli.commands import COMMANDS
from qwen_cli.cli.options import EXCLUSIVE
from qwen_cli.request.field_limits import REASONING_EFFORTS, RESPONSE_FORMATS, TOOL_CHOICES
from qwen_cli.sandbox.faults import FAULTS
from tests.declared import ALL_PATHS, PATHS, flags, options
from tests.shells import SHELLS, Shell, TerminalShell

FREE = (types.Text, types.ModelId, types.Number, types.Seconds, types.RequestId, types.BaseUrl, types.Field)
"""Types whose values nobody can foresee."""

IMAGES = {"photo.JPG", "picture.png", "anim.gif", "drawing.jpeg", "small.webp"}
OTHERS = {"notes.json", "other notes.json", "readme.txt"}
FOLDERS = {"folder", "a folder"}


@pytest.fixture(scope="module", params=SHELLS)
def shell(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """Each of the shells; the test fails when pressing Tab has run Python or the program."""
    running = SHELLS[request.param](tmp_path_factory.mktemp("shell"))
    for name in IMAGES | OTHERS:
        (running.work / name).touch()
    for name in FOLDERS:
        (running.work / name).mkdir()
    yield running
    running.close()


@pytest.fixture(autouse=True)
def no_python(shell: Shell) -> Iterator[None]:
    """No test may leave a trace, unless it takes it away."""
    yield
    shell.check_trace()


def a_value(option: click.Option) -> str:
    """The option as one would write it: `--seed 1`."""
    return f"{option.opts[0]} 1" if not option.is_flag else option.opts[0]


def rivals(option: click.Option, path: tuple[str, ...]) -> frozenset[str]:
    """The names of the command's other options that this one rules out."""
    ruled_out = {name for group in EXCLUSIVE if option.name in group for name in group} - {option.name}
    return frozenset(other.name for other in options(*path) if other.name in ruled_out)


def unlike_before(path: tuple[str, ...]) -> list[click.Option]:
    """The options that no earlier command has, or has with other rivals; where there are none, one like before."""
    before = {
        (option.name, rivals(option, earlier)) for earlier in PATHS[: PATHS.index(path)] for option in options(*earlier)
    }
    listed = [option for option in options(*path) if "--help" not in option.opts]
    new = [option for option in listed if (option.name, rivals(option, path)) not in before]
    return new or [option for option in listed if not option.multiple][:1]


def test_commands_are_offered(shell: Shell) -> None:
    assert shell.offered("qwen-cli") == {*COMMANDS, "help"}
    assert shell.offered("qwen-cli", "s") == {"stream", "sandbox"}
    assert shell.offered("qwen-cli key") == set(COMMANDS["key"])


def test_help_takes_the_path_of_a_command(shell: Shell) -> None:
    assert shell.offered("qwen-cli help") == set(COMMANDS)
    assert shell.offered("qwen-cli help key") == set(COMMANDS["key"])
    assert shell.offered("qwen-cli help ask", "-") == set()


def test_nothing_is_offered_after_an_unknown_command(shell: Shell) -> None:
    assert shell.offered("qwen-cli nonsense") == set()
    assert shell.offered("qwen-cli key nonsense") == set()


@pytest.mark.parametrize("path", ALL_PATHS, ids=lambda path: " ".join(path) or "alone")
def test_every_option_is_offered(shell: Shell, path: tuple[str, ...]) -> None:
    """All of them, and no others."""
    expected = {flag for option in options(*path) for flag in flags(option)}
    assert shell.offered(" ".join(["qwen-cli", *path]), "-") == expected


def test_the_beginning_of_an_option_narrows_the_choice(shell: Shell) -> None:
    expected = {flag for option in options("ask") for flag in flags(option) if flag.startswith("--pre")}
    assert len(expected) > 1
    assert shell.offered("qwen-cli ask 'some words'", "--pre") == expected


@pytest.mark.parametrize("shell", ["zsh", "fish"], indirect=True)
@pytest.mark.parametrize("path", ALL_PATHS, ids=lambda path: " ".join(path) or "alone")
def test_options_are_explained(shell: Shell, path: tuple[str, ...]) -> None:
    """In zsh and fish; bash has no place for it."""
    shown = shell.descriptions(" ".join(["qwen-cli", *path]), "--")
    for option in options(*path):
        explanation = (option.help or "").partition(" [")[0].rstrip(".")
        for flag in option.opts:
            if flag.startswith("--"):
                assert any(flag in line and explanation in line for line in shown.splitlines()), (flag, shown)


@pytest.mark.parametrize("shell", ["zsh", "fish"], indirect=True)
def test_commands_are_explained(shell: Shell) -> None:
    shown = shell.descriptions("qwen-cli", "")
    for entry in COMMANDS.values():
        if callable(entry):
            assert (entry.__doc__ or "").partition("\n")[0].rstrip(".") in shown


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_an_option_that_was_given_is_not_offered_again(shell: Shell, path: tuple[str, ...]) -> None:
    """Neither is any that it rules out; one that may be repeated is."""
    for option in unlike_before(path):
        gone = rivals(option, path) if option.multiple else {*rivals(option, path), option.name}
        expected = {flag for other in options(*path) for flag in flags(other) if other.name not in gone}
        assert shell.offered(f"qwen-cli {' '.join(path)} {a_value(option)}", "--") == {
            flag for flag in expected if flag.startswith("--")
        }


def test_an_option_counts_as_given_in_any_spelling(shell: Shell) -> None:
    for given in ("--seed=1", "--seed 1", "-q --seed 1 'hi'", "-t 1 --seed=1 --"[:-3]):
        assert "--seed" not in shell.offered(f"qwen-cli ask {given}", "--")
    assert "--temperature" not in shell.offered("qwen-cli ask -qt1", "--")
    assert "--temperature" not in shell.offered("qwen-cli ask -qt 1", "--")


def test_a_value_is_no_option(shell: Shell) -> None:
    """What follows a flag that takes a value is the value, whatever it looks like."""
    assert "--seed" in shell.offered("qwen-cli ask -s --other", "--")


def test_fixed_values_are_offered(shell: Shell) -> None:
    """With a space and with an equals sign."""
    for path in (("ask",), ("cost",)):
        chosen = [option for option in options(*path) if isinstance(option.type, types.Choice)]
        assert chosen
        for option in chosen:
            assert isinstance(option.type, types.Choice)
            head, flag = f"qwen-cli {path[0]} 'words'", option.opts[-1]
            assert shell.offered(f"{head} {flag}") == set(option.type.choices)
            assert shell.offered(head, f"{flag}=") == set(option.type.choices)


def test_a_value_that_is_begun_is_finished(shell: Shell) -> None:
    assert shell.offered("qwen-cli ask --reasoning-effort", "m") == {"medium"}
    assert shell.offered("qwen-cli ask", "--reasoning-effort=l") == {"low"}
    assert shell.offered("qwen-cli ask --reasoning-effort", "z") == set()
    assert "low" in REASONING_EFFORTS


def test_json_is_a_word_or_an_at_sign(shell: Shell) -> None:
    assert shell.offered("qwen-cli ask --response-format") == {*RESPONSE_FORMATS, "@"}
    assert shell.offered("qwen-cli ask", "--tool-choice=") == {*TOOL_CHOICES, "@"}
    assert shell.offered("qwen-cli ask --tools") == {"@"}


@pytest.mark.parametrize("flag", ["--messages", "--tools", "--tool-choice", "--response-format", "--logit-bias"])
def test_files_are_offered_behind_an_at_sign(shell: Shell, flag: str) -> None:
    everything = {f"@{name}" for name in IMAGES | OTHERS | FOLDERS}
    assert shell.offered(f"qwen-cli ask {flag}", "@") == everything
    assert shell.offered("qwen-cli ask", f"{flag}=@") == everything
    assert shell.offered(f"qwen-cli ask {flag}", "@no") == {"@notes.json"}
    assert shell.offered(f"qwen-cli ask {flag}", "@~") == set()


def test_a_name_with_spaces_is_offered_behind_an_at_sign(shell: Shell) -> None:
    for written in ("@oth", '"@oth', "'@other n", r"@other\ n", '--tools="@oth'):
        head = "qwen-cli ask" if written.startswith("--") else "qwen-cli ask --tools"
        assert {name.removeprefix("--tools=") for name in shell.offered(head, written)} == {"@other notes.json"}


def test_nothing_is_offered_where_anything_may_be_written(shell: Shell) -> None:
    for path in (("ask",), ("map",), ("key", "set")):
        free = [option for option in unlike_before(path) if type(option.type) in FREE]
        assert free
        for option in free:
            head, flag = f"qwen-cli {' '.join(path)}", option.opts[-1]
            assert shell.offered(f"{head} {flag}") == set()
            assert shell.offered(f"{head} {flag}", "no") == set()
            if flag.startswith("--"):
                assert shell.offered(head, f"{flag}=") == set()


def test_files_are_offered_where_a_file_is_meant(shell: Shell) -> None:
    files = [o for o in options("ask") if isinstance(o.type, types.Path) and o.type.kind == "any"]
    assert {"--file", "--output"} < {option.opts[-1] for option in files}
    for option in files:
        for flag in option.opts:
            assert shell.offered(f"qwen-cli ask {flag}") == IMAGES | OTHERS | FOLDERS
        assert shell.offered("qwen-cli ask", f"{option.opts[-1]}=re") == {"readme.txt"}
    assert shell.offered("qwen-cli ask -qf", "re") == {"readme.txt"}


def test_folders_alone_are_offered_for_the_cache(shell: Shell) -> None:
    assert shell.offered("qwen-cli ask --cache") == FOLDERS
    assert shell.offered("qwen-cli ask", "--cache=a") == {"a folder"}
    assert shell.offered("qwen-cli ask --cache", "re") == set()


def test_a_file_with_spaces_is_offered(shell: Shell) -> None:
    for written in ("oth", '"oth', "'other n", r"other\ n"):
        assert shell.offered("qwen-cli ask -f", written) == {"other notes.json"}
    for written in ("a", '"a fo', r"a\ f"):
        assert "a folder" in shell.offered("qwen-cli ask -i", written)


def test_every_file_is_offered_for_an_image(shell: Shell) -> None:
    """It is known by its content, whatever its name is."""
    assert shell.offered("qwen-cli ask -i") == IMAGES | OTHERS | FOLDERS
    assert shell.offered("qwen-cli ask", "--image=p") == {"photo.JPG", "picture.png"}
    assert shell.offered("qwen-cli ask -i", "readme") == {"readme.txt"}


def test_names_of_images_come_first_for_an_image(shell: Shell) -> None:
    offered = shell.in_order("qwen-cli ask -i")
    assert set(offered[: len(IMAGES)]) == IMAGES
    assert len(offered) == len(IMAGES | OTHERS | FOLDERS)


def test_usual_periods_are_offered(shell: Shell) -> None:
    assert shell.offered("qwen-cli cost --period") == {"24h", "7d", "30d"}
    assert shell.offered("qwen-cli cost", "--period=7") == {"7d"}


def test_json_files_are_offered_for_a_schema(shell: Shell) -> None:
    """Others only where there are none."""
    assert shell.offered("qwen-cli ask --schema") == {"notes.json", "other notes.json"} | FOLDERS
    assert shell.offered("qwen-cli ask", "--schema=read") == {"readme.txt"}


def test_a_prompt_is_prose(shell: Shell) -> None:
    for command in ("ask", "stream", "json", "cost", "check", "map"):
        assert shell.offered(f"qwen-cli {command}", "re") == set()
        assert shell.offered(f"qwen-cli {command} key", "s") == set()
        assert shell.offered(f"qwen-cli {command} -f readme.txt 'some words'", "no") == set()


def test_operands_of_saved_costs_are_files(shell: Shell) -> None:
    assert shell.offered("qwen-cli cost --saved") == IMAGES | OTHERS | FOLDERS
    assert shell.offered("qwen-cli cost --saved readme.txt", "no") == {"notes.json"}
    assert shell.offered("qwen-cli cost --saved -- readme.txt", "no") == {"notes.json"}


def test_no_option_is_offered_after_two_dashes(shell: Shell) -> None:
    assert shell.offered("qwen-cli ask --", "-") == set()
    assert shell.offered("qwen-cli ask -q -- words", "--s") == set()


def test_a_redirection_takes_a_file(shell: Shell) -> None:
    assert shell.offered("qwen-cli ask hi >", "re") == {"readme.txt"}
    assert shell.offered("qwen-cli ask hi 2>", "re") == {"readme.txt"}
    assert shell.offered("qwen-cli cost --saved notes.json 2>", "re") == {"readme.txt"}


def test_faults_are_offered_again_and_again(shell: Shell) -> None:
    assert shell.offered("qwen-cli sandbox --fault") == set(FAULTS)
    assert shell.offered("qwen-cli sandbox --fault 429", "--fault=") == set(FAULTS)


def test_the_sandbox_completes_the_other_command(shell: Shell) -> None:
    for before in ("--", "", "--fault 429 --", "--fault=500*2"):
        head = f"qwen-cli sandbox {before}".rstrip()
        assert shell.offered(head, "wor") >= {"wordy"}
        assert shell.offered(f"{head} wordy") >= {"alpha", "beta"}
        assert shell.offered(f"{head} wordy", "be") == {"beta"}
        assert shell.offered(f"{head} cat", "re") == {"readme.txt"}


def test_the_sandbox_completes_itself_within_itself(shell: Shell) -> None:
    (show,) = (
        set(option.type.choices)
        for option in options("ask")
        if isinstance(option.type, types.Choice) and "--show" in option.opts
    )
    assert shell.offered("qwen-cli sandbox -- qwen-cli ask --show") == show
    assert shell.offered("qwen-cli sandbox -- qwen-cli ask", "--show=") == show
    assert shell.offered("qwen-cli sandbox -- qwen-cli ask --tools", "@no") == {"@notes.json"}
    assert shell.offered("qwen-cli sandbox -- qwen-cli ask", "--tools=@no") == {"@notes.json"}
    assert shell.offered("qwen-cli sandbox --fault 429 -- qwen-cli sandbox -- qwen-cli key") == set(COMMANDS["key"])
    assert shell.offered("qwen-cli sandbox -- qwen-cli ask", "--sh") == {"--show"}


def test_the_command_may_stand_behind_others(shell: Shell) -> None:
    assert shell.offered("true && qwen-cli key") == set(COMMANDS["key"])
    assert shell.offered("echo 'a ü' | qwen-cli ask 'ü: a=b'", "--reasoning-effort=m") == {"medium"}


@pytest.mark.parametrize("shell", ["bash", "bash with its package", "zsh"], indirect=True)
def test_tab_goes_on_where_there_is_more_to_write(shell: Shell) -> None:
    """A space follows what is finished, and nothing what is not. Fish is asked for its choices, not typed at."""
    assert isinstance(shell, TerminalShell)
    assert shell.press("qwen-cli as", b"\t") == "qwen-cli ask "
    assert shell.press("qwen-cli ask --reasoning-effort m", b"\t") == "qwen-cli ask --reasoning-effort medium "
    assert shell.press("qwen-cli ask -f rea", b"\t") == "qwen-cli ask -f readme.txt "
    assert shell.press("qwen-cli ask -i fol", b"\t") == "qwen-cli ask -i folder/"
    assert shell.press("qwen-cli ask --tools ", b"\t") == "qwen-cli ask --tools @"
    assert shell.press("qwen-cli ask --tools @no", b"\t") == "qwen-cli ask --tools @notes.json "
    assert shell.press("qwen-cli ask --tools @fol", b"\t") == "qwen-cli ask --tools @folder/"
    assert shell.press("qwen-cli ask --response-format j", b"\t") == "qwen-cli ask --response-format json_object "
    assert shell.press("qwen-cli ask --seed 1 ", b"\t") == "qwen-cli ask --seed 1 "
