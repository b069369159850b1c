#!/bin/bash
# stopped_rank.sh - one rank of a machine is stopped (SIGSTOP) for ever: the others name it and end.
# All are stopped together, as by a batch system that suspends a job: they go on together.
. tests/tap.sh

mark=stopped-rank-$$ # an argument by which this test's processes are found
run=("$ITHACA" run -m "$NEEDLE" --raw -p "The rain" --ignore-eos --temp 0 -n 60 -t 1 --json --stop $mark)
export ITHACA_NETWORK_TIMEOUT=4
ranks() { pgrep -f -- "^$ITHACA run.*$mark"; }

for rank in 0 2; do
    expect "rank $rank is stopped" 1 env ITHACA_TEST_HOOK="length 30 STOP $rank" timeout --kill-after=5 600 scripts/on_ranks.sh 3 "${run[@]}"
    matches "rank $rank is stopped: it is named" "$err" "^ithaca: error: rank $(((rank + 1) % 3)): rank $rank on $(hostname) has not run for 4 seconds: it is stopped"
    for _ in $(seq 6000); do
        [[ -n $(ranks) ]] || break
        sleep 0.1
    done
    same "rank $rank is stopped: none is left" "" "$(ranks)"
done

expect "undisturbed" 0 "${run[@]}"
want=$(field "$out" "j['ids'], j['logits_sha256']")
ITHACA_TEST_HOOK="answer 20 $work/here" scripts/on_ranks.sh 3 "${run[@]}" >"$out" 2>"$err" &
holding "$work/here" $!
all=$(ranks)
kill -STOP $all
for pid in $all; do
    until [[ $(ps -o stat= -p "$pid") != [RSD]* ]]; do sleep 0.1; done
done
sleep 9 # longer than any of them is patient
kill -CONT $all
echo >"$work/here"
wait $!
same "all are stopped together: they go on" 0 $?
same "all are stopped together: the same" "$want" "$(field "$out" "j['ids'], j['logits_sha256']")"
