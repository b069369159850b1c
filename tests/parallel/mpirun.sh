# mpirun.sh - sourced by the parallel tests: how they start ranks on one machine, as root or not.
#
#   run_ranks N SECONDS PROGRAM [ARG...]   exit status of mpirun; 124 or 137 after SECONDS

if [ "$(id -u)" = 0 ]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
export OMPI_MCA_btl_base_warn_component_unused=0 # no fabric here
# Where a process may not read another's memory, Open MPI would warn and then copy twice.
if [ "$(cat /proc/sys/kernel/yama/ptrace_scope 2>/dev/null || echo 0)" -gt 1 ]; then
    export OMPI_MCA_btl_vader_single_copy_mechanism=none
fi
# Sanitizer builds: whole stacks are needed to tell Open MPI's leaks from ours.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}fast_unwind_on_malloc=0"
export LSAN_OPTIONS="suppressions=$(dirname "${BASH_SOURCE[0]}")/lsan.supp:print_suppressions=0"

run_ranks() {
    local ranks=$1 seconds=$2
    shift 2
    timeout -k 5 "$seconds" mpirun --oversubscribe --bind-to none -n "$ranks" "$@" </dev/null
}
