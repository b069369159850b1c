#!/bin/bash
# exchange.sh - compares ways to exchange in prefill, over links of chosen rates, in rounds in which
# the ways take turns. Run it as root; see hosts.sh.
#
#   cluster/lab/exchange.sh [HOSTS [RATE...]]     default: 2 hosts, 1gbit 10gbit
#
# Prints a line for each run, and one of medians for each rate and way: tokens per second, and the
# seconds that rank 0 spent in exchanges. That is what computing did not hide, including waits for
# slower ranks.
#
#   WAYS     options of `ithaca run` to compare, separated by ; (default: 1, 2 and 4 head slices)
#   TOKENS   length of the prompt (2048)
#   ROUNDS   runs of each way (3)
#   ITHACA   the program (build/release/ithaca)
#   ARGS     model and sizes, as `ithaca run` takes them
set -euo pipefail
cd "$(dirname "$0")/../.."
source cluster/lab/links.sh 2 "$@"

IFS=';' read -ra ways <<<"${WAYS:---head-slices 1;--head-slices 2;--head-slices 4}"
tokens=${TOKENS:-2048} rounds=${ROUNDS:-3}
ithaca=${ITHACA:-$PWD/build/release/ithaca}
args=${ARGS:--m synthetic:qwen3-0.6b:q4_0 -t 1}
ids=$(mktemp -p /var/tmp) # a folder that the hosts see

# medians LABEL RESULT...
medians() {
    python3 -c 'import json, statistics, sys
runs = [json.load(open(name)) for name in sys.argv[2:]]
rates = [r["prompt_tokens"] / r["prefill_s"] for r in runs]
waits = [r["profile"]["prefill"]["exchange_s"] for r in runs]
print(sys.argv[1], f"{statistics.median(rates):.1f} {statistics.median(waits):.3f}", flush=True)' "$@"
}

rounds_of_ways() {
    local round i
    for round in $(seq "$rounds"); do
        for i in "${!ways[@]}"; do
            # shellcheck disable=SC2086
            cluster/lab/hosts.sh run "$hosts" "$ithaca" run $args --ids "$ids" -n 0 --json -q --profile ${ways[i]} >"$ids.$i.$round"
            medians "$hosts hosts, $rate, ${ways[i]}: round $round:" "$ids.$i.$round"
        done
    done
    for i in "${!ways[@]}"; do
        medians "$hosts hosts, $rate, ${ways[i]}: median:" "$ids.$i".*
    done
}

trap 'cluster/lab/hosts.sh down; rm -f "$ids" "$ids".*' EXIT
python3 -c 'import random, sys
random.seed(1)
print(*(random.randrange(1000, 100000) for i in range(int(sys.argv[1]))))' "$tokens" >"$ids"
each_rate rounds_of_ways
