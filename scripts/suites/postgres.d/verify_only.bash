# A node that only verifies: few rights in the database, access subkeys alone, and it hears of
# everything and tells of first uses.
# shellcheck shell=bash

# as_verifier DATABASE STATEMENT: what the role of such nodes gets for it.
as_verifier() {
    /usr/lib/postgresql/15/bin/psql -XqAt \
        "$(sed 's,//[^@]*@,//amaretti_verify@,' <<<"$(url durable "$1")")" -c "$2" 2>&1
}

generation_of() { sql durable watched "SELECT generation FROM refreshes WHERE session = '$1'"; }
is_settled() { [[ $(generation_of "$1") == "$2" ]]; }

rights() {
    local table
    check 'its role reads the feed' '[0-9]*' "$(as_verifier watched 'SELECT COUNT(*) FROM feed')"
    for table in users devices claims refreshes stages registration_tokens; do
        check "its role does not read $table" '*permission denied*' \
            "$(as_verifier watched "SELECT * FROM $table")"
    done
    check 'its role appends nothing to the feed' '*permission denied*' "$(as_verifier watched \
        "INSERT INTO feed SELECT sequence + 1, random, kind, user_id, device_id, session, tick, value,
            hits_until, hits_keys FROM feed")"
    check 'its role takes nothing from the feed' '*permission denied*' \
        "$(as_verifier watched 'DELETE FROM feed')"
    check 'its role changes no other row of a node' 1 "$(as_verifier watched \
        "UPDATE nodes SET keys = ''; DELETE FROM nodes" >/dev/null
        sql durable watched "SELECT COUNT(*) FROM nodes WHERE made_by <> 'amaretti_verify' AND keys <> ''")"
    check 'its role skips no generation' 0 "$(as_verifier watched \
        "SELECT amaretti_first_use('$1', 7, 0)")"
}

settles() {
    local answer access refresh session
    answer=$(ask first '' login -d '{"type":"m.login.password","user":"alice",
        "password":"wonderland","refresh_token":true}')
    refresh=$(token_in "$answer" refresh_token)
    answer=$(ask first '' refresh -d '{"refresh_token":"'"$refresh"'"}')
    access=$(token_in "$answer")
    session=$("$amaretti" token inspect <<<"$access" | sed -n 's/.* session \([0-9a-f]\{32\}\)$/\1/p')
    session=${session:-$(sql durable watched 'SELECT session FROM refreshes')}
    check 'a pair that nobody has used settles nothing' 0 "$(generation_of "$session")"
    check 'its access token is good here' '*@alice:localhost* 200' "$(ask watching "$access")"
    check 'and that first use is told to the store' yes \
        "$([[ $(until_true 3000 is_settled "$session" 1) != never ]] && echo yes)"
    check 'so the generation before is retired on the other node' \
        '*M_UNKNOWN_TOKEN*"soft_logout":true* 401' \
        "$(ask first '' refresh -d '{"refresh_token":"'"$refresh"'"}')"
    rights "$session"
}

spent_by_use() {
    local body answer
    body='{"type":"m.login.token","txn_id":"t","token":"'$("$amaretti" token mint --kind login \
        --user alice 2>/dev/null)'"}'
    answer=$(ask first '' login -d "$body")
    check 'a login by token is repeated' "$(token_in "$answer")" \
        "$(token_in "$(ask first '' login -d "$body")")"
    check 'its session is used here' '* 200' "$(ask watching "$(token_in "$answer")")"
    # shellcheck disable=SC2317 # it is called by its name
    is_used() { [[ $(sql durable watched "SELECT COUNT(*) FROM claims WHERE state = 'used'") == 1 ]]; }
    check 'the store is told' yes "$([[ $(until_true 3000 is_used) != never ]] && echo yes)"
    check 'and nobody is given the session again' '*M_FORBIDDEN* 403' \
        "$(ask first '' login -d "$body")"
}

# A new key mints once this node holds its subkey.
rotated() {
    local before
    login
    before=$(key_of "$token")
    "$amaretti" keys rotate >/dev/null 2>&1
    sleep 1
    login
    check 'a new key does not mint before this node holds its subkey' "$before" "$(key_of "$token")"
    "$amaretti" keys export --kind access --to "$folder/subkeys" >/dev/null 2>&1
    check 'and then it does' yes "$([[ $(until_true 20000 mints_anew "$before") != never ]] && echo yes)"
    login
    check 'and this node answers for its tokens' '* 200' "$(ask watching "$token")"
}

verify_only() {
    local answer token round worst=0 took
    fresh watched
    sql durable watched "$(<"$root/docs/verify-only.sql")" >/dev/null 2>&1
    sql durable watched "$(<"$root/docs/verify-only.sql")" >/dev/null 2>&1
    check 'its rights can be given twice' t "$(sql durable watched \
        "SELECT has_table_privilege('amaretti_verify', 'feed', 'SELECT')")"
    start first
    "$amaretti" keys export --kind access --to "$folder/subkeys" >/dev/null 2>&1
    AMARETTI_KEYS=$folder/subkeys \
        AMARETTI_DATABASE=$(sed 's,//[^@]*@,//amaretti_verify@,' <<<"$AMARETTI_DATABASE") \
        start watching --verify-only
    check 'a node that only verifies is ready' '* 200' "$(health watching ready)"
    check 'it cannot serve logins, and says so' '*only verifies* 503' "$(health watching issue)"
    answer=$(login_at first)
    token=$(token_in "$answer")
    check 'it answers for the tokens of the other' '*@alice:localhost* 200' "$(ask watching "$token")"
    check 'it takes no login' '* 503' "$(login_at watching)"
    check 'it takes no logout' '* 503' "$(ask watching "$token" logout -XPOST)"
    for round in 1 2 3 4 5; do
        token=$(token_in "$(login_at first)")
        ask first "$token" logout -XPOST >/dev/null
        took=$(until_true 2000 is_dead watching "$token")
        [[ $took == never ]] && worst=never && break
        ((took > worst)) && worst=$took
    done
    check "it hears of every logout (worst of $round: $worst ms)" yes \
        "$([[ $worst != never ]] && echo yes)"
    settles
    spent_by_use
    rotated
    stop watching
    check 'it ends with 0' 0 "$code"
    check 'nothing was refused to it by the database' none \
        "$(grep -h 'permission denied\|does not exist' "$folder"/watching.*.log || echo none)"
    stop first
    unset AMARETTI_DATABASE AMARETTI_KEYS AMARETTI_POSTGRESQL_TIMEOUT
}
