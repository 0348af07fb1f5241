# PostgreSQL goes away under running nodes, and falls silent.
# shellcheck shell=bash

# fresh DATABASE: an empty database with a key in $folder/keys.DATABASE and alice in it, and what
# nodes need to use it.
fresh() {
    create durable "$1"
    export AMARETTI_DATABASE AMARETTI_KEYS=$folder/keys.$1 AMARETTI_POSTGRESQL_TIMEOUT=1s
    AMARETTI_DATABASE=${2:-$(url durable "$1")}
    "$amaretti" keys new >/dev/null
    "$amaretti" user add alice --password-stdin <<<wonderland >/dev/null
    "$amaretti" registration-token new --token friends >/dev/null
}

# refused NODE: every operation that needs the database is 503 and says when to come back. `held` is
# what they are tried with.
refused() {
    local token=${held[access]} answer
    check "on $1 a login is 503" '* 503' "$(login_at "$1")"
    answer=$(ask "$1" '' refresh -i -d '{"refresh_token":"'"${held[refresh]}"'"}')
    check "on $1 a refresh is 503, in no JSON, with a time to come back" \
        'http/1.1 503*text/plain*retry-after: *' "${answer,,}"
    check "on $1 nobody is logged out by that" none "$(grep -o errcode <<<"$answer" || echo none)"
    check "on $1 a logout is 503" '* 503' "$(ask "$1" "$token" logout -XPOST)"
    check "on $1 a login token is 503" '* 503' "$(ask "$1" '' login \
        -d '{"type":"m.login.token","token":"'"${held[login]}"'","txn_id":"t"}')"
    check "on $1 registering is 503" '* 503' "$(ask "$1" '' register -d '{"username":"mallory",
        "password":"wonderland","auth":{"type":"m.login.registration_token","token":"friends"}}')"
    check "on $1 a device keeps its name" '* 503' "$(ask "$1" "$token" "devices/${held[device]}" \
        -XPUT -d '{"display_name":"renamed"}')"
    check "$1 verifies on" '*@alice:localhost* 200' "$(ask "$1" "$token")"
    check "$1 is ready, and cannot issue" '* 200|* 503' "$(health "$1" ready)|$(health "$1" issue)"
}

# hold NODE: a session with all that belongs to it, in `held`.
hold() {
    local answer
    answer=$(ask "$1" '' login -d '{"type":"m.login.password","user":"alice","password":"wonderland",
        "refresh_token":true}')
    held=([access]=$(token_in "$answer") [refresh]=$(token_in "$answer" refresh_token)
        [device]=$(token_in "$answer" device_id) [login]=$("$amaretti" token mint --kind login \
            --user alice --expires 10m 2>/dev/null))
}

# nothing_done: what was tried meanwhile has not been done, and can be done now.
nothing_done() {
    local token=${held[access]} answer
    check 'nothing was done by halves' '1|0|1' "$(sql durable away "SELECT
        (SELECT COUNT(*) FROM users), (SELECT COUNT(*) FROM claims),
        (SELECT COUNT(*) FROM devices WHERE display_name IS NULL)")"
    check 'the session lives' '* 200' "$(ask second "$token")"
    answer=$(ask second '' refresh -d '{"refresh_token":"'"${held[refresh]}"'"}')
    check 'it is renewed' '*mma_* 200' "$answer"
    check 'the login token is good' '*mma_* 200' "$(ask first '' login \
        -d '{"type":"m.login.token","token":"'"${held[login]}"'","txn_id":"t"}')"
    check 'a logout is done' '{} 200' "$(ask first "$token" logout -XPOST)"
    check 'and heard of by the other node' yes \
        "$([[ $(until_true 1000 is_dead second "$token") != never ]] && echo yes)"
}

comes_back() { [[ $(login_at first) == *' 200' && $(login_at second) == *' 200' ]]; }

away() {
    local -A held=()
    fresh away
    start first
    start second
    hold first
    check 'a session begun on one node is known to the other' '* 200' "$(ask second "${held[access]}")"
    end durable immediate
    refused first
    begin durable
    nothing_done
    # A restart between two requests: every connection of both nodes is dead.
    comes_back
    end durable fast
    begin durable
    check 'after a restart that nobody noticed nobody is refused' yes "$(comes_back && echo yes)"
    stop second
    stop first
}

# Processes of a server, itself among them.
processes_of() {
    local main
    main=$(head -n 1 "$folder/pg.$1/data/postmaster.pid")
    tr ' ' '\n' <<<"$main $(<"/proc/$main/task/$main/children")" | grep .
}

silent() {
    local -A held=()
    local began took
    fresh silent
    start first
    start second
    hold first
    mapfile -t frozen < <(processes_of durable)
    kill -STOP "${frozen[@]}"
    began=$(milliseconds)
    check 'a server that has gone silent is our fault' '* 503' "$(login_at first)"
    took=$(($(milliseconds) - began))
    check "and that is known in time ($took ms)" yes "$( ((took < 4500)) && echo yes)"
    refused second
    kill -CONT "${frozen[@]}"
    check 'once it speaks again all is well' yes \
        "$([[ $(until_true 10000 comes_back) != never ]] && echo yes)"
    check 'the session lives' '* 200' "$(ask second "${held[access]}")"
    check 'and can be ended' '{} 200' "$(ask second "${held[access]}" logout -XPOST)"
    check 'nobody waits for a lock' 0 \
        "$(sql durable silent "SELECT COUNT(*) FROM pg_locks WHERE NOT granted")"
    stop second
    stop first
}
