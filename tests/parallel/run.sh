#!/bin/bash
# run.sh - runs a parallel test program once for each rank count in the first line of its source,
# for those behind "long:" only if $ITHACA_LONG is set:
# /* RANKS: 1 2 4, long: 3 8 */
#
#   tests/parallel/run.sh build/release/tests/parallel/test_comm [SECONDS per run]
#
# Prints the program's TAP lines with the rank count: "ok alltoall (3 ranks)". A program that dies,
# hangs or prints nothing gives "not ok test_comm (3 ranks)". The exit status is 1 if anything is
# not ok.
set -u
here=$(dirname "$0")
. "$here/mpirun.sh"

program=$1
seconds=${2:-1200}
name=$(basename "$program")
counts=$(sed -n '1s/.*RANKS:\([ 0-9]*\).*/\1/p' "$here/$name.c")
[ -z "${ITHACA_LONG:-}" ] || counts+=" $(sed -n '1s/.*long:\([ 0-9]*\).*/\1/p' "$here/$name.c")"
failed=0

for ranks in $counts; do
    suffix="($ranks $([ "$ranks" = 1 ] && echo rank || echo ranks))"
    output=$(run_ranks "$ranks" "$seconds" "$program")
    status=$?
    printf '%s\n' "$output" | sed -E "s/^((not )?ok .*)\$/\1 $suffix/"
    if [ $status != 0 ] || ! printf '%s\n' "$output" | grep -q '^ok '; then
        echo "not ok $name $suffix"
        failed=1
    fi
    printf '%s\n' "$output" | grep '^not ok ' | grep -qv '# *SKIP' && failed=1
done
exit $failed
