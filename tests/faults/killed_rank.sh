#!/bin/bash
# One rank of four is killed while a prompt is prefilled: all end within ten seconds, with a message, and none is left.
. tests/tap.sh

haystack --tokens 32768 --depth 0.5 --seed 1 >"$work/text" 2>/dev/null
mark=killed-rank-$$ # an argument by which this test's processes are found
for signal in KILL SEGV; do
    scripts/on_ranks.sh 4 "$ITHACA" run -m $NEEDLE -f "$work/text" --stop $mark --threads 1 --chunk 64 -n 8 >"$out" 2>"$err" &
    job=$!
    for _ in $(seq 300); do # until four ranks run and have had a moment to begin
        [ "$(pgrep -fc -- "^$ITHACA run.*$mark")" = 4 ] && break
        sleep 0.1
    done
    sleep 1
    pkill -$signal -n -f -- "^$ITHACA run.*$mark"
    start=$SECONDS
    wait $job
    status=$?
    same "killed by $signal: the job fails" failed "$([ $status != 0 ] && echo failed || echo "exit status $status")"
    same "killed by $signal: within ten seconds" yes "$([ $((SECONDS - start)) -le 10 ] && echo yes || echo $((SECONDS - start)) s)"
    same "killed by $signal: no rank is left" 0 "$(pgrep -fc -- "^$ITHACA run.*$mark")"
    matches "killed by $signal: a message" "$err" "signal (9|11)|SEGV"
done
