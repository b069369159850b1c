#!/bin/bash
# serve_load.sh - a server on two ranks with clients that leave, stall and send rubbish beside others: the answers are right, its memory stays
# as it is, and it ends. Longer with ITHACA_LONG=1; ITHACA_LOAD=ROUNDS and ITHACA_LOAD_SEED=N for as long as one likes.
. tests/tap.sh
. tests/served.sh

on=(scripts/on_ranks.sh 2)
start --ctx 4096 --chunk 128 --max-sessions 6 --max-waiting 24 --max-connections 64 --max-body 64KiB
mapfile -t ranks < <(pgrep -P "$server" -f 'serve')
same "two ranks" 2 ${#ranks[@]}
rounds=${ITHACA_LOAD:-$([[ ${ITHACA_LONG:-} ]] && echo 2000 || echo 40)}
memory=1
[[ ${BUILD:-} != *asan* ]] || memory=0 # AddressSanitizer keeps what is freed; leaks are told at the end
PYTHONPATH=$work PYTHONDONTWRITEBYTECODE=1 python3 tests/cli/load.py "$url" "$rounds" "${ITHACA_LOAD_SEED:-1}" $memory "${ranks[@]}" || not_ok "load.py has ended with an error"
stop "the server ends"
