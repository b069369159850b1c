# launch.sh - sourced by the job scripts beside it: starts the program on all ranks of a SLURM job,
# and stops it in time. A script finds this file through the program: in share/ithaca/slurm of an
# installation, in cluster/slurm of a checkout. So a copy of a script alone works anywhere.
#
# It reads $script, the name of a script, $program, and $ranks_per_node where that is not what SLURM
# was told; it sets $launcher, and $cpus, the cores of a rank.
#
#   ITHACA_LAUNCH   pmix, pmi2: srun --mpi=pmix, --mpi=pmi2; mpirun. Default: the first that is
#                   there and suits the program's MPI library
# shellcheck shell=bash disable=SC2154

say() { echo "$script: $*" >&2; }

# property NAME: a line of `ithaca version`
property() { "$program" version 2>/dev/null | sed -n "s/^  $1  *//p"; }

# offers PLUGIN: does srun --mpi know it?
offers() { srun --mpi=list 2>&1 | grep -qE "(^|[^a-z0-9])$1([^a-z0-9]|\$)"; }

# Open MPI 4 speaks PMI-2 only where it was built with SLURM's library, which is rare; MPICH and its
# kin speak PMI-2 always.
choose_launcher() {
    local mpi
    mpi=$(property mpi)
    launcher=${ITHACA_LAUNCH:-}
    case $launcher in
    pmix | pmi2 | mpirun) return ;;
    srun | '') ;;
    *)
        say "ITHACA_LAUNCH is pmix, pmi2 or mpirun, not \"$launcher\""
        exit 2
        ;;
    esac
    if [[ $mpi != "Open MPI"* ]] && offers pmi2; then
        launcher=pmi2
    elif offers 'pmix(_v[0-9]+)?'; then
        launcher=pmix
    elif offers pmi2 && ompi_info 2>/dev/null | grep -q 'MCA pmix: s2'; then
        launcher=pmi2
    elif command -v mpirun >/dev/null && [[ $launcher != srun ]]; then
        launcher=mpirun
    else
        say "no way to start ranks with ${mpi:-the program}: srun --mpi=list has neither pmix nor pmi2 for it$(
            [[ $launcher == srun ]] || echo ", and there is no mpirun: load the module of that MPI library")"
        exit 1
    fi
}

# Cores of a rank: as many as were asked for; else the node's, divided among its ranks. The program
# counts cores, not hardware threads, of those that this job may use.
count_cores() {
    local each=${ranks_per_node:-${SLURM_NTASKS_PER_NODE:-1}} cores
    cores=$(property cores)
    cpus=${SLURM_CPUS_PER_TASK:-}
    [[ -z ${ranks_per_node:-} && -n $cpus ]] && return
    cpus=${SLURM_CPUS_ON_NODE:-$cores}
    [[ -n $cores ]] && ((cores < cpus)) && cpus=$cores
    cpus=$((cpus / each))
    ((cpus >= 1)) || cpus=1
}

# command_of WORD...: sets the array $run to what starts ithaca with these words on all ranks.
# Ranks end together, so a rank that is left behind waits for a dead one: --wait kills it. Without
# --kill-on-bad-exit=0, when all ranks end with 75, the first one would get the others killed, and
# srun would return their status.
command_of() {
    local step=() on=(--bind-to none) nodes=${SLURM_JOB_NUM_NODES:-1}
    if [[ -n ${ranks_per_node:-} ]]; then
        # The job was given one task a node; Open MPI reads how many it may start.
        export SLURM_TASKS_PER_NODE="$ranks_per_node(x$nodes)"
        unset SLURM_NTASKS_PER_NODE SLURM_CPUS_PER_TASK
        step=(--ntasks=$((ranks_per_node * nodes)) --ntasks-per-node="$ranks_per_node" --distribution=block:block)
        on=(-n $((ranks_per_node * nodes)) --map-by numa --bind-to numa)
    fi
    run=("$program" "$@")
    case $launcher in
    mpirun) run=(mpirun "${on[@]}" "${run[@]}") ;;
    *) run=(srun --mpi="$launcher" --kill-on-bad-exit=0 --wait=10 "${step[@]}" --cpus-per-task="$cpus" --cpu-bind=cores "${run[@]}") ;;
    esac
}

# The job's time limit in seconds; nothing if there is none, or SLURM does not say.
limit_s() {
    local text days=0 h=0 m=0 s=0
    text=$(squeue -h -j "$SLURM_JOB_ID" -o %l 2>/dev/null) || return 0
    [[ $text == *-* ]] && days=${text%%-*} text=${text#*-}
    [[ $text =~ ^(([0-9]+:)?([0-9]+):)?([0-9]+)$ ]] || return 0
    h=${BASH_REMATCH[2]%:} m=${BASH_REMATCH[3]} s=${BASH_REMATCH[4]}
    echo $(((10#$days * 24 + 10#${h:-0}) * 3600 + 10#${m:-0} * 60 + 10#$s))
}

# Where the limit is not longer than the lead of --signal, the warning comes as the job starts.
warned() {
    local limit
    limit=$(limit_s)
    if [[ -n $limit ]] && ((limit <= 120 && SECONDS < limit / 2)); then
        say "a time limit of $limit s is too short to stop before it; the run goes on"
    else
        stop
    fi
}

# srun and mpirun pass SIGUSR1 on to all ranks.
stop() {
    stopping=1 # read by array.sbatch
    [[ -z ${started:-} ]] || kill -USR1 "$started" 2>/dev/null
}

# launch WORD...: runs ithaca on all ranks and returns its exit status. SLURM's warning of the time
# limit (SIGUSR1), and that of preemption (SIGTERM), ask the ranks to stop. `wait` returns when a
# signal comes, too, so it is repeated as long as the launcher runs.
launch() {
    local status=0 run
    command_of "$@"
    trap warned USR1
    trap stop TERM
    "${run[@]}" &
    started=$!
    wait $started || status=$?
    while kill -0 $started 2>/dev/null; do
        status=0
        wait $started || status=$?
    done
    started=
    return $status
}

# Exit status 75: stopped and saved. The job goes back into the queue, unless it is there already, as
# when it was preempted.
requeue() {
    say "saved; the job goes back into the queue"
    scontrol requeue "$SLURM_JOB_ID" || [[ $(squeue -h -j "$SLURM_JOB_ID" -o %T 2>/dev/null) == PENDING ]] ||
        say "saved; submit it again to resume"
}

# A job that was requeued shows its whole answer again, so what it has shown before is dropped.
begin_output() {
    if ((${SLURM_RESTART_COUNT:-0} > 0)) && [[ -f /proc/self/fd/1 ]]; then
        : >/proc/self/fd/1
    fi
}

# has OPTION WORD...: is the option among the words?
has() {
    local option=$1 word
    shift
    for word; do [[ $word != "$option" && $word != "$option="* ]] || return 0; done
    return 1
}

if [[ ! -x $program ]]; then
    say "no program at $program: build it there with make, or set ITHACA"
    exit 1
fi
choose_launcher
count_cores
