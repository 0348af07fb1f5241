# The part of the suite `nodes` in which keys change while nodes are asked all the time.
# shellcheck shell=bash

# load NODE: asks a node who the old token is for, until told to stop; one status a line.
load() {
    while [[ ! -e $folder/enough ]]; do
        curl -s -m 10 -o /dev/null -w '%{http_code}\n' -H "Authorization: Bearer $first" \
            "http://${public[$1]}/_matrix/client/v3/account/whoami?n=[1-20]"
    done >"$folder/load.$1"
}

# export_anew: hands the second node the subkeys that it lacks.
export_anew() {
    run keys export --to "$folder/exported" >/dev/null 2>&1
    cp -pn "$folder"/exported/* "$folder/second/keys/" 2>/dev/null
    rm -rf "$folder/exported"
}

rotation() {
    local old began loads=() node took
    old=$(key_of "$first")
    began=$(milliseconds)
    for node in first second; do
        load "$node" &
        loads+=($!)
    done
    sleep 1
    run keys rotate >/dev/null 2>&1
    took=$(until_true 12000 mints_anew "$old")
    mints_anew "$old"
    check "after a rotation new logins carry the new key (after $took ms)" \
        '*[0-9a-f]*' "$(key_of "$token" | grep -v "$old")"
    check 'a token of the new key is good on the first node' '* 200' "$(ask first "$token")"
    check 'the second node does not know the new key yet' '* [45]0[13]' "$(ask second "$token")"
    export_anew
    took=$(until_true 8000 lives second "$token")
    check "the second node picks the new subkey up from its folder (after $took ms of 6000)" yes \
        "$([[ $took != never && $took -le 6000 ]] && echo yes || echo "$took")"
    sleep "$(((13000 - ($(milliseconds) - began)) / 1000 + 1))"
    touch "$folder/enough"
    wait "${loads[@]}"
    for node in first second; do
        took=$(wc -l <"$folder/load.$node")
        check "under load the $node node has refused nobody ($took requests over the rotation)" \
            '200' "$(sort -u "$folder/load.$node")"
    done
}

hang_up() {
    local old took
    old=$(key_of "$token")
    run keys rotate >/dev/null 2>&1
    kill -HUP "${process[first]}"
    took=$(until_true 2000 mints_anew "$old")
    check "told by SIGHUP, the first node takes a new key at once (after $took ms)" yes \
        "$([[ $took != never && $took -le 1000 ]] && echo yes || echo "$took")"
    login
    export_anew
    kill -HUP "${process[second]}"
    took=$(until_true 2000 lives second "$token")
    check "told by SIGHUP, the second node takes a new subkey at once (after $took ms)" yes \
        "$([[ $took != never && $took -le 1000 ]] && echo yes || echo "$took")"
    check 'three keys are held by every live node' 3 "$(run keys list | grep -c '1 of 1')"
}
