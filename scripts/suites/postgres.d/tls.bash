# TLS against a server with a certificate of an authority of our own; passwords.
# shellcheck shell=bash

# authority NAME: a key and a certificate that signs others.
authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
        -keyout "$folder/$1.key" -out "$folder/$1.crt" 2>/dev/null
}

# certificate: one for `localhost` alone, where the server finds it.
certificate() {
    local data=$folder/pg.tls/data
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=localhost' \
        -keyout "$data/server.key" -out "$folder/server.csr" 2>/dev/null
    openssl x509 -req -in "$folder/server.csr" -CA "$folder/ours.crt" -CAkey "$folder/ours.key" \
        -CAcreateserial -days 2 -extfile <(echo 'subjectAltName=DNS:localhost') \
        -out "$data/server.crt" 2>/dev/null
    chmod 600 "$data/server.key"
    ((EUID != 0)) || chown postgres "$data/server.key" "$data/server.crt"
}

# users QUERY [HOST] [PASSWORD]: what the program says that is to list users by this URL.
users() {
    local host=${2:-localhost} password=${3-geheim}
    AMARETTI_DATABASE="postgres://keeper${password:+:$password}@$host:$port/guarded?$1" \
        "$amaretti" user list 2>&1 | tee -a "$folder/said.tls"
}

tls() {
    local port ca="sslrootcert=$folder/ours.crt" good='USER*DEVICES*'
    authority ours
    authority theirs
    begin tls -c fsync=off
    sql tls postgres "CREATE ROLE keeper LOGIN PASSWORD 'geheim'" &&
        sql tls postgres 'CREATE DATABASE guarded OWNER keeper'
    certificate
    echo 'hostssl all all 127.0.0.1/32 scram-sha-256' >"$folder/pg.tls/data/pg_hba.conf"
    end tls
    begin tls -c fsync=off -c ssl=on
    port=$(<"$folder/pg.tls/port")
    unset AMARETTI_DATABASE
    export AMARETTI_POSTGRESQL_TIMEOUT=3s AMARETTI_KEYS=$folder/keys.tls
    AMARETTI_DATABASE="postgres://keeper:geheim@localhost:$port/guarded?sslmode=verify-full&$ca" \
        "$amaretti" keys new >"$folder/said.new" 2>&1
    check 'a key is made over TLS by a role that owns nothing but its database' 'made key *' \
        "$(cat "$folder/said.new")"
    check 'verify-full takes the certificate of our authority for its own name' "$good" \
        "$(users "sslmode=verify-full&$ca")"
    check 'and not for another name' '*certificate not valid for name*' \
        "$(users "sslmode=verify-full&$ca" 127.0.0.1)"
    check 'verify-ca takes it for any name' "$good" "$(users "sslmode=verify-ca&$ca" 127.0.0.1)"
    check 'a certificate of another authority is refused' '*invalid peer certificate*' \
        "$(users "sslmode=verify-full&sslrootcert=$folder/theirs.crt")"
    check 'by verify-ca as well' '*invalid peer certificate*' \
        "$(users "sslmode=verify-ca&sslrootcert=$folder/theirs.crt")"
    check 'so is one that the system knows no authority of' '*invalid peer certificate*' \
        "$(users 'sslmode=verify-full')"
    check 'a file that is missing is an error' '*No such file*' \
        "$(users "sslmode=verify-full&sslrootcert=$folder/nowhere.crt")"
    check 'require encrypts and looks at no certificate' "$good" "$(users 'sslmode=require')"
    check 'require with an authority would verify nothing, and is refused' '*verifies nothing*' \
        "$(users "sslmode=require&$ca")"
    check 'an authority without a mode as well' '*verifies nothing*' "$(users "$ca")"
    check 'whoever says nothing is encrypted where the server can' "$good" "$(users '')"
    check 'without encryption this server lets nobody in' '*no pg_hba.conf entry*no encryption*' \
        "$(users 'sslmode=disable')"
    check 'a wrong password is refused' '*password authentication failed*' \
        "$(users "sslmode=verify-full&$ca" localhost geheimnis)"
    printf 'localhost:%s:guarded:keeper:geheim\n' "$port" >"$folder/passfile"
    chmod 600 "$folder/passfile"
    check 'a password may stand in a file of PostgreSQL' "$good" \
        "$(PGPASSFILE=$folder/passfile users "sslmode=verify-full&$ca" localhost '')"
    AMARETTI_LOG=trace AMARETTI_DATABASE="postgres://keeper:geheim@localhost:$port/guarded?sslmode=verify-full&$ca" \
        start first
    check 'a node serves over TLS' '* 200' "$(health first ready)"
    check 'every connection is encrypted' 0 "$(PGPASSWORD=geheim /usr/lib/postgresql/15/bin/psql -XqAt \
        "postgres://keeper@localhost:$port/guarded" -c "SELECT COUNT(*) FROM pg_stat_activity a
            JOIN pg_stat_ssl s USING (pid) WHERE a.application_name = 'amaretti' AND NOT s.ssl")"
    stop first
    end tls
    plain_only
}

plain_only() {
    begin plain -c fsync=off
    check 'a server without TLS is refused where TLS is wanted' '*does not support TLS*' \
        "$(AMARETTI_DATABASE="$(url plain many1)?sslmode=verify-full" "$amaretti" user list 2>&1)"
    check 'and by require too' '*does not support TLS*' \
        "$(AMARETTI_DATABASE="$(url plain many1)?sslmode=require" "$amaretti" user list 2>&1)"
    end plain
}
