#!/bin/bash
# Runs all tests of a build and counts them: tests/run.sh [BUILD_DIR [PATTERN]]; PATTERN: only tests whose name contains it.
#
# Every test, program or script, prints TAP lines: "ok NAME" or "not ok NAME". A test that prints none, or that ends with an
# error or a signal without a "not ok", counts as one failure. Each one's output is kept in BUILD_DIR/log/. The last line
# is "N passed, N failed"; the exit status is 1 if any failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

build=${1:-build/release} pattern=${2:-}
log=$build/log
limit_s=${ITHACA_TEST_LIMIT:-900}
passed=0 failed=0 skipped=0

export ITHACA=${ITHACA:-$build/ithaca} BUILD=$build
export CMOCKA_MESSAGE_OUTPUT=TAP
export UBSAN_OPTIONS=print_stacktrace=1 LSAN_OPTIONS=suppressions=$PWD/tests/parallel/lsan.supp:print_suppressions=0
mkdir -p "$log"

count() { grep -c "$1" "$2"; }

# run NAME COMMAND...
run() {
    local name=$1 out=$log/${1//\//.}.log status ok not_ok skip
    shift
    [[ $name == *"$pattern"* ]] || return 0
    timeout --kill-after=10 "$limit_s" "$@" >"$out" 2>&1 </dev/null
    status=$?
    skip=$(count '^ok .*# *SKIP' "$out")
    ok=$(($(count '^ok\>' "$out") - skip))
    not_ok=$(count '^not ok\>' "$out")
    if ((not_ok == 0 && (status != 0 || ok + skip == 0))); then
        not_ok=1
        if ((status == 124 || status == 137)); then
            echo "not ok $name: stopped after $limit_s s" >>"$out"
        elif ((status != 0)); then
            echo "not ok $name: exit status $status" >>"$out"
        else
            echo "not ok $name: no test ran" >>"$out"
        fi
    fi
    passed=$((passed + ok)) failed=$((failed + not_ok)) skipped=$((skipped + skip))
    printf '%-40s %4d passed' "$name" "$ok"
    ((not_ok == 0)) || printf ', %d FAILED: %s' "$not_ok" "$out"
    ((skip == 0)) || printf ', %d skipped' "$skip"
    echo
    ((not_ok == 0)) || grep -A 6 '^not ok' "$out" | head -n 40 | sed 's/^/    /'
    ((skip == 0)) || grep '^ok .*# *SKIP' "$out" | sed 's/^/    /'
}

# Programs of one folder, and scripts of another; a folder may be empty.
programs() {
    local source
    for source in tests/"$1"/test_*.c; do
        [[ -e $source ]] && run "$1/$(basename "$source" .c)" "$build/${source%.c}"
    done
}

scripts() {
    local script
    for script in tests/"$1"/*.sh; do
        [[ -e $script ]] && run "$1/$(basename "$script" .sh)" bash "$script"
    done
}

# On the rank counts of each source's first line; abort.sh starts the one that has none.
parallel() {
    local source
    for source in tests/parallel/test_*.c; do
        [[ -e $source ]] && sed -n 1p "$source" | grep -q 'RANKS: *[0-9]' &&
            run "parallel/$(basename "$source" .c)" bash tests/parallel/run.sh "$build/${source%.c}"
    done
    run parallel/abort bash tests/parallel/abort.sh "$build"
}

scripts layers
programs kernels
scripts kernels
programs unit
programs api
parallel
scripts golden
scripts cli
scripts faults
scripts numa
scripts slurm

((skipped == 0)) || echo "$skipped skipped"
echo "$passed passed, $failed failed"
((failed == 0 && passed > 0))
