#!/bin/bash
# chain.sh - reads a document once and asks many questions about it: a job that computes the
# document into a prompt cache, and a job array of questions that begins when it has ended.
#
#   cluster/slurm/chain.sh QUESTIONS -m MODEL -f book.txt [OPTION...]
#
# QUESTIONS has one on each line; the answers come as in array.sbatch. Options are those of ithaca
# run. The prompt cache is --prompt-cache, or ithaca-cache in this folder: a file system that all
# nodes share. Questions are not asked if the first job fails.
#
#   ITHACA_PREFILL    options of sbatch for the first job: "--nodes=8 --time=2:00:00"
#   ITHACA_QUESTIONS  for the questions: "--array=1-100%8 --nodes=1"; default: four tasks
#   ITHACA_ANSWERS, ITHACA, ITHACA_LAUNCH: as in array.sbatch
#
# Prints the numbers of both jobs.
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
questions=${1:-}
if [[ ! -r $questions || $# -lt 3 ]]; then
    echo "chain.sh: expected: chain.sh QUESTIONS -m MODEL -f FILE [OPTION...], QUESTIONS being a file with one on each line" >&2
    exit 2
fi
shift
cache=("--prompt-cache" "$PWD/ithaca-cache")
for word; do [[ $word != --prompt-cache && $word != --prompt-cache=* ]] || cache=(); done

read -ra first <<<"${ITHACA_PREFILL:-}"
read -ra second <<<"${ITHACA_QUESTIONS:---array=1-4}"
[[ " ${second[*]}" == *" --array"* ]] || second+=(--array=1-4)
prefill=$(sbatch --parsable --job-name=ithaca-prefill "${first[@]}" "$here/ithaca.sbatch" run "$@" "${cache[@]}" -n 0)
prefill=${prefill%%;*} # JOB;CLUSTER on several clusters
answers=$(sbatch --parsable --dependency="afterok:$prefill" --kill-on-invalid-dep=yes "${second[@]}" \
    "$here/array.sbatch" questions "$questions" "$@" "${cache[@]}")
echo "$prefill ${answers%%;*}"
