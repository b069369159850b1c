#!/bin/bash
# measure.sh - compares prefill by tokens (Ulysses) with prefill by rows (tensor parallel), over
# links of 1 and 10 Gbit/s. Run it as root; see hosts.sh.
#
#   cluster/lab/measure.sh [HOSTS [RATE...]]     default: 4 hosts, 1gbit 10gbit
#
# Prints a line for each: rate, way, exchange strategy, tokens per second (median), seconds of each
# repetition, MB that rank 0 sent in one of them. ARGS: model and sizes, as `ithaca bench model`
# takes them.
set -euo pipefail
cd "$(dirname "$0")/../.."
source cluster/lab/links.sh 4 "$@"

args=${ARGS:---shape qwen3-0.6b --type q4_0 --depths 0 --prompt 512 --decode 0 --repetitions 3 -t 1}

ways() {
    local way
    for way in ulysses:alltoallv ulysses:pairwise ulysses:node rows:auto; do
        # shellcheck disable=SC2086
        cluster/lab/hosts.sh run "$hosts" "$PWD/build/release/ithaca" bench model $args --json -q \
            --prefill "${way%:*}" --exchange "${way#*:}" |
            python3 -c 'import json, sys
p = json.load(sys.stdin)["results"][0]
print(*sys.argv[1:], round(p["tokens_per_second"], 1), *(round(s, 3) for s in p["seconds"]["values"]), round(p["wire_bytes_per_rank"] * 1e-6, 1))' "$rate" "${way%:*}" "${way#*:}"
    done
}

each_rate ways
