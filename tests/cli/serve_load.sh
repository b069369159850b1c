#!/bin/bash
# serve_load.sh - a server on two ranks with clients that leave, stall and send rubbish beside others: the answers are right, its memory stays
# as it is, and it ends. Longer with ITHACA_LONG=1, and on two hosts (cluster/lab/hosts.sh) if root runs it; ITHACA_LOAD=ROUNDS and
# ITHACA_LOAD_SEED=N for as long as one likes.
mkdir -p "${BUILD:-build/release}"
TMPDIR=$(readlink -f "${BUILD:-build/release}") # each host has a /tmp of its own
export TMPDIR
. tests/tap.sh
. tests/served.sh
unset TMPDIR

hosts=cluster/lab/hosts.sh
export ITHACA_LAB=$work/lab ITHACA_LAB_NAME=load$((BASHPID % 100000))
on=(scripts/on_ranks.sh 2) inside=() # where its clients are
if [[ ${ITHACA_LONG:-} && $(id -u) == 0 ]]; then
    trap '$hosts down >/dev/null 2>&1; rm -rf "$work"' EXIT
    if $hosts up 2 >"$out" 2>&1 && $hosts exec n1 true >>"$out" 2>&1; then
        on=($hosts run 2) inside=($hosts exec n1)
        ITHACA=$(readlink -f "$ITHACA") model=$(readlink -f "$model")
    else
        echo "# no hosts: $(head -n 1 "$out")"
    fi
fi
code() { "${inside[@]}" curl -s --max-time 600 -o "$out" -w '%{http_code}' "$@"; }

# processes NAME: those of that name that the server consists of
descendants() { for pid in $(pgrep -P "$1"); do echo "$pid" && descendants "$pid"; done; }
processes() { descendants $server | while read -r pid; do [[ $(cat "/proc/$pid/comm") == "$1" ]] && echo "$pid"; done; }

start --ctx 4096 --chunk 128 --max-sessions 6 --max-waiting 24 --max-connections 64 --max-body 64KiB
mapfile -t ranks < <(processes ithaca)
same "two ranks" 2 ${#ranks[@]}
rounds=${ITHACA_LOAD:-$([[ ${ITHACA_LONG:-} ]] && echo 2000 || echo 40)}
memory=1
[[ ${BUILD:-} != *[at]san* ]] || memory=0 # sanitizers keep what is freed; leaks are told at the end
"${inside[@]}" env PYTHONPATH="$work" PYTHONDONTWRITEBYTECODE=1 python3 tests/cli/load.py "$url" "$rounds" "${ITHACA_LOAD_SEED:-1}" $memory "${ranks[@]}" ||
    not_ok "load.py has ended with an error"
mpirun=$server
((${#inside[@]} == 0)) || mpirun=$(processes mpirun)
kill -USR1 "$mpirun"
wait $server
same "the server ends" 0 $?
