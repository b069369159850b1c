#!/bin/bash
# One rank of four is killed while a prompt is prefilled or an answer decoded, wherever the weights are: all end within ten seconds, with a
# message, and none is left.
. tests/tap.sh

mark=killed-rank-$$ # an argument by which this test's processes are found
python3 tests/faults/big_model.py $NEEDLE "$work/model"
seq 1 2000 >"$work/lines" && cat "$work"/lines{,,,,,,,} >"$work/prefill" # 16,000 tokens
seq 1 64 >"$work/decode"

# start MOMENT TOKENS OPTION...: a run that is long in its prompt, or in its answer
start() {
    local moment=$1 n=$2
    shift 2
    scripts/on_ranks.sh 4 "$ITHACA" run -m "$work/model" --ids "$work/$moment" -n "$n" --stop $mark --threads 1 --ctx 36100 --chunk 64 \
        --ignore-eos --speculate off "$@"
}

running() { pgrep -fc -- "^$ITHACA run.*$mark"; }

# has_begun MOMENT: four ranks run; decoding shows by its text
has_begun() { [[ $(running) == 4 && ($1 == prefill || -s $out) ]]; }

# killed SIGNAL MOMENT OPTION...
killed() {
    local signal=$1 moment=$2 name="$2, ${*:3}, killed by $1" job status start
    shift 2
    start "$moment" 20000 "$@" >"$out" 2>"$err" &
    job=$!
    for _ in $(seq 300); do
        has_begun "$moment" && break
        sleep 0.1
    done
    sleep 1
    same "$name: it ran" 4 "$(running)"
    pkill -"$signal" -n -f -- "^$ITHACA run.*$mark"
    start=$SECONDS
    wait $job
    status=$?
    same "$name: the job fails" failed "$([ $status != 0 ] && echo failed || echo "exit status $status")"
    same "$name: within ten seconds" yes "$([ $((SECONDS - start)) -le 10 ] && echo yes || echo $((SECONDS - start)) s)"
    same "$name: no rank is left" 0 "$(running)"
    matches "$name: a message" "$err" "signal (9|11)|SEGV"
}

killed KILL prefill --placement replicated
killed SEGV prefill --placement replicated
killed KILL decode --placement replicated

# Four nodes, whose threads gather from each other beside the passes
export ITHACA_RANKS_PER_NODE=1
mem=32 # MiB a rank: the least that works
until start decode 1 --placement streamed --mem ${mem}MiB --json >"$out" 2>"$err" || ! grep -q -- --mem "$err"; do mem=$((mem + 16)); done
matches "streamed" "$out" '"placement":"streamed over 4 nodes'
for moment in prefill decode; do
    killed KILL $moment --placement sharded
    killed KILL $moment --placement streamed --mem ${mem}MiB
done
