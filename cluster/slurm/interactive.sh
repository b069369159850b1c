#!/bin/bash
# interactive.sh - talks with a model on nodes of a SLURM cluster, from the terminal of the login
# node.
#
#   cluster/slurm/interactive.sh -m MODEL                       two nodes, one rank on each
#   cluster/slurm/interactive.sh --nodes=4 --time=2:00:00 -- -m MODEL
#   salloc --nodes=2 --exclusive; cluster/slurm/interactive.sh -m MODEL
#
# What stands before -- are options of salloc, what stands after it those of ithaca chat, or of
# another subcommand. Inside an allocation that one is used. ITHACA and ITHACA_LAUNCH are as in
# ithaca.sbatch.
set -euo pipefail

script=interactive.sh
own=(--nodes=2 --ntasks-per-node=1 --exclusive --hint=nomultithread)
for ((i = 1; i <= $#; i++)); do
    if [[ ${!i} == -- ]]; then
        own+=("${@:1:i-1}")
        shift "$i"
        break
    fi
done
if (($# == 0)); then
    echo "$script: expected: interactive.sh [OPTION OF salloc... --] -m MODEL [OPTION...]" >&2
    exit 2
fi
[[ -n ${SLURM_JOB_ID:-} ]] || exec salloc "${own[@]}" "$(readlink -f "$0")" "$@"

program=$(command -v "${ITHACA:-ithaca}" || echo "${ITHACA:-$PWD/build/release/ithaca}")
folder=$(dirname "$(readlink -m "$program")")
for launch in "$folder"/../share/ithaca/slurm/launch.sh "$folder"/../../cluster/slurm/launch.sh; do
    [[ ! -r $launch ]] || break
done
if [[ ! -r $launch ]]; then
    echo "$script: no program with its launch.sh at $program: build it there with make, or set ITHACA" >&2
    exit 1
fi
# shellcheck source-path=SCRIPTDIR source=launch.sh
. "$launch"

command=chat
if [[ $1 != -* ]]; then
    command=$1
    shift
fi
command_of "$command" --threads "$cpus" "$@"
# Only rank 0 reads; a terminal is its own.
[[ $launcher == mpirun ]] || { [[ -t 0 ]] && run=("${run[0]}" --pty "${run[@]:1}") || run=("${run[0]}" --input=0 "${run[@]:1}"); }
exec "${run[@]}"
