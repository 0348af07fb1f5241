# PgBouncer in transaction mode, with one connection to the server for everybody.
# shellcheck shell=bash

pooler_port=

# begin_pooler DATABASE...: runs PgBouncer in front of the server `durable`.
begin_pooler() {
    if ! command -v pgbouncer >/dev/null; then
        local root=()
        ((EUID == 0)) || root=(sudo -n)
        "${root[@]}" apt-get update >/dev/null
        "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y --no-install-recommends pgbouncer >/dev/null
    fi
    local at=${servers[durable]#*@} as=()
    at=${at%%/*}
    until pooler_port=$((20000 + RANDOM % 12000)) &&
        ! (exec 3<>"/dev/tcp/127.0.0.1/$pooler_port") 2>/dev/null; do
        :
    done
    mkdir -p "$folder/pooler"
    cat >"$folder/pooler/pgbouncer.ini" <<END
[databases]
* = host=${at%:*} port=${at#*:} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $pooler_port
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 1
max_client_conn = 200
logfile = $folder/pooler/log
END
    if ((EUID == 0)); then
        chown -R postgres "$folder/pooler"
        as=(runuser -u postgres --)
    fi
    "${as[@]}" pgbouncer "$folder/pooler/pgbouncer.ini" >"$folder/pooler/said" 2>&1 &
    pooler=$!
    until_true 5000 sql_pooled postgres 'SELECT 1' >/dev/null
}

sql_pooled() {
    /usr/lib/postgresql/15/bin/psql -XqAt "postgres://postgres@127.0.0.1:$pooler_port/$1" -c "$2" \
        >/dev/null 2>&1
}

pooled() {
    local -A held=()
    local round
    begin_pooler
    export AMARETTI_POSTGRESQL_POOLER=true AMARETTI_POSTGRESQL_TIMEOUT=10s
    for round in 1 2; do
        create durable "empty$round"
        check "eight processes through one connection find an empty database (round $round)" 8 \
            "$(at_once "postgres://postgres@127.0.0.1:$pooler_port/empty$round" | grep -c '^added')"
    done
    fresh pooled "postgres://postgres@127.0.0.1:$pooler_port/pooled"
    export AMARETTI_POSTGRESQL_TIMEOUT=5s
    start first
    start second
    for round in 1 2 3; do
        hold first
        check "behind a pooler a session is begun (round $round)" 'mma_*' "${held[access]}"
        check 'it is known to the other node' '* 200' "$(ask second "${held[access]}")"
        check 'it is renewed' '*mma_* 200' \
            "$(ask second '' refresh -d '{"refresh_token":"'"${held[refresh]}"'"}')"
        check 'a login token is good once' '*mma_* 200|* 403' \
            "$(spend_at first)|$(spend_at second)"
        check 'it is ended' '{} 200' "$(ask second "${held[access]}" logout -XPOST)"
        check 'everywhere' yes \
            "$([[ $(until_true 1000 is_dead first "${held[access]}") != never ]] && echo yes)"
    done
    check 'the list of keys knows both nodes' '*2 of 2*' "$("$amaretti" keys list)"
    check 'nothing is left prepared on the one connection' 0 "$(/usr/lib/postgresql/15/bin/psql -XqAt \
        "$AMARETTI_DATABASE" -c 'SELECT COUNT(*) FROM pg_prepared_statements')"
    stop second
    stop first
    kill "$pooler"
    wait "$pooler"
    unset AMARETTI_POSTGRESQL_POOLER
}

spend_at() { ask "$1" '' login -d '{"type":"m.login.token","token":"'"${held[login]}"'"}'; }
