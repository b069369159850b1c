#!/bin/bash
# One rank of four is killed while a prompt is prefilled or an answer decoded, wherever the weights are: all end, with a message, and none is
# left.
. tests/tap.sh

mark=killed-rank-$$ # an argument by which this test's processes are found
python3 tests/faults/big_model.py $NEEDLE "$work/model"
seq 1 400 >"$work/prefill"
seq 1 64 >"$work/decode"

# start MOMENT TOKENS OPTION...: a run that is disturbed amid its prompt, or amid its answer
start() {
    local moment=$1 n=$2
    shift 2
    timeout --kill-after=10 300 scripts/on_ranks.sh 4 "$ITHACA" run -m "$work/model" --ids "$work/$moment" -n "$n" --stop $mark --threads 1 --ctx 600 --chunk 64 \
        --ignore-eos --speculate off "$@"
}

running() { pgrep -fc -- "^$ITHACA run.*$mark"; }

# killed SIGNAL RANK MOMENT OPTION...: the other ranks go on, to wait for it
killed() {
    local signal=$1 rank=$2 moment=$3 name="rank $2, $3, ${*:4}, killed by $1" want=137 number=9 point="length 192"
    shift 3
    [[ $signal == KILL ]] || want=139 number=11
    [[ $moment == prefill ]] || point="length 72"
    ITHACA_TEST_HOOK="$point $signal $rank" expect "$name: the job fails" $want start "$moment" 100 "$@"
    matches "$name: a message" "$err" "rank $rank .*signal $number"
    for _ in $(seq 3000); do # five minutes are more than they need
        [[ $(running) != 0 ]] || break
        sleep 0.1
    done
    same "$name: no rank is left" 0 "$(running)"
}

killed KILL 3 prefill --placement replicated
killed SEGV 3 prefill --placement replicated
killed KILL 0 prefill --placement replicated
killed KILL 3 decode --placement replicated
killed KILL 0 decode --placement replicated

# Four nodes, whose threads gather from each other beside the passes
export ITHACA_RANKS_PER_NODE=1
mem=32 # MiB a rank: the least that works
until start decode 1 --placement streamed --mem ${mem}MiB --json >"$out" 2>"$err" || ! grep -q -- --mem "$err"; do mem=$((mem + 16)); done
matches "streamed" "$out" '"distribution":"streamed over 4 nodes'
for moment in prefill decode; do
    killed KILL 3 $moment --placement sharded
    killed KILL 3 $moment --placement streamed --mem ${mem}MiB
done
