#!/bin/bash
# jobs.sh - jobs of cluster/slurm/ithaca.sbatch on a SLURM cluster of two hosts, which
# cluster/lab/slurm.sh makes of this machine: the bits of one process; ranks that are killed;
# warnings, requeues, and jobs side by side. It takes minutes and runs as root, so only `make
# check-long` runs it. Skipped where SLURM cannot be started.
[[ ${ITHACA_LONG:-} == 1 ]] || { echo "ok slurm # SKIP ITHACA_LONG=1 runs it"; exit 0; }
. tests/slurm/cluster.bash

haystack --tokens 6000 --depth 0.4 --seed 3 >"$work/text" 2>/dev/null
options=(-m "$PWD/$NEEDLE" -f "$work/text" --ignore-eos --temp 0.9 --seed 5 --json -n 100)
short=(-m "$PWD/$NEEDLE" --raw -p "The rain" --ignore-eos -n 100 --temp 0)
result() { field "$1" "hash(tuple(j['ids'])), j['logits_sha256']"; }

# as_wanted NAME: the job ended well and said what one process says
as_wanted() {
    ended "$1" COMPLETED 0:0
    same "$1: the same text and logits" "$want" "$(result "$stdout")"
}

expect "one process" 0 "$ITHACA" run "${options[@]}"
want=$(result "$out")

for tasks in 1 2; do
    submit 2 $tasks -- "${options[@]}"
    as_wanted "2 hosts, $tasks ranks each"
    same "2 hosts, $tasks ranks each: so many" "$((2 * tasks)) n[1-2]" "$(field "$stdout" "j['ranks']") $(about "$job" NodeList)"
done

ITHACA_LAUNCH=mpirun submit 2 1 -- "${options[@]}"
as_wanted "by mpirun"

# A job that cannot start
submit 2 2 -- -m "$work/nowhere" -p "Who?"
ended "no such model" FAILED 1:0
same "no such model: one line" 1 "$(grep -c '^ithaca: ' "$stderr")"
matches "no such model: names it" "$stderr" "^ithaca: .*nowhere"

# Killed ranks
for rank in 0 1; do
    name="rank $rank killed" host=n$((rank + 1))
    hook="length 20 KILL $rank" submit 2 1 -- "${short[@]}"
    ended "$name" FAILED 137:0
    matches "$name: said so" "$stderr" "$host: task $rank: Killed"
    comes eval "! runs_on n1 && ! runs_on n2"
    same "$name: none is left" "" "$(ranks_of n1; ranks_of n2)"
done

# Told to stop, by a signal to the script or to the ranks alone: saved, and back in the queue
saved=$work/run
for way in --batch --signal=USR1; do
    rm -rf "$saved"
    point="length 2048"
    [[ $way == --batch ]] || point="answer 30"
    hook="$point $here" submit 2 1 -- "${options[@]}" --checkpoint "$saved"
    comes holds
    lab exec scancel --signal=USR1 $way "$job"
    comes was_requeued "$job"
    same "scancel $way: back in the queue" 1 "$(about "$job" Restarts)"
    goes_on
    as_wanted "scancel $way"
    same "scancel $way: it went on" True "$(field "$stdout" "j['restored_tokens'] > 1000")"
done

# A job that cannot be requeued: its exit status says that it is saved, and the same command resumes
rm -rf "$saved"
hook="answer 30 $here" submit 2 2 --no-requeue -- "${options[@]}" --checkpoint "$saved"
comes holds
lab exec scancel --signal=USR1 "$job"
ended "not to be requeued" FAILED 75:0
matches "not to be requeued: saved" "$stderr" "^ithaca: stopped and saved in .*; run the same command again to resume"
matches "not to be requeued: said so" "$stderr" "^ithaca.sbatch: saved; submit it again"
submit 1 1 -- "${options[@]}" --checkpoint "$saved"
as_wanted "submitted again, on one host"
same "submitted again: it went on" True "$(field "$stdout" "j['restored_tokens'] > 1000")"

# Requeued by someone else, which kills it
rm -rf "$saved"
hook="answer 30 $here" submit 2 1 -- "${options[@]}" --checkpoint "$saved"
comes holds
lab exec scontrol requeue "$job"
comes was_requeued "$job"
goes_on
as_wanted "requeued"
same "requeued: it went on" True "$(field "$stdout" "j['restored_tokens'] > 1000")"

# SLURM's own warning of the time limit
rm -rf "$saved"
hook="answer 30 $here" submit 2 1 --time=1 --signal=B:USR1@5 -- "${short[@]}" --checkpoint "$saved"
comes was_requeued "$job"
same "time limit: warned, saved, back in the queue" 1 "$(about "$job" Restarts)"
lab exec scancel "$job"
same "time limit: something is saved" yes "$( [[ -s $saved/answer ]] && echo yes)"

# Side by side
rm -rf "$saved"
other_here=$work/other-here
hook="answer 5 $other_here" submit 2 1 -- "${short[@]}"
other=$job
comes test -e "$other_here"
for i in 1 2 3; do
    submit 2 1 -- "${options[@]}"
    as_wanted "beside another, $i"
done
same "beside others: the first still runs" RUNNING "$(about "$other" JobState)"
lab exec scancel "$other"
