#!/bin/bash
# A rank that gives up or is killed ends all ranks, with its message and exit status.
#
#   tests/parallel/abort.sh [BUILD]      BUILD: build/release
set -u
here=$(dirname "$0")
. "$here/mpirun.sh"

program=${1:-build/release}/tests/parallel/test_comm_abort
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=0

report() { # name, result of the checks before
    if [ "$2" = 0 ]; then
        echo "ok $1"
    else
        echo "not ok $1"
        sed 's/^/# /' "$log"
        failed=1
    fi
}

# Ranks 0 and 3 wait in a collective, rank 2 never comes to it.
run_ranks 4 300 "$program" abort >"$log" 2>&1
[ $? = 7 ]
report "abort_gives_its_exit_status" $?
grep -qx 'ithaca: error: rank 1: layers.3.bias: not a number' "$log"
report "abort_names_rank_and_reason" $?
! grep -q 'a rank went on' "$log"
report "abort_ends_the_others" $?

run_ranks 4 300 "$program" mpi >"$log" 2>&1
[ $? = 1 ] && grep -q '^ithaca: error: rank 1: MPI_Bcast failed: MPI_ERR_ROOT' "$log" &&
    ! grep -q 'a rank went on' "$log"
report "a_failing_mpi_call_ends_all" $?

run_ranks 4 300 "$program" kill >"$log" 2>&1
[ $? = 137 ] # 128 + SIGKILL, mpirun's own; 124 or a kill after the time limit would print nothing
report "a_killed_rank_ends_all" $?
grep -q 'rank 1 .*signal 9' "$log" && ! grep -q 'a rank went on' "$log"
report "a_killed_rank_is_named" $?

exit $failed
