# The stage of the suite `postgres`: servers and databases. It is sourced after the stage of `nodes`,
# whose nodes it runs.
# shellcheck shell=bash

chmod 711 "$folder"
declare -A servers=()

pg() { "$root/scripts/postgres" "$1" "$folder/pg.$2" "${@:3}"; }

# begin NAME [-c NAME=VALUE]...: starts a server, or starts it again.
begin() {
    servers[$1]=$(pg start "$@") || { echo "PostgreSQL does not start"; exit 1; }
}

end() { pg stop "$@"; }

# server NAME: the URL of its database `postgres`.
server() { echo "${servers[$1]}"; }

# url SERVER DATABASE
url() { echo "${servers[$1]%/*}/$2"; }

create() { sql "$1" postgres "CREATE DATABASE $2"; }

# sql SERVER DATABASE STATEMENT: its rows, columns with | between.
sql() { /usr/lib/postgresql/15/bin/psql -XqAt "$(url "$1" "$2")" -c "$3"; }

stop_all() {
    local name
    for name in "${!servers[@]}"; do
        pg stop "$name" immediate 2>/dev/null
    done
    clean_up
}
trap stop_all EXIT

# login_at NODE: body and status of a login of alice.
login_at() {
    ask "$1" '' login -d '{"type":"m.login.password","user":"alice","password":"wonderland"}'
}

# token_in ANSWER [NAME]: its access token, or what else is named.
token_in() { sed -n "s/.*\"${2:-access_token}\":\"\([^\"]*\)\".*/\1/p" <<<"$1"; }

# quiet: whether what was logged holds no secret.
quiet() {
    check 'no log and no error holds a password or a token' none \
        "$(grep -rhE 'wonderland|geheim|mm[arl]_A' "$folder"/*.log "$folder"/*.out "$folder"/said* || echo none)"
    check 'no log tells of a panic' none "$(grep -h 'panicked' "$folder"/*.log || echo none)"
}
