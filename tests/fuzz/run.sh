#!/bin/bash
# run.sh - runs fuzz targets that were built with libFuzzer, one after another.
#
#   tests/fuzz/run.sh BUILD_DIR [TARGET...]     FUZZ_TIME=60: seconds for each target
#                                               FUZZ_RUNS=N: instead, N inputs, drawn from one seed
#                                               FUZZ_TIMEOUT=10: seconds for one input
#
# New inputs go to BUILD_DIR/corpus/TARGET, beside the corpus of the repository, which stays as it
# is; inputs that show a fault to BUILD_DIR/found/TARGET-*. The last line counts the faults; the exit
# status is 1 if there are any.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

build=${1:?BUILD_DIR}
shift
targets=("$@")
[[ $# -gt 0 ]] || for source in tests/fuzz/fuzz_*.c; do
    name=$(basename "$source" .c) && [[ $name == fuzz_main ]] || targets+=("${name#fuzz_}")
done
mkdir -p "$build/found"
export UBSAN_OPTIONS=print_stacktrace=1 LSAN_OPTIONS=suppressions=$PWD/tests/parallel/lsan.supp:print_suppressions=0
export OMP_NUM_THREADS=1
failed=0

# dictionary NAME: its own, and the words in quotation marks of what reads its inputs
dictionary() {
    local sources
    case $1 in
    config | convert | folder | gguf | model | open) sources=src/formats ;;
    chat | template) sources=src/text/jinja ;;
    hub | pull) sources=src/hub ;;
    report) sources=src/cli/report_read.c ;;
    bodies | request) sources=src/openai ;;
    tokenizer | vocab) sources=src/text ;;
    *) sources=/dev/null ;;
    esac
    cat "tests/fuzz/$1.dict" 2>/dev/null
    grep -hroE --include='*.c' '"[A-Za-z][A-Za-z0-9_.-]{2,40}"' "$sources" | sort -u
    return 0
}

for name in "${targets[@]}"; do
    new=$build/corpus/$name log=$build/found/$name.log
    mkdir -p "$new"
    # a run of any input ends within 10 s (on a machine that is not busy) and takes less than 2 GB
    options=(-rss_limit_mb=2048 -max_len=65536
        -print_final_stats=1 -artifact_prefix="$build/found/$name-")
    if [[ -n ${FUZZ_RUNS:-} ]]; then
        options+=(-runs="$FUZZ_RUNS" -seed=1 -timeout=300) # it is to find hangs, on any machine
    else
        options+=(-max_total_time="${FUZZ_TIME:-60}" -timeout="${FUZZ_TIMEOUT:-10}")
    fi
    dictionary "$name" >"$build/found/$name.dict"
    [[ ! -s $build/found/$name.dict ]] || options+=(-dict="$build/found/$name.dict")
    folders=("$new" "tests/fuzz/corpus/$name")
    [[ ! -d build/seeds/$name ]] || folders+=("build/seeds/$name")
    "$build/tests/fuzz/fuzz_$name" "${options[@]}" "${folders[@]}" >"$log" 2>&1
    status=$?
    executed=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    edges=$(sed -n 's/.* cov: \([0-9]*\).*/\1/p' "$log" | tail -n 1)
    printf '%-12s %9s runs %6s edges' "$name" "${executed:-?}" "${edges:-?}"
    if ((status != 0)); then
        printf '  FAULT: %s' "$log"
        failed=$((failed + 1))
    fi
    echo
done
echo "${#targets[@]} targets, $failed with a fault"
((failed == 0))
