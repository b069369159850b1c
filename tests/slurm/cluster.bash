# cluster.bash - sourced by tests/slurm/*.sh: a SLURM cluster of two hosts, which cluster/lab/slurm.sh
# makes of this machine, and what is asked of jobs. Needs root; what is missing skips the test.
# shellcheck shell=bash disable=SC2034,SC2154
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

here=$work/here # where rank 0 waits (src/base/testhook.h)

# submit NODES TASKS_PER_NODE WORD...: words are options of sbatch, --, those of the script, which is
# $template, or ithaca.sbatch. Leaves the job's number in $job, its files in $stdout and $stderr.
# $hook says where the program is disturbed.
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
        "cluster/slurm/${template:-ithaca.sbatch}" "$@" 2>"$err") || note <"$err"
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
