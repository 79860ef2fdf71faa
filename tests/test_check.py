"""`check` answers yes or no with its exit status, for shells and for make."""

import pytest

from tests.api_server import ApiServer, reply
from tests.bodies import completion
from tests.program import Program, require_tool


@pytest.mark.parametrize("shell", ["dash", "bash"])
@pytest.mark.parametrize(("word", "said"), [("yes", "yes"), ("no", "no"), ("perhaps", "trouble 9")])
def test_check_answers_a_shell(qwen: Program, api: ApiServer, shell: str, word: str, said: str) -> None:
    api.answer(reply(completion(word)))
    script = 'set -e; if "$@"; then echo yes; else s=$?; [ $s = 10 ] && echo no || echo "trouble $s"; fi'
    result = qwen("check", "hi", script=f"exec {require_tool(shell)} -c '{script}' sh \"$@\"")
    assert result.text == f"{said}\n"
    assert bool(result.stderr) == (word == "perhaps")


@pytest.mark.parametrize("variable", ["QWEN_CLI_DRY_RUN", "QWEN_CLI_CURL"])
def test_check_never_takes_a_preview_for_yes(qwen: Program, variable: str) -> None:
    result = qwen.call("check", "Is it?", env={variable: "1"})
    assert (result.status, result.text) == (2, "")
    assert variable in result.message
    shown = qwen.call("check", "--dry-run", "Is it?", env={variable: "0"})
    assert (shown.status, shown.text[:1]) == (0, "{")


@pytest.mark.parametrize(("word", "status", "made"), [("yes", 0, True), ("no", 2, False)])
def test_a_recipe_of_make_goes_on_after_yes_alone(
    qwen: Program, api: ApiServer, word: str, status: int, made: bool
) -> None:
    require_tool("make")
    qwen.file("Makefile", "target:\n\tqwen-cli check -n hi\n\ttouch target\n")
    api.answer(reply(completion(word)))
    result = qwen("ignored", script="exec make target")
    assert (result.status, "target" in qwen.files()) == (status, made)


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_check_ends_a_while_loop_an_and_list_and_a_careful_script(qwen: Program, api: ApiServer, shell: str) -> None:
    api.answer(*(reply(completion(word)) for word in ("yes", "yes", "no", "yes", "no")))
    script = 'set -e; while "$@"; do echo more; done; "$@" && echo and; "$@"; echo never'
    result = qwen("check", "hi", script=f"exec {require_tool(shell)} -c '{script}' sh \"$@\"")
    assert (result.status, result.text, result.stderr) == (10, "more\nmore\nand\n", "")
