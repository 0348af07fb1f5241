# The stage of the suite `nodes`: how it starts, stops, asks and counts. It is sourced, and knows
# nothing of what the nodes are to do.
# shellcheck shell=bash

folder=$(mktemp -d)
readonly folder
declare -A process=() public=() internal=()
declare -a secrets=()
passed=0 failed=0 runs=0

clean_up() {
    local left
    mapfile -t left < <(jobs -p)
    ((${#left[@]} == 0)) || kill -KILL "${left[@]}" 2>/dev/null
    wait 2>/dev/null
    rm -rf "$folder"
}
trap clean_up EXIT

# check SENTENCE PATTERN FOUND: whether what was found matches the pattern of the shell.
check() {
    # shellcheck disable=SC2053 # the right side is meant to be a pattern
    if [[ $3 == $2 ]]; then
        printf 'ok    %s\n' "$1"
        passed=$((passed + 1))
    else
        printf 'FAIL  %s\n      expected %s\n      found    %s\n' "$1" "$2" "$3"
        failed=$((failed + 1))
    fi
}

milliseconds() { echo $((${EPOCHREALTIME/./} / 1000)); }

# until_true MILLISECONDS COMMAND...: how many milliseconds it took the command to be true, or
# "never".
until_true() {
    local began patience=$1
    began=$(milliseconds)
    shift
    until "$@"; do
        if (($(milliseconds) - began > patience)); then
            echo never
            return
        fi
        sleep 0.005
    done
    echo $(($(milliseconds) - began))
}

# start NODE ARGUMENT...: runs a node in a folder of its own until it says that it serves. A node
# that ran before has the same addresses again.
start() {
    local node=$1 log
    shift
    runs=$((runs + 1))
    log=$folder/$node.$runs.log
    mkdir -p "$folder/$node"
    (cd "$folder/$node" && exec "$amaretti" serve --listen "${public[$node]:-127.0.0.1:0}" \
        --internal "${internal[$node]:-127.0.0.1:0}" "$@" >"$log.out" 2>"$log") &
    process[$node]=$!
    until_true 10000 grep -qs ' serving ' "$log" >"$folder/took"
    public[$node]=$(grep -om1 'listen=[^ ]*' "$log" | cut -d= -f2)
    internal[$node]=$(grep -om1 'internal=[^ ]*' "$log" | cut -d= -f2)
}

# stop NODE: asks a node to end and gives its exit code.
stop() {
    kill -TERM "${process[$1]}"
    wait "${process[$1]}"
    code=$?
}

# The program, in the folder of the first node.
run() { (cd "$folder/first" && "$amaretti" "$@"); }

# ask NODE TOKEN [PATH] [ARGUMENT...]: body and status of a request; an empty token is not sent.
ask() {
    local node=$1 token=$2 path=${3:-account/whoami}
    shift $(($# < 3 ? $# : 3))
    curl -s -m 10 -w ' %{http_code}' ${token:+-H "Authorization: Bearer $token"} "$@" \
        "http://${public[$node]}/_matrix/client/v3/$path"
}

health() { curl -s -m 5 -w ' %{http_code}' "http://${internal[$1]}/health/$2"; }

# login: sets `token` to that of a new session of alice.
login() {
    local answer
    answer=$(curl -s -XPOST -d '{"type":"m.login.password", "user":"alice", "password":"wonderland"}' \
        "http://${public[first]}/_matrix/client/r0/login")
    token=$(sed 's/.*"access_token":"\([^"]*\)".*/\1/' <<<"$answer")
    secrets+=("$token")
}

# key_of TOKEN: the id of the key that has signed it.
key_of() { "$amaretti" token inspect <<<"$1" | sed -n 's/.* key \([0-9a-f]\{8\}\)$/\1/p'; }

lives() { [[ $(ask "$1" "$2") == *' 200' ]]; }
is_dead() { [[ $(ask "$1" "$2") == *' 401' ]]; }
mints_anew() { login && [[ $(key_of "$token") != "$1" ]]; }
