"""Ask each shell's completion what `qwen-cli ask --temp` can become, without a terminal."""

from pathlib import Path

EXPECTED = "--temperature"

BASH = """\
source "$1"
COMP_WORDS=(qwen-cli ask --temp) COMP_CWORD=2 COMP_LINE="${COMP_WORDS[*]}" COMP_POINT=${#COMP_LINE}
read -ra words < <(complete -p qwen-cli)
for ((i = 0; i < ${#words[@]}; i++)); do
    [[ ${words[i]} == -F ]] && "${words[i + 1]}" qwen-cli --temp ask
done
printf '%s\\n' "${COMPREPLY[@]}"
"""

FISH = """\
source $argv[1]
complete --do-complete "qwen-cli ask --temp"
"""

# zsh completes only where it edits a line, so a second one edits the line in a pseudo-terminal: Tab completes it, and
# Ctrl-T, which is bound to that here, prints what it has become past the terminal.
ZSH = """\
zmodload zsh/zpty
exec 3>&1
zpty shell zsh -f -i
zpty -w shell "PS1=; fpath=(${1:h} \\$fpath); autoload -Uz compinit; compinit -u -d $2
ended() { print -r -u3 -- \\$BUFFER; exit }; zle -N ended
bindkey '^I' complete-word '^T' ended; stty -echo; print REA''DY"
zpty -r shell out '*READY*'
zpty -w -n shell $'qwen-cli ask --temp\\t\\x14'
while zpty -r shell out; do :; done
while zpty -t shell; do :; done
"""

TRIPWIRE = """\
#!/bin/sh
echo "${0##*/} $*" >>"${0%/*}/tripped"
exit 1
"""


def completion_argv(shell: str, path: str, completions: Path, dump: Path) -> list[str]:
    """How to run the completion in that shell (found at that path); the dump is where zsh keeps what it has found."""
    match shell:
        case "bash":
            return [path, "--norc", "--noprofile", "-c", BASH, shell, str(completions / "qwen-cli.bash")]
        case "fish":
            return [path, "--no-config", "-c", FISH, str(completions / "qwen-cli.fish")]
        case "zsh":
            return [path, "-f", "-c", ZSH, shell, str(completions / "_qwen-cli"), str(dump)]
    raise ValueError(shell)


def set_tripwires(folder: Path) -> Path:
    """Make a folder for the front of PATH, in which a Python or a `qwen-cli` that is started leaves a trace."""
    folder.mkdir(exist_ok=True)
    for name in ("python", "python3", "qwen-cli"):
        (folder / name).write_text(TRIPWIRE)
        (folder / name).chmod(0o755)
    return folder


def completion_fault(output: bytes, tripwires: Path) -> str | None:
    """What is wrong with the answer, None when it is the option and only the shell was at work."""
    tripped = tripwires / "tripped"
    if tripped.exists():
        started = tripped.read_text().strip()
        tripped.unlink()
        return f"it started {started}"
    text = output.decode()
    # Some shells complete up to the value, equals sign included.
    words = {word.rstrip("=") for word in text.split()}
    return None if EXPECTED in words else f"completed to {text.strip()!r}, not to {EXPECTED}"
