#!/bin/bash
# Jobs of cluster/slurm/ithaca.sbatch on a SLURM cluster of two hosts, which cluster/lab/slurm.sh makes of this machine: the bits of one process; ranks
# that are killed; warnings, requeues, jobs side by side. Some minutes, as root: `make check-long` only. Skipped where SLURM cannot be started.
[[ ${ITHACA_LONG:-} == 1 ]] || { echo "ok slurm # SKIP ITHACA_LONG=1 runs it"; exit 0; }
mkdir -p "${BUILD:-build/release}"
TMPDIR=$(readlink -f "${BUILD:-build/release}") # a job's files: each host has a /tmp of its own
export TMPDIR
. tests/tap.sh
unset TMPDIR

export ITHACA_LAB=$work/lab ITHACA_LAB_NAME=job$((BASHPID % 100000))
lab=$PWD/cluster/lab/slurm.sh
program=$(readlink -f "$ITHACA")
lab() { timeout 60 "$lab" "$@"; }

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
options=(-m "$PWD/$NEEDLE" -f "$work/text" --ignore-eos --temp 0.9 --seed 5 --json -n)
endless=(-m "$PWD/$NEEDLE" --raw -p "The rain" --ignore-eos -n 100000 --temp 0)
result() { field "$1" "hash(tuple(j['ids'])), j['logits_sha256']"; }

# submit NODES TASKS_PER_NODE WORD...: options of sbatch, --, those of ithaca; leaves the job's number in $job, its files are $stdout and $stderr
submit() {
    local size=(--nodes="$1" --ntasks-per-node="$2" --cpus-per-task=1 --oversubscribe) own=()
    shift 2
    while [[ $1 != -- ]]; do
        own+=("$1")
        shift
    done
    shift
    job=$(lab exec env ITHACA="$program" sbatch --parsable "${size[@]}" --output="$work/%j.out" --error="$work/%j.err" "${own[@]}" \
        cluster/slurm/ithaca.sbatch "$@" 2>"$err") || note <"$err"
    stdout=$work/$job.out stderr=$work/$job.err
}

# about JOB FIELD: as `scontrol show job` has it
about() { lab exec scontrol -o show job "$1" 2>/dev/null | grep -oP "(?<= $2=)[^ ]*"; }

# comes CONDITION...: waits for it; three minutes are more than anything here takes
comes() {
    local end=$((SECONDS + 200))
    until "$@"; do
        ((SECONDS < end)) || return 1
        sleep 0.05
    done
}
has_ended() { [[ $(about "$1" JobState) =~ ^(COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL)$ ]]; }
is_running() { [[ $(about "$1" JobState) == RUNNING ]]; }
was_requeued() { [[ $(about "$1" Restarts) == [1-9]* ]]; }
has_segments() { (($(find "$saved/kv" -name head-0.kv 2>/dev/null | wc -l) >= $1)); }
has_answered() { (($(stat -c %s "$saved/answer" 2>/dev/null || echo 0) >= 24 * $1)); }
has_said() { grep -q "$1" "$2" 2>/dev/null; }
ranks_of() { ip netns pids "$ITHACA_LAB_NAME-$1" | while read -r pid; do [[ $(cat "/proc/$pid/comm" 2>/dev/null) == ithaca ]] && echo "$pid"; done; }
runs_on() { [[ -n $(ranks_of "$1") ]]; }

# ended NAME STATE EXIT_CODE: how $job ended
ended() {
    comes has_ended "$job" || lab exec scancel "$job"
    same "$1: ended" "$2 $3" "$(about "$job" JobState) $(about "$job" ExitCode)"
    [[ $(about "$job" JobState) == "$2" ]] || note <"$stderr"
}

# as_wanted NAME TOKENS: and said what one process says
as_wanted() {
    ended "$1" COMPLETED 0:0
    same "$1: the same text and logits" "${want[$2]}" "$(result "$stdout")"
}

brief=100 long=1500 # tokens: the long answer takes as long as it takes to disturb it
declare -A want
for n in $brief $long; do
    expect "one process, $n tokens" 0 "$ITHACA" run "${options[@]}" "$n"
    want[$n]=$(result "$out")
done

for tasks in 1 2; do
    submit 2 $tasks -- "${options[@]}" $brief
    as_wanted "2 hosts, $tasks ranks each" $brief
    same "2 hosts, $tasks ranks each: so many" "$((2 * tasks)) n[1-2]" "$(field "$stdout" "j['ranks']") $(about "$job" NodeList)"
done

ITHACA_LAUNCH=mpirun submit 2 1 -- "${options[@]}" $brief
as_wanted "by mpirun" $brief

# One that cannot begin
submit 2 2 -- -m "$work/nowhere" -p "Who?"
ended "no such model" FAILED 1:0
same "no such model: one line" 1 "$(grep -c '^ithaca: ' "$stderr")"
matches "no such model: names it" "$stderr" "^ithaca: .*nowhere"

# Killed ranks
for host in n1 n2; do
    submit 2 1 -- "${endless[@]}"
    comes has_said "[a-z]" "$stdout"
    ranks_of $host | xargs kill -9
    ended "rank on $host killed" FAILED 137:0
    matches "rank on $host killed: said so" "$stderr" "$host: task [01]: Killed"
    comes eval "! runs_on n1 && ! runs_on n2"
    same "rank on $host killed: none is left" "" "$(ranks_of n1; ranks_of n2)"
done

# Told to stop: saved, and back in the queue; once by a signal to the script, once to the ranks alone
for way in --batch --signal=USR1; do
    saved=$work/run
    rm -rf "$saved"
    submit 2 1 -- "${options[@]}" $long --checkpoint "$saved"
    moment="has_segments 2"
    [[ $way == --batch ]] || moment="has_answered 30"
    # shellcheck disable=SC2086 # two words
    comes $moment
    lab exec scancel --signal=USR1 $way "$job"
    comes was_requeued "$job"
    same "scancel $way: back in the queue" 1 "$(about "$job" Restarts)"
    as_wanted "scancel $way" $long
    same "scancel $way: it went on" True "$(field "$stdout" "j['restored_tokens'] > 1000")"
done

# Without a place in the queue: its exit status says that it is saved, the same command goes on
rm -rf "$saved"
submit 2 2 --no-requeue -- "${options[@]}" $long --checkpoint "$saved"
comes has_answered 30
lab exec scancel --signal=USR1 "$job"
ended "not to be requeued" FAILED 75:0
matches "not to be requeued: saved" "$stderr" "^ithaca: stopped and saved in .*; run the same command again to resume"
matches "not to be requeued: said so" "$stderr" "^ithaca.sbatch: saved; submit it again"
submit 1 1 -- "${options[@]}" $long --checkpoint "$saved"
as_wanted "submitted again, on one host" $long
same "submitted again: it went on" True "$(field "$stdout" "j['restored_tokens'] > 1000")"

# Requeued from outside, which kills it
rm -rf "$saved"
submit 2 1 -- "${options[@]}" $long --checkpoint "$saved"
comes has_answered 30
lab exec scontrol requeue "$job"
as_wanted "requeued" $long
same "requeued: it went on" True "$(field "$stdout" "j['restored_tokens'] > 1000")"

# SLURM's own warning of the time limit
rm -rf "$saved"
submit 2 1 --time=1 --signal=B:USR1@5 -- "${endless[@]}" --checkpoint "$saved"
comes was_requeued "$job"
same "time limit: warned, saved, back in the queue" 1 "$(about "$job" Restarts)"
lab exec scancel "$job"
same "time limit: something is saved" yes "$( [[ -s $saved/answer ]] && echo yes)"

# Side by side
rm -rf "$saved"
submit 2 1 -- "${endless[@]}"
other=$job
comes runs_on n2
for i in 1 2 3; do
    submit 2 1 -- "${options[@]}" $brief
    as_wanted "beside another, $i" $brief
done
same "beside others: the first still runs" RUNNING "$(about "$other" JobState)"
lab exec scancel "$other"
