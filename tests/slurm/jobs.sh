#!/bin/bash
# jobs.sh - jobs of cluster/slurm/ithaca.sbatch on a SLURM cluster of two hosts, which
# cluster/lab/slurm.sh makes of this machine: the bits of one process; ranks that are killed;
# warnings, requeues, and jobs side by side. It takes minutes and runs as root, so only `make
# check-long` runs it. Skipped where SLURM cannot be started.
[[ ${ITHACA_LONG:-} == 1 ]] || { echo "ok slurm # SKIP ITHACA_LONG=1 runs it"; exit 0; }
mkdir -p "${BUILD:-build/release}"
TMPDIR=$(readlink -f "${BUILD:-build/release}") # a job's files: each host has a /tmp of its own
export TMPDIR
. tests/tap.sh
unset TMPDIR

export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export ITHACA_LAB=$work/lab ITHACA_LAB_NAME=job$((BASHPID % 100000))
lab=$PWD/cluster/lab/slurm.sh
program=$(readlink -f "$ITHACA")
lab() { timeout 300 "$lab" "$@"; }

skip() {
    echo "ok slurm # SKIP $*"
    exit 0
}
[[ $(id -u) == 0 ]] || skip "only root can make hosts"
for tool in slurmctld slurmd munged mpirun ip nsenter; do
    command -v $tool >/dev/null || skip "$tool is missing (Debian: slurm-wlm munge iproute2 openmpi-bin)"
done
trap 'lab down >/dev/null 2>&1; rm -rf "$work"' EXIT
lab up 2 >"$out" 2>&1 || skip "no lab: $(tail -n 1 "$out")"
lab exec srun --mpi=list 2>&1 | grep -qw pmix || skip "SLURM has no PMIx"

haystack --tokens 6000 --depth 0.4 --seed 3 >"$work/text" 2>/dev/null
options=(-m "$PWD/$NEEDLE" -f "$work/text" --ignore-eos --temp 0.9 --seed 5 --json -n 100)
short=(-m "$PWD/$NEEDLE" --raw -p "The rain" --ignore-eos -n 100 --temp 0)
here=$work/here # where rank 0 waits (src/base/testhook.h)
result() { field "$1" "hash(tuple(j['ids'])), j['logits_sha256']"; }

# submit NODES TASKS_PER_NODE WORD...: words are options of sbatch, --, those of ithaca. Leaves the
# job's number in $job, its files in $stdout and $stderr. $hook says where the program is disturbed.
submit() {
    local size=(--nodes="$1" --ntasks-per-node="$2" --cpus-per-task=1 --oversubscribe) own=()
    shift 2
    while [[ $1 != -- ]]; do
        own+=("$1")
        shift
    done
    shift
    rm -f "$here"
    job=$(lab exec env ITHACA="$program" ITHACA_TEST_HOOK="${hook:-}" sbatch --parsable "${size[@]}" --output="$work/%j.out" --error="$work/%j.err" "${own[@]}" \
        cluster/slurm/ithaca.sbatch "$@" 2>"$err") || note <"$err"
    stdout=$work/$job.out stderr=$work/$job.err
}

# about JOB FIELD: prints a field as `scontrol show job` has it; a controller that is busy is asked again
about() {
    local text tries=0
    until text=$(lab exec scontrol -o show job "$1" 2>/dev/null); do
        ((++tries < 30)) || return 1
        sleep 1
    done
    grep -oP "(?<= $2=)[^ ]*" <<<"$text"
}

# comes CONDITION...: waits for it; nothing here takes ten minutes
comes() {
    local end=$((SECONDS + 600))
    until "$@"; do
        ((SECONDS < end)) || return 1
        sleep 0.05
    done
}
has_ended() { [[ $(about "$1" JobState) =~ ^(COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL)$ ]]; }
was_requeued() { [[ $(about "$1" Restarts) == [1-9]* ]]; }
holds() { [[ -e $here ]]; }
goes_on() { echo >"$here"; } # and a job that is requeued does not wait there again
ranks_of() { ip netns pids "$ITHACA_LAB_NAME-$1" | while read -r pid; do [[ $(cat "/proc/$pid/comm" 2>/dev/null) == ithaca ]] && echo "$pid"; done; }
runs_on() { [[ -n $(ranks_of "$1") ]]; }

# ended NAME STATE EXIT_CODE: how $job ended
ended() {
    comes has_ended "$job" || lab exec scancel "$job"
    same "$1: ended" "$2 $3" "$(about "$job" JobState) $(about "$job" ExitCode)"
    [[ $(about "$job" JobState) == "$2" ]] || note <"$stderr"
}

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
