# Completion of qwen-cli for bash, with the bash-completion package or without it.
# Generated from the options by scripts/generate.py; no Python runs when Tab is pressed.

# COMMAND -> the caller's `operands`, `subcommands` and `options`; an option is a line of
#     VALUE FLAG... ! FLAG...
# where VALUE is - (takes none), text, file, before:SUFFIXES (any file, these first), rather:SUFFIXES
# (others only where there are none of these), words:WORDS or at:WORDS (JSON or @FILE), and behind the ! stand the flags
# after which the option is not offered.
_qwen_cli_command() {
    options=
    case $1 in
        '') operands='none' subcommands='ask stream json cost check map filter models key sandbox help' ;;
        'ask') operands='prose' subcommands='' ;;
        'stream') operands='prose' subcommands='' ;;
        'json') operands='prose' subcommands='' ;;
        'cost') operands='files' subcommands='' ;;
        'check') operands='prose' subcommands='' ;;
        'map') operands='prose' subcommands='' ;;
        'filter') operands='prose' subcommands='' ;;
        'models') operands='prose' subcommands='' ;;
        'key') operands='none' subcommands='set status delete' ;;
        'key set') operands='none' subcommands='' ;;
        'key status') operands='none' subcommands='' ;;
        'key delete') operands='none' subcommands='' ;;
        'sandbox') operands='command' subcommands='' ;;
        'help') operands='none' subcommands='ask stream json cost check map filter models key sandbox' ;;
        'help ask') operands='none' subcommands='' ;;
        'help stream') operands='none' subcommands='' ;;
        'help json') operands='none' subcommands='' ;;
        'help cost') operands='none' subcommands='' ;;
        'help check') operands='none' subcommands='' ;;
        'help map') operands='none' subcommands='' ;;
        'help filter') operands='none' subcommands='' ;;
        'help models') operands='none' subcommands='' ;;
        'help key') operands='none' subcommands='set status delete' ;;
        'help key set') operands='none' subcommands='' ;;
        'help key status') operands='none' subcommands='' ;;
        'help key delete') operands='none' subcommands='' ;;
        'help sandbox') operands='none' subcommands='' ;;
    esac
    case $1 in
        '') options+='
- -V --version ! -V --version
' ;;
    esac
    case $1 in
        '' | 'ask' | 'stream' | 'json' | 'cost' | 'check' | 'map' | 'filter' | 'models' | 'key' | 'key set' | 'key status' | 'key delete' | 'sandbox') options+='
- -h --help ! -h --help
' ;;
    esac
    case $1 in
        'ask' | 'stream' | 'json' | 'cost' | 'check' | 'map' | 'filter') options+='
file -f --file !
file --prompt-file ! --prompt-file
text -s --system ! -s --system --system-file
file --system-file ! --system-file -s --system
before:jpeg|jpg|png|gif|webp -i --image !
words:low,high,auto --image-detail ! --image-detail
text -m --model ! -m --model
text --max-tokens ! --max-tokens
text -t --temperature ! -t --temperature
text --top-p ! --top-p
text --stop !
text --seed ! --seed
text --frequency-penalty ! --frequency-penalty
text --presence-penalty ! --presence-penalty
at: --logit-bias !
- --logprobs --no-logprobs ! --logprobs --no-logprobs
text --top-logprobs ! --top-logprobs
words:low,medium,high --reasoning-effort ! --reasoning-effort
at: --tools ! --tools
at:none,auto,required --tool-choice ! --tool-choice
- --parallel-tool-calls --no-parallel-tool-calls ! --parallel-tool-calls --no-parallel-tool-calls
text --prediction ! --prediction --prediction-file
file --prediction-file ! --prediction-file --prediction
- --include-usage --no-include-usage ! --include-usage --no-include-usage
text -F --field !
- --dry-run ! --dry-run --curl
- --curl ! --curl --dry-run
' ;;
    esac
    case $1 in
        'ask' | 'stream' | 'json' | 'cost' | 'check') options+='
- -n --no-stdin ! -n --no-stdin
' ;;
    esac
    case $1 in
        'ask' | 'stream') options+='
at: --messages ! --messages --chat
rather:json --chat ! --chat --messages
' ;;
    esac
    case $1 in
        'ask' | 'stream' | 'json' | 'cost' | 'map') options+='
at:text,json_object --response-format ! --response-format --schema --choice
rather:json --schema ! --schema --response-format --choice
' ;;
    esac
    case $1 in
        'ask' | 'stream' | 'map') options+='
text --choice ! --response-format --schema -x --code
words:content,reasoning,both,calls --show ! --show -r
- -r ! -r --show
- -x --code ! -x --code --choice
- --no-newline ! --no-newline
' ;;
    esac
    case $1 in
        'ask' | 'json') options+='
- --pretty --no-pretty ! --pretty --no-pretty
' ;;
    esac
    case $1 in
        'ask' | 'cost' | 'check' | 'map' | 'filter') options+='
text --reask ! --reask
' ;;
    esac
    case $1 in
        'ask' | 'stream' | 'json' | 'map') options+='
- --allow-incomplete ! --allow-incomplete
' ;;
    esac
    case $1 in
        'ask' | 'stream' | 'json' | 'check' | 'map' | 'filter') options+='
- -u --usage ! -u --usage
' ;;
    esac
    case $1 in
        'ask' | 'stream' | 'json' | 'cost' | 'map' | 'models') options+='
file -o --output ! -o --output
' ;;
    esac
    case $1 in
        'ask' | 'stream' | 'check') options+='
file --save ! --save
' ;;
    esac
    case $1 in
        'ask' | 'stream' | 'json' | 'cost' | 'check' | 'map' | 'filter' | 'models') options+='
- -v --verbose ! -v --verbose
- -q --quiet ! -q --quiet
text --timeout ! --timeout
text --connect-timeout ! --connect-timeout
text --retries ! --retries
text --request-id ! --request-id
- --no-key ! --no-key
' ;;
    esac
    case $1 in
        'ask' | 'stream' | 'json' | 'cost' | 'check' | 'map' | 'filter' | 'models' | 'key set' | 'key status' | 'key delete') options+='
text --base-url ! --base-url
' ;;
    esac
    case $1 in
        'ask' | 'check' | 'map' | 'filter') options+='
folder --cache ! --cache
- --cache-only ! --cache-only
' ;;
    esac
    case $1 in
        'json' | 'cost' | 'check' | 'map' | 'filter') options+='
at: --messages ! --messages
' ;;
    esac
    case $1 in
        'json' | 'cost') options+='
text --choice ! --response-format --schema
' ;;
    esac
    case $1 in
        'json') options+='
- --stream ! --stream --cache --cache-only
folder --cache ! --cache --stream
- --cache-only ! --cache-only --stream
' ;;
    esac
    case $1 in
        'cost') options+='
- --saved ! --saved --period --balance --estimate
words:24h,7d,30d --period ! --period --saved --balance --estimate
- --balance ! --balance --saved --period --estimate
- --estimate ! --estimate --saved --period --balance
' ;;
    esac
    case $1 in
        'cost' | 'models') options+='
- --json ! --json
' ;;
    esac
    case $1 in
        'map' | 'filter') options+='
text -P --parallel ! -P --parallel
- -0 --null ! -0 --null --csv
- --jsonl ! --jsonl --csv
- --csv ! --csv -0 --null --jsonl
- --fail-fast ! --fail-fast
text --max-usd ! --max-usd
' ;;
    esac
    case $1 in
        'map') options+='
- --json ! --json
' ;;
    esac
    case $1 in
        'filter') options+='
- --not ! --not
' ;;
    esac
    case $1 in
        'sandbox') options+='
words:429,500,503,slow,cut,garbage,length,invalid,fenced,think,noformat --fault !
text --rate ! --rate
' ;;
    esac
}

# Offer what the table calls VALUE, for what is written of it; `current` is the whole word before the cursor.
_qwen_cli_value() { # VALUE WRITTEN
    local suffixes=${1#*:} matches=() others=() match IFS=$'\n'
    case $1 in
        file) compopt -o default ;;
        folder) compopt -o dirnames ;;
        words:*) mapfile -t COMPREPLY < <(compgen -W "${suffixes//,/$IFS}" -- "$2") ;;
        at:*)
            compopt -o nospace
            if [[ $2 == @* ]]; then
                # Readline takes the @ for a part of the name, and so neither sees the folders nor quotes well; and no
                # shell would expand a ~ behind it.
                mapfile -t matches < <(compgen -f -- "${2#@}")
                for match in "${matches[@]}"; do
                    match=${match/#\~\//$HOME/}
                    [[ -d $match ]] && match+=/
                    if [[ $current == *[\"\']* ]]; then
                        compopt -o filenames
                    else
                        printf -v match %q "$match"
                    fi
                    COMPREPLY+=("@$match")
                done
                [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} != */ ]] && compopt +o nospace
            else
                mapfile -t COMPREPLY < <(compgen -W "${suffixes//,/$IFS}$IFS@" -- "$2")
                [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} != @ ]] && compopt +o nospace
            fi
            ;;
        before:* | rather:*)
            compopt -o filenames
            compopt -o nosort 2>/dev/null # Bash before 4.4 sorts
            mapfile -t matches < <(compgen -f -- "$2")
            for match in "${matches[@]}"; do
                if [[ ! -d ${match/#\~\//$HOME/} && ${match,,} =~ \.($suffixes)$ ]]; then
                    COMPREPLY+=("$match")
                else
                    others+=("$match")
                fi
            done
            if [[ $1 == before:* || ${#COMPREPLY[@]} -eq 0 ]]; then
                COMPREPLY+=("${others[@]}")
            else
                mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -d -- "$2")
            fi
            ;;
    esac
}

# Complete the other command line, which starts at word N of this one, OFFSET characters in.
_qwen_cli_other_command() { # N OFFSET WRITTEN
    local helper
    for helper in _comp_command_offset _command_offset; do
        if declare -F "$helper" >/dev/null; then
            "$helper" "$1"
            return
        fi
    done
    if ((COMP_CWORD == $1)); then
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -c -d -- "$3")
        return
    fi
    local spec
    COMP_LINE=${COMP_LINE:$2}
    ((COMP_POINT -= $2, COMP_CWORD -= $1))
    COMP_WORDS=("${COMP_WORDS[@]:$1}")
    if ! spec=$(complete -p -- "${COMP_WORDS[0]##*/}" 2>/dev/null); then
        compopt -o default
    elif [[ $spec =~ ' -F '([^ ]+) ]]; then
        "${BASH_REMATCH[1]}" "${COMP_WORDS[0]}" "$3" "${COMP_WORDS[COMP_CWORD - 1]}"
        while [[ $spec =~ ' -o '([^ ]+)(.*) ]]; do
            compopt -o "${BASH_REMATCH[1]}"
            spec=${BASH_REMATCH[2]}
        done
    else
        spec=${spec#complete }
        mapfile -t COMPREPLY < <(eval "compgen ${spec% *} -- \"\$3\"")
    fi
}

_qwen_cli() {
    local IFS=$' \t\n' i word
    COMPREPLY=()

    # Readline also splits at = : @ and the like: a word is what white space surrounds.
    local rest=${COMP_LINE:0:COMP_POINT} words=() starts=() offsets=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        if ((i == 0)) || [[ $rest == [[:space:]]* ]]; then
            rest=${rest#"${rest%%[![:space:]]*}"}
            words+=('')
            starts+=("$i")
            offsets+=("$((COMP_POINT - ${#rest}))")
        fi
        word=${COMP_WORDS[i]}
        ((i == COMP_CWORD)) && word=$rest
        words[-1]+=$word
        rest=${rest#"$word"}
    done
    local current=${words[-1]}

    # What readline will replace. _command_offset hands over the last of COMP_WORDS instead, which can have a = too
    # many, an @ too few, and its quote.
    local written=${2#=}
    written=${written#[\"\']}
    [[ $current =~ ^(--[^=]*=)?[\"\']?@ ]] && written=@${written#@}

    # What stands before the cursor: the command, the flags given, a flag that awaits its value, operands.
    local path='' operands subcommands options awaiting='' given=' ' ended='' count=0 redirected=''
    local -A value_of=()
    _qwen_cli_load
    for ((i = 1; i < ${#words[@]} - 1; i++)); do
        word=${words[i]}
        if [[ $redirected ]]; then
            redirected=
        elif [[ $awaiting ]]; then
            given+="$awaiting "
            awaiting=
        elif [[ $word != [\"\']* && $word == *[\<\>] ]]; then
            redirected=1
        elif [[ $word == [0-9\&]*[\<\>]* || $word == [\<\>]* ]]; then
            :
        elif [[ ! $ended && $word == -- ]]; then
            ended=1
        elif [[ ! $ended && $word == --*=* ]]; then
            given+="${word%%=*} "
        elif [[ ! $ended && $word == --* ]]; then
            _qwen_cli_flag "$word"
        elif [[ ! $ended && $word == -?* ]]; then
            # Short flags can be written together, the value of the last one with them.
            word=${word#-}
            while [[ $word && ! $awaiting ]]; do
                _qwen_cli_flag "-${word:0:1}"
                word=${word:1}
            done
            [[ $awaiting && $word ]] && given+="$awaiting " && awaiting=
        elif [[ " $subcommands " == *" $word "* ]]; then
            path="${path:+$path }$word" given=' '
            _qwen_cli_load
        elif [[ $operands == command ]]; then
            _qwen_cli_other_command "${starts[i]}" "${offsets[i]}" "$written"
            return
        else
            ((count += 1))
        fi
    done

    if [[ $redirected || ($current != [\"\']* && $current == *[\<\>]*) ]]; then
        compopt -o default
    elif [[ $awaiting ]]; then
        _qwen_cli_value "${value_of[$awaiting]-text}" "$written"
    elif [[ ! $ended && $current == --*=* ]]; then
        _qwen_cli_value "${value_of[${current%%=*}]-text}" "$written"
    elif [[ ! $ended && $current == -* ]]; then
        _qwen_cli_flags "$written"
    elif [[ $subcommands ]]; then
        ((count)) || mapfile -t COMPREPLY < <(compgen -W "$subcommands" -- "$written")
    elif [[ $operands == command ]]; then
        _qwen_cli_other_command "${starts[-1]}" "${offsets[-1]}" "$written"
    elif [[ $operands == files && $given == *' --saved '* ]]; then
        compopt -o default
    fi
}

# The three below work on the variables of _qwen_cli.

_qwen_cli_load() {
    local value flags flag
    _qwen_cli_command "$path"
    while read -r value flags; do
        for flag in ${flags%%!*}; do value_of[$flag]=$value; done
    done <<<"$options"
}

_qwen_cli_flag() { # FLAG
    if [[ ${value_of[$1]--} == - ]]; then
        given+="$1 "
    else
        awaiting=$1
    fi
}

_qwen_cli_flags() { # WRITTEN
    local value flags flag offered=()
    while read -r value flags; do
        for flag in ${flags#*!}; do
            [[ $given == *" $flag "* ]] && continue 2
        done
        offered+=(${flags%%!*})
    done <<<"$options"
    mapfile -t COMPREPLY < <(compgen -W "${offered[*]}" -- "$1")
}

complete -o bashdefault -F _qwen_cli qwen-cli
