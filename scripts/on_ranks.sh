#!/bin/sh
# on_ranks.sh - mpirun on one machine, as the demo and the tests need it: also as root, with more
# ranks than cores, without binding ranks to cores.
#
#   scripts/on_ranks.sh RANKS COMMAND...
set -eu

ranks=$1
shift
if [ "$(id -u)" -eq 0 ]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
# Containers forbid the calls behind single-copy messages, and have no fabric. Open MPI would warn
# about both.
export OMPI_MCA_btl_vader_single_copy_mechanism=none OMPI_MCA_btl_base_warn_component_unused=0
# For builds with LeakSanitizer: whole call stacks tell Open MPI's leaks from ours.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}fast_unwind_on_malloc=0"
exec mpirun -n "$ranks" --oversubscribe --bind-to none "$@"
