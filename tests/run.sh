#!/bin/bash
# run.sh - runs the tests of a build and counts them.
#
#   tests/run.sh [BUILD_DIR [PATTERN...]]     with PATTERNs: only tests whose name contains one
#
# Every test, program or script, prints TAP lines: "ok NAME" or "not ok NAME". A test that prints
# none, or that ends with an error or a signal without a "not ok", counts as one failure. "# SKIP"
# behind either means skipped: cmocka writes "not ok N # SKIP NAME" for a test that skips itself.
# The output of each is kept in BUILD_DIR/log/. The seconds on its line are what it took;
# BUILD_DIR/log/times has CPU time too (elapsed, user, system). The last line is "N passed, N
# failed"; the exit status is 1 if any failed.
#
# With two cores or more, three tests run at a time (or ITHACA_TEST_JOBS), because most tests wait
# for a process most of the time, ranks for one another. The longest start first, so that none is
# left at the end; results are shown in the order of the starts. Tests therefore share no folders and
# measure no time.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

build=${1:-build/release} patterns=("${@:2}")
log=$build/log
limit_s=${ITHACA_TEST_LIMIT:-3600} # for what hangs: beside busy loops ranks may wait for minutes
jobs=${ITHACA_TEST_JOBS:-$(($(nproc) > 1 ? 3 : 1))}
passed=0 failed=0 skipped=0
running=0 shown=0 names=()
declare -A commands=() # of the tests to be run, by name
added=()
# What takes longest, longest first. A name that is not here costs nothing but time.
longest=(kernels/neon parallel/test_same_bits parallel/test_architectures
    parallel/test_same_bits_experts parallel/test_experts_chosen parallel/test_needle
    parallel/test_many parallel/test_distribution parallel/test_oom cli/compare cli/batch
    golden/speculation golden/smollm2 cli/bench cli/plan cli/json cli/serve_clients cli/pull
    cli/chat faults/ranks_differ)

export ITHACA=${ITHACA:-$build/ithaca} BUILD=$build
export CMOCKA_MESSAGE_OUTPUT=TAP
export UBSAN_OPTIONS=print_stacktrace=1 LSAN_OPTIONS=suppressions=$PWD/tests/parallel/lsan.supp:print_suppressions=0
mkdir -p "$log"
ended=$(mktemp -d) # a file for each test that has ended: status and times
trap 'rm -rf "$ended"' EXIT
: >"$log/times"

count() { grep -c "$1" "$2"; }

# one NAME COMMAND...: runs a test. A shell's background jobs ignore SIGINT, which some tests send:
# env restores it.
one() {
    local file=${1//\//.} TIMEFORMAT='%R %U %S'
    shift
    # An mpirun that ends removes a folder that another may be about to use, unless each test's
    # ranks have one of their own.
    export OMPI_MCA_orte_tmpdir_base=$ended/.mpi.$file
    mkdir "$OMPI_MCA_orte_tmpdir_base"
    { time timeout --kill-after=10 "$limit_s" env --default-signal=INT "$@" >"$log/$file.log" 2>&1 </dev/null; } 2>"$ended/.$file"
    echo "$? $(cat "$ended/.$file")" >"$ended/.$file.status"
    mv "$ended/.$file.status" "$ended/$file"
}

# show NAME: prints a test's line, and what failed
show() {
    local name=$1 out status ok not_ok skip seconds user system
    out=$log/${name//\//.}.log
    read -r status seconds user system <"$ended/${name//\//.}"
    echo "$seconds $user $system $name" >>"$log/times"
    skip=$(count '^\(not \)\?ok .*# *SKIP' "$out")
    ok=$(grep '^ok\>' "$out" | grep -vc '# *SKIP')
    not_ok=$(grep '^not ok\>' "$out" | grep -vc '# *SKIP')
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
    printf '%-36s %6.1f s %4d passed' "$name" "$seconds" "$ok"
    ((not_ok == 0)) || printf ', %d FAILED: %s' "$not_ok" "$out"
    ((skip == 0)) || printf ', %d skipped' "$skip"
    echo
    ((not_ok == 0)) || grep -A 6 '^not ok' "$out" | head -n 40 | sed 's/^/    /'
    ((skip == 0)) || grep '^\(not \)\?ok .*# *SKIP' "$out" | sed 's/^/    /'
}

# until_running N: waits until at most N tests run; shows those that have ended, in the order in
# which they were started
until_running() {
    while ((running > $1)); do
        wait -n
        running=$((running - 1))
        while ((shown < ${#names[@]})) && [[ -e $ended/${names[shown]//\//.} ]]; do
            show "${names[shown]}"
            shown=$((shown + 1))
        done
    done
}

# chosen NAME: is the test to be run?
chosen() {
    local pattern
    ((${#patterns[@]} > 0)) || return 0
    for pattern in "${patterns[@]}"; do
        [[ $1 != *"$pattern"* ]] || return 0
    done
    return 1
}

# run NAME COMMAND: starts a test beside those that run already
run() {
    until_running $((jobs - 1))
    names+=("$1")
    # shellcheck disable=SC2086 # words on purpose
    one "$1" $2 &
    running=$((running + 1))
}

# add NAME COMMAND...: a test to be run
add() {
    chosen "$1" || return 0
    added+=("$1")
    commands[$1]="${*:2}"
}

# run_added: runs them, the longest first and those that set up the machine by themselves
run_added() {
    local name
    for name in "${longest[@]}" "${added[@]}"; do
        [[ -n ${commands[$name]:-} && $name != numa/* && $name != slurm/* ]] || continue
        run "$name" "${commands[$name]}"
        unset "commands[$name]"
    done
    until_running 0
    for name in "${added[@]}"; do
        [[ -n ${commands[$name]:-} ]] || continue
        run "$name" "${commands[$name]}"
        until_running 0
    done
}

# The programs, or the scripts, of a folder, which may be empty.
programs() {
    local source
    for source in tests/"$1"/test_*.c; do
        [[ -e $source ]] && add "$1/$(basename "$source" .c)" "$build/${source%.c}"
    done
}

scripts() {
    local script
    for script in tests/"$1"/*.sh; do
        [[ -e $script ]] && add "$1/$(basename "$script" .sh)" bash "$script"
    done
}

# Each program on the rank counts in the first line of its source; abort.sh starts the one without.
parallel() {
    local source
    for source in tests/parallel/test_*.c; do
        [[ -e $source ]] && sed -n 1p "$source" | grep -q 'RANKS: *[0-9]' &&
            add "parallel/$(basename "$source" .c)" bash tests/parallel/run.sh "$build/${source%.c}"
    done
    add parallel/abort bash tests/parallel/abort.sh "$build"
}

# shellcheck disable=SC2154 # it is
trap 'for pid in $(jobs -p); do pkill -TERM -P "$pid"; done; wait; exit 130' INT TERM

# Every fuzz target over its corpus, which holds the input of each mended crash too.
corpus() {
    local folder
    for folder in tests/fuzz/corpus/*/; do
        add "fuzz/$(basename "$folder")" "$build/tests/fuzz/fuzz_$(basename "$folder")" $(ls -d "${folder%/}" "build/seeds/$(basename "$folder")" 2>/dev/null)
    done
}

scripts layers
programs kernels
scripts kernels
programs unit
programs api
scripts api
corpus
parallel
scripts golden
scripts cli
scripts faults
scripts numa
scripts slurm
run_added

for name in "${names[@]:shown}"; do # none, unless the disk is full
    echo "not ok $name: its result is lost"
    failed=$((failed + 1))
done
((skipped == 0)) || echo "$skipped skipped"
echo "$passed passed, $failed failed"
((failed == 0 && passed > 0))
