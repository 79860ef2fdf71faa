# Completion of qwen-cli for fish.
# Generated from the options by scripts/generate.py; no Python runs when Tab is pressed.

# COMMAND -> the caller's `valued` (flags that take a value), `subcommands` and `takes_command` (another one).
function __qwen_cli_command --no-scope-shadowing
    set valued
    set subcommands
    set takes_command
    switch $argv[1]
        case ''
            set subcommands ask stream json cost check map filter models key sandbox help
        case 'ask'
            set valued -f --file --prompt-file -s --system --system-file -i --image --image-detail --messages --chat -m --model --max-tokens -t --temperature --top-p --stop --seed --frequency-penalty --presence-penalty --logit-bias --top-logprobs --reasoning-effort --response-format --schema --choice --tools --tool-choice --prediction --prediction-file -F --field --show --reask -o --output --save --base-url --timeout --connect-timeout --retries --request-id --cache
        case 'stream'
            set valued -f --file --prompt-file -s --system --system-file -i --image --image-detail --messages --chat -m --model --max-tokens -t --temperature --top-p --stop --seed --frequency-penalty --presence-penalty --logit-bias --top-logprobs --reasoning-effort --response-format --schema --choice --tools --tool-choice --prediction --prediction-file -F --field --show -o --output --save --base-url --timeout --connect-timeout --retries --request-id
        case 'json'
            set valued -f --file --prompt-file -s --system --system-file -i --image --image-detail --messages -m --model --max-tokens -t --temperature --top-p --stop --seed --frequency-penalty --presence-penalty --logit-bias --top-logprobs --reasoning-effort --response-format --schema --choice --tools --tool-choice --prediction --prediction-file -F --field -o --output --base-url --timeout --connect-timeout --retries --request-id --cache
        case 'cost'
            set valued --period -f --file --prompt-file -s --system --system-file -i --image --image-detail --messages -m --model --max-tokens -t --temperature --top-p --stop --seed --frequency-penalty --presence-penalty --logit-bias --top-logprobs --reasoning-effort --response-format --schema --choice --tools --tool-choice --prediction --prediction-file -F --field --reask -o --output --base-url --timeout --connect-timeout --retries --request-id
        case 'check'
            set valued -f --file --prompt-file -s --system --system-file -i --image --image-detail --messages -m --model --max-tokens -t --temperature --top-p --stop --seed --frequency-penalty --presence-penalty --logit-bias --top-logprobs --reasoning-effort --tools --tool-choice --prediction --prediction-file -F --field --reask --save --base-url --timeout --connect-timeout --retries --request-id --cache
        case 'map'
            set valued -P --parallel --max-usd -f --file --prompt-file -s --system --system-file -i --image --image-detail --messages -m --model --max-tokens -t --temperature --top-p --stop --seed --frequency-penalty --presence-penalty --logit-bias --top-logprobs --reasoning-effort --response-format --schema --choice --tools --tool-choice --prediction --prediction-file -F --field --show --reask -o --output --base-url --timeout --connect-timeout --retries --request-id --cache
        case 'filter'
            set valued -P --parallel --max-usd -f --file --prompt-file -s --system --system-file -i --image --image-detail --messages -m --model --max-tokens -t --temperature --top-p --stop --seed --frequency-penalty --presence-penalty --logit-bias --top-logprobs --reasoning-effort --tools --tool-choice --prediction --prediction-file -F --field --reask --base-url --timeout --connect-timeout --retries --request-id --cache
        case 'models'
            set valued -o --output --base-url --timeout --connect-timeout --retries --request-id
        case 'key'
            set subcommands set status delete
        case 'key set'
            set valued --base-url
        case 'key status'
            set valued --base-url
        case 'key delete'
            set valued --base-url
        case 'sandbox'
            set valued --fault --rate
            set takes_command 1
        case 'help'
            set subcommands ask stream json cost check map filter models key sandbox
        case 'help ask'
        case 'help stream'
        case 'help json'
        case 'help cost'
        case 'help check'
        case 'help map'
        case 'help filter'
        case 'help models'
        case 'help key'
            set subcommands set status delete
        case 'help key set'
        case 'help key status'
        case 'help key delete'
        case 'help sandbox'
    end
end

# Read what stands before the cursor, into
#     __qwen_cli_path   the command, `-` where nothing can be said any more
#     __qwen_cli_flags  the flags given, without one that still awaits its value
#     __qwen_cli_rest   the other command line, of `sandbox`
function __qwen_cli_read
    set -l tokens (commandline -opc)
    set -l seen (string escape -- $tokens (commandline -ct) | string join ' ')
    test "$seen" = "$__qwen_cli_seen"; and return
    set -g __qwen_cli_seen $seen
    set -g __qwen_cli_path ''
    set -g __qwen_cli_flags
    set -g __qwen_cli_rest
    set -l valued
    set -l subcommands
    set -l takes_command
    set -l awaiting
    set -l ended
    __qwen_cli_command ''
    set -e tokens[1]
    while set -q tokens[1]
        set -l token $tokens[1]
        if set -q awaiting[1]
            set -a __qwen_cli_flags $awaiting
            set awaiting
        else if not set -q ended[1]; and test "$token" = --
            set ended 1
        else if not set -q ended[1]; and string match -q -- '--*=*' $token
            set -a __qwen_cli_flags (string replace -r '=.*' '' -- $token)
        else if not set -q ended[1]; and string match -q -- '--*' $token
            if contains -- $token $valued
                set awaiting $token
            else
                set -a __qwen_cli_flags $token
            end
        else if not set -q ended[1]; and string match -q -- '-?*' $token
            # Short flags can be written together, the value of the last one with them.
            set -l letters (string split '' -- (string sub -s 2 -- $token))
            while set -q letters[1]
                set -l flag -$letters[1]
                set -e letters[1]
                if contains -- $flag $valued; and not set -q letters[1]
                    set awaiting $flag
                else
                    set -a __qwen_cli_flags $flag
                    contains -- $flag $valued; and break
                end
            end
        else if contains -- $token $subcommands
            set __qwen_cli_path (string trim -- "$__qwen_cli_path $token")
            set __qwen_cli_flags
            __qwen_cli_command $__qwen_cli_path
        else if set -q takes_command[1]
            set __qwen_cli_path -
            set __qwen_cli_rest (string escape -- $tokens | string join ' ')' '(commandline -ct)
            break
        else if set -q subcommands[1]
            set __qwen_cli_path -
            break
        end
        set -e tokens[1]
    end
    if set -q awaiting[1]
        set __qwen_cli_flags (string match -v -- $awaiting $__qwen_cli_flags)
    end
end

# Whether one of these commands is being written.
function __qwen_cli_at
    __qwen_cli_read
    contains -- "$__qwen_cli_path" $argv
end

# Whether one of these flags has been given.
function __qwen_cli_given
    for flag in $argv
        contains -- $flag $__qwen_cli_flags; and return 0
    end
    return 1
end

# Whether the other command line, of `sandbox`, has begun.
function __qwen_cli_other
    __qwen_cli_read
    set -q __qwen_cli_rest[1]
end

# What is written of the value: of `--file=no`, the `no`.
function __qwen_cli_written
    string replace -r '^--[^=]*=' '' -- (commandline -ct)
end

# The files whose names start with $argv[1].
function __qwen_cli_paths
    complete --do-complete="'' $argv[1]" | string replace -r '\t.*' ''
end

function __qwen_cli_command_names
    complete --do-complete="$(commandline -ct)"
end

# Files with one of the suffixes, and folders; others as well (`before`), or only where there are none (`rather`).
function __qwen_cli_files # before|rather SUFFIX...
    set -l paths (__qwen_cli_paths (__qwen_cli_written))
    set -l wanted (string match -ri -- '^.*\.(?:'(string join '|' $argv[2..])')$' $paths)
    string join \n -- $wanted
    for path in $paths
        contains -- $path $wanted; and continue
        if test $argv[1] = before; or not set -q wanted[1]; or string match -q -- '*/' $path
            echo $path
        end
    end
end

# `@FILE`
function __qwen_cli_at_files
    set -l written (__qwen_cli_written)
    if string match -rq -- '^["\']?@' $written
        set -l name (string replace -r -- '^(["\']?)@' '$1' $written)
        # No shell would expand a ~ behind the @.
        string match -q -- '~*' $name; or string replace -r '^' '@' -- (__qwen_cli_paths $name)
    else
        echo @
    end
end

complete -c qwen-cli -f
complete -c qwen-cli -n '__qwen_cli_at ""' -a ask -d 'Print the answer once it is complete'
complete -c qwen-cli -n '__qwen_cli_at ""' -a stream -d 'Print the answer as it arrives'
complete -c qwen-cli -n '__qwen_cli_at ""' -a json -d 'Print the response as JSON'
complete -c qwen-cli -n '__qwen_cli_at ""' -a cost -d 'Print the cost of a request, of saved responses or of the account'
complete -c qwen-cli -n '__qwen_cli_at ""' -a check -d 'Answer yes or no with the exit status'
complete -c qwen-cli -n '__qwen_cli_at ""' -a map -d 'Print one answer per line of standard input, in order'
complete -c qwen-cli -n '__qwen_cli_at ""' -a filter -d 'Print the lines of standard input for which the answer is yes'
complete -c qwen-cli -n '__qwen_cli_at ""' -a models -d 'Print the server\'s models'
complete -c qwen-cli -n '__qwen_cli_at ""' -a key -d 'Store, check or delete the API key'
complete -c qwen-cli -n '__qwen_cli_at ""' -a sandbox -d 'Serve a local stand-in for the API'
complete -c qwen-cli -n '__qwen_cli_at ""' -a help -d 'Show the help of a command'
complete -c qwen-cli -n '__qwen_cli_at key' -a set -d 'Store the API key in the OS keyring'
complete -c qwen-cli -n '__qwen_cli_at key' -a status -d 'Show which key is used and where it comes from'
complete -c qwen-cli -n '__qwen_cli_at key' -a delete -d 'Delete the stored API key'
complete -c qwen-cli -n '__qwen_cli_at help' -a ask -d 'Print the answer once it is complete'
complete -c qwen-cli -n '__qwen_cli_at help' -a stream -d 'Print the answer as it arrives'
complete -c qwen-cli -n '__qwen_cli_at help' -a json -d 'Print the response as JSON'
complete -c qwen-cli -n '__qwen_cli_at help' -a cost -d 'Print the cost of a request, of saved responses or of the account'
complete -c qwen-cli -n '__qwen_cli_at help' -a check -d 'Answer yes or no with the exit status'
complete -c qwen-cli -n '__qwen_cli_at help' -a map -d 'Print one answer per line of standard input, in order'
complete -c qwen-cli -n '__qwen_cli_at help' -a filter -d 'Print the lines of standard input for which the answer is yes'
complete -c qwen-cli -n '__qwen_cli_at help' -a models -d 'Print the server\'s models'
complete -c qwen-cli -n '__qwen_cli_at help' -a key -d 'Store, check or delete the API key'
complete -c qwen-cli -n '__qwen_cli_at help' -a sandbox -d 'Serve a local stand-in for the API'
complete -c qwen-cli -n '__qwen_cli_at "help key"' -a set -d 'Store the API key in the OS keyring'
complete -c qwen-cli -n '__qwen_cli_at "help key"' -a status -d 'Show which key is used and where it comes from'
complete -c qwen-cli -n '__qwen_cli_at "help key"' -a delete -d 'Delete the stored API key'
complete -c qwen-cli -n '__qwen_cli_at cost; and __qwen_cli_given --saved' -F
complete -c qwen-cli -n '__qwen_cli_at sandbox' -a '(__qwen_cli_command_names)'
complete -c qwen-cli -n '__qwen_cli_other' -a '(complete --do-complete="$__qwen_cli_rest")'
complete -c qwen-cli -n '__qwen_cli_at ""; and not __qwen_cli_given -V --version' -s V -l version -d 'Show the version and exit'
complete -c qwen-cli -n '__qwen_cli_at "" ask stream json cost check map filter models key "key set" "key status" "key delete" sandbox; and not __qwen_cli_given -h --help' -s h -l help -d 'Show this message and exit'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter' -s f -l file -r -F -d 'Add FILE to the prompt (repeatable)'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter; and not __qwen_cli_given --prompt-file' -l prompt-file -r -F -d 'Read the prompt from FILE; skip a #! line'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter; and not __qwen_cli_given -s --system --system-file' -s s -l system -x -d 'Add a system message'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter; and not __qwen_cli_given --system-file -s --system' -l system-file -r -F -d 'Read the system message from FILE'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter' -s i -l image -x -k -a '(__qwen_cli_files before jpeg jpg png gif webp)' -d 'Add a JPEG, PNG, GIF or WEBP (repeatable)'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter; and not __qwen_cli_given --image-detail' -l image-detail -x -a 'low high auto' -d 'Set how closely images are examined'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter; and not __qwen_cli_given -m --model' -s m -l model -x -d 'Use ID'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter; and not __qwen_cli_given --max-tokens' -l max-tokens -x -d 'Limit tokens, reasoning included (1 or more)'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter; and not __qwen_cli_given -t --temperature' -s t -l temperature -x -d 'Set the sampling temperature (0…2)'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter; and not __qwen_cli_given --top-p' -l top-p -x -d 'Set the nucleus sampling threshold (0.01…1)'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter' -l stop -x -d 'Stop before this text (up to 4 times)'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter; and not __qwen_cli_given --seed' -l seed -x -d 'Seed the sampling (1 or more)'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter; and not __qwen_cli_given --frequency-penalty' -l frequency-penalty -x -d 'Penalise frequent tokens (-2…2)'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter; and not __qwen_cli_given --presence-penalty' -l presence-penalty -x -d 'Penalise tokens used before (-2…2)'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter' -l logit-bias -x -a '(__qwen_cli_at_files)' -d 'Bias tokens; also JSON, @FILE (repeatable)'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter; and not __qwen_cli_given --logprobs --no-logprobs' -l logprobs -d 'Request log probabilities'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter; and not __qwen_cli_given --logprobs --no-logprobs' -l no-logprobs -d 'The opposite of --logprobs'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter; and not __qwen_cli_given --top-logprobs' -l top-logprobs -x -d 'Add the N likeliest; needs --logprobs (0…20)'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter; and not __qwen_cli_given --reasoning-effort' -l reasoning-effort -x -a 'low medium high' -d 'Set the reasoning effort'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter; and not __qwen_cli_given --tools' -l tools -x -a '(__qwen_cli_at_files)' -d 'Offer these functions to the model'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter; and not __qwen_cli_given --tool-choice' -l tool-choice -x -a '(__qwen_cli_at_files) none auto required' -d 'Select the tool to call'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter; and not __qwen_cli_given --parallel-tool-calls --no-parallel-tool-calls' -l parallel-tool-calls -d 'Allow several tool calls at once'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter; and not __qwen_cli_given --parallel-tool-calls --no-parallel-tool-calls' -l no-parallel-tool-calls -d 'The opposite of --parallel-tool-calls'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter; and not __qwen_cli_given --prediction --prediction-file' -l prediction -x -d 'Send the expected answer, for speed'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter; and not __qwen_cli_given --prediction-file --prediction' -l prediction-file -r -F -d 'Read the expected answer from a file'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter; and not __qwen_cli_given --include-usage --no-include-usage' -l include-usage -d 'Request usage in streams'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter; and not __qwen_cli_given --include-usage --no-include-usage' -l no-include-usage -d 'The opposite of --include-usage'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter' -s F -l field -x -d 'Set another field, JSON or text (repeatable)'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter; and not __qwen_cli_given --dry-run --curl' -l dry-run -d 'Print the request body; send nothing'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter; and not __qwen_cli_given --curl --dry-run' -l curl -d 'Print a curl command; send nothing'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check; and not __qwen_cli_given -n --no-stdin' -s n -l no-stdin -d 'Do not read standard input'
complete -c qwen-cli -n '__qwen_cli_at ask stream; and not __qwen_cli_given --messages --chat' -l messages -x -a '(__qwen_cli_at_files)' -d 'Start with these earlier messages'
complete -c qwen-cli -n '__qwen_cli_at ask stream; and not __qwen_cli_given --chat --messages' -l chat -x -k -a '(__qwen_cli_files rather json)' -d 'Continue the conversation in FILE'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost map; and not __qwen_cli_given --response-format --schema --choice' -l response-format -x -a '(__qwen_cli_at_files) text json_object' -d 'Set the format of the answer'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost map; and not __qwen_cli_given --schema --response-format --choice' -l schema -x -k -a '(__qwen_cli_files rather json)' -d 'Require JSON that fits this schema'
complete -c qwen-cli -n '__qwen_cli_at ask stream map; and not __qwen_cli_given --response-format --schema -x --code' -l choice -x -d 'Require one of these answers (repeatable)'
complete -c qwen-cli -n '__qwen_cli_at ask stream map; and not __qwen_cli_given --show -r' -l show -x -a 'content reasoning both calls' -d 'Select what to print'
complete -c qwen-cli -n '__qwen_cli_at ask stream map; and not __qwen_cli_given -r --show' -s r -d 'Same as --show reasoning'
complete -c qwen-cli -n '__qwen_cli_at ask stream map; and not __qwen_cli_given -x --code --choice' -s x -l code -d 'Print only the first fenced code block'
complete -c qwen-cli -n '__qwen_cli_at ask stream map; and not __qwen_cli_given --no-newline' -l no-newline -d 'Do not add a final newline'
complete -c qwen-cli -n '__qwen_cli_at ask json; and not __qwen_cli_given --pretty --no-pretty' -l pretty -d 'Render Markdown, or indent JSON'
complete -c qwen-cli -n '__qwen_cli_at ask json; and not __qwen_cli_given --pretty --no-pretty' -l no-pretty -d 'The opposite of --pretty'
complete -c qwen-cli -n '__qwen_cli_at ask cost check map filter; and not __qwen_cli_given --reask' -l reask -x -d 'Ask again for a fitting answer'
complete -c qwen-cli -n '__qwen_cli_at ask stream json map; and not __qwen_cli_given --allow-incomplete' -l allow-incomplete -d 'Exit 0 even if the answer is incomplete'
complete -c qwen-cli -n '__qwen_cli_at ask stream json check map filter; and not __qwen_cli_given -u --usage' -s u -l usage -d 'Print token usage and cost to stderr'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost map models; and not __qwen_cli_given -o --output' -s o -l output -r -F -d 'Write to FILE once the result is complete'
complete -c qwen-cli -n '__qwen_cli_at ask stream check; and not __qwen_cli_given --save' -l save -r -F -d 'Also write the raw response to FILE'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter models; and not __qwen_cli_given -v --verbose' -s v -l verbose -d 'Print request, status, ids and timings'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter models; and not __qwen_cli_given -q --quiet' -s q -l quiet -d 'Print no notes and no progress'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter models; and not __qwen_cli_given --timeout' -l timeout -x -d 'Limit the time without data'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter models; and not __qwen_cli_given --connect-timeout' -l connect-timeout -x -d 'Limit the time to connect'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter models; and not __qwen_cli_given --retries' -l retries -x -d 'Retry transient failures'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter models; and not __qwen_cli_given --request-id' -l request-id -x -d 'Send ID as X-Client-Request-Id'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter models; and not __qwen_cli_given --no-key' -l no-key -d 'Send no API key; allow http to any host'
complete -c qwen-cli -n '__qwen_cli_at ask stream json cost check map filter models "key set" "key status" "key delete"; and not __qwen_cli_given --base-url' -l base-url -x -d 'Use this API'
complete -c qwen-cli -n '__qwen_cli_at ask check map filter; and not __qwen_cli_given --cache' -l cache -x -a '(__fish_complete_directories)' -d 'Keep answers in DIR and reuse them'
complete -c qwen-cli -n '__qwen_cli_at ask check map filter; and not __qwen_cli_given --cache-only' -l cache-only -d 'Send nothing; fail if DIR has no answer'
complete -c qwen-cli -n '__qwen_cli_at json cost check map filter; and not __qwen_cli_given --messages' -l messages -x -a '(__qwen_cli_at_files)' -d 'Start with these earlier messages'
complete -c qwen-cli -n '__qwen_cli_at json cost; and not __qwen_cli_given --response-format --schema' -l choice -x -d 'Require one of these answers (repeatable)'
complete -c qwen-cli -n '__qwen_cli_at json; and not __qwen_cli_given --stream --cache --cache-only' -l stream -d 'Print each chunk on a line as it arrives'
complete -c qwen-cli -n '__qwen_cli_at json; and not __qwen_cli_given --cache --stream' -l cache -x -a '(__fish_complete_directories)' -d 'Keep answers in DIR and reuse them'
complete -c qwen-cli -n '__qwen_cli_at json; and not __qwen_cli_given --cache-only --stream' -l cache-only -d 'Send nothing; fail if DIR has no answer'
complete -c qwen-cli -n '__qwen_cli_at cost; and not __qwen_cli_given --saved --period --balance --estimate' -l saved -d 'Add up the responses saved in these files'
complete -c qwen-cli -n '__qwen_cli_at cost; and not __qwen_cli_given --period --saved --balance --estimate' -l period -x -a '24h 7d 30d' -d 'Print what this key spent, by model'
complete -c qwen-cli -n '__qwen_cli_at cost; and not __qwen_cli_given --balance --saved --period --estimate' -l balance -d 'Print what is left on the account'
complete -c qwen-cli -n '__qwen_cli_at cost; and not __qwen_cli_given --estimate --saved --period --balance' -l estimate -d 'Print an upper bound, without asking the model'
complete -c qwen-cli -n '__qwen_cli_at cost models; and not __qwen_cli_given --json' -l json -d 'Print one JSON object'
complete -c qwen-cli -n '__qwen_cli_at map filter; and not __qwen_cli_given -P --parallel' -s P -l parallel -x -d 'Send N requests at once (1…256)'
complete -c qwen-cli -n '__qwen_cli_at map filter; and not __qwen_cli_given -0 --null --csv' -s 0 -l null -d 'End items with NUL, in input and output'
complete -c qwen-cli -n '__qwen_cli_at map filter; and not __qwen_cli_given --jsonl --csv' -l jsonl -d 'Read JSON objects; {name} is a member'
complete -c qwen-cli -n '__qwen_cli_at map filter; and not __qwen_cli_given --csv -0 --null --jsonl' -l csv -d 'Read a table; {name} is a column'
complete -c qwen-cli -n '__qwen_cli_at map filter; and not __qwen_cli_given --fail-fast' -l fail-fast -d 'Stop at the first failure'
complete -c qwen-cli -n '__qwen_cli_at map filter; and not __qwen_cli_given --max-usd' -l max-usd -x -d 'Send no more once X USD are spent'
complete -c qwen-cli -n '__qwen_cli_at map; and not __qwen_cli_given --json' -l json -d 'Print one JSON object per item'
complete -c qwen-cli -n '__qwen_cli_at filter; and not __qwen_cli_given --not' -l not -d 'Print the items for which the answer is no'
complete -c qwen-cli -n '__qwen_cli_at sandbox' -l fault -x -a '429 500 503 slow cut garbage length invalid fenced think noformat' -d 'Simulate a failure (repeatable): 429, 500, 503, slow, cut, garbage, length, invalid, fenced, think, noformat'
complete -c qwen-cli -n '__qwen_cli_at sandbox; and not __qwen_cli_given --rate' -l rate -x -d 'Allow N requests a second; answer 429 beyond'
