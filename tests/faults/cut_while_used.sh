#!/bin/bash
# cut_while_used.sh - a mapped pack is cut short while an answer is decoded: one line that names the
# file, and exit status 1, on one rank and on two.
. tests/tap.sh

pack=$work/model.ith
python3 tests/faults/big_model.py $NEEDLE "$work/folder"
expect "pack" 0 "$ITHACA" pack "$work/folder" -o "$work/whole.ith" -q --zstd 0
seq 1 20 >"$work/ids"

# cut RANKS: cuts the pack in the middle of an answer
cut() {
    local job here=$work/here
    cp "$work/whole.ith" "$pack"
    : >"$out"
    rm -f "$here"
    ITHACA_TEST_HOOK="answer 5 $here" timeout --kill-after=5 300 scripts/on_ranks.sh "$1" "$ITHACA" run -m "$pack" --ids "$work/ids" -n 40 \
        --ignore-eos --speculate off --threads 1 --ctx 100 --placement replicated >"$out" &
    job=$!
    holding "$here" $job
    truncate -s 8192 "$pack"
    rm -f "$here"
    wait $job
}

for ranks in 1 2; do
    expect "$ranks: ends with status 1" 1 cut $ranks
    matches "$ranks: the file is named" "$err" "^ithaca: error: (rank [01]: )?/.*/model.ith: .*cut short"
    same "$ranks: it had begun" yes "$([[ -s $out ]] && echo yes)"
done
same "one line of one rank" 1 "$(cut 1 2>&1 >/dev/null | grep -c 'model.ith')"

# Anything else that raises the signal has its usual effect.
expect "a signal that is sent" 135 bash -c "ITHACA_TEST_HOOK='answer 5 BUS' '$ITHACA' run -m '$work/folder' --ids '$work/ids' -n 40 --ignore-eos --ctx 100"
