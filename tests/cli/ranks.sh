#!/bin/bash
# ranks.sh - the table of ranks, and what is noted of it before weights are read.
. tests/tap.sh

export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_btl_base_warn_component_unused=0
unset SLURM_JOB_ID SLURM_MEM_PER_NODE SLURM_MEM_PER_CPU SLURM_CPUS_ON_NODE
run=("$ITHACA" run -m "$NEEDLE" --raw -p "The rain" -n 2 --temp 0)

# rows: the table's ranks and threads
rows() { awk '$1 ~ /^[0-9]+$/ {print $1, $3}' "$err" | xargs; }

expect "two ranks" 0 mpirun -n 2 --oversubscribe --bind-to none "${run[@]}" -t 1 --report-ranks
same "two ranks: a row for each" "0 1 1 1" "$(rows)"
same "two ranks: the table comes first" "rank" "$(awk 'NR == 1 {print $1}' "$err")"

# The second hardware threads of a machine that is recorded
smt=(env "ITHACA_TOPOLOGY=numa:2 core:4 pu:2")
expect "hardware threads" 0 "${smt[@]}" "${run[@]}" -t 16
matches "hardware threads: noted" "$err" "^ithaca: note: .*: rank 0: 16 threads on 8 cores use both hardware threads of a core, .*: -t 8"
same "hardware threads: no table" "" "$(rows)"
expect "as many threads as cores" 0 "${smt[@]}" "${run[@]}" -t 8 --report-ranks
same "as many threads as cores: nothing is noted" 0 "$(grep -c '^ithaca: note: ' "$err")"
same "as many threads as cores: cores and hardware threads" "8 8 8 16 0,2,4,6,8,10,12,14" "$(awk '$1 == "0" {print $3, $4, $5, $6, $7}' "$err")"
matches "as many threads as cores: memory nodes" "$err" "beside memory node 0,1 of 2"
expect "quiet" 0 "${smt[@]}" "${run[@]}" -t 16 -q --report-ranks
same "quiet: nothing" "" "$(cat "$err")"

# Memory of a SLURM job, given by the node or by the CPU
for given in SLURM_MEM_PER_NODE=40 "SLURM_MEM_PER_CPU=10 SLURM_CPUS_ON_NODE=4"; do
    # shellcheck disable=SC2086 # words on purpose
    expect "$given" 1 env SLURM_JOB_ID=1 $given "${run[@]}" -c 100k
    matches "$given: noted" "$err" "^ithaca: note: .*: rank 0 may take .* GiB of memory \(limited by the SLURM job\), and needs "
    matches "$given: the error" "$err" "^ithaca: error: .*nothing is left for weights"
done
expect "a draft model: one table" 0 "${run[@]}" --draft "$NEEDLE" --report-ranks -t 1
same "a draft model: one row" "0 1" "$(rows)"
expect "plan has no ranks to show" 2 "$ITHACA" plan "$NEEDLE" --report-ranks
