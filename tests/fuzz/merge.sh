#!/bin/bash
# merge.sh - adds to the repository's corpus what fuzzing has found since, if it reaches what the
# corpus does not.
#
#   tests/fuzz/merge.sh BUILD_DIR [TARGET...]
#
# What seeds.py makes is reached already. Of inputs that reach the same the shortest counts; those of more than MERGE_MAX=6000 bytes are left
# out. The last line has the bytes of the whole corpus, which should stay below 300,000.
set -euo pipefail
cd "$(dirname "$0")/../.."

build=${1:?BUILD_DIR}
shift
targets=("$@")
[[ $# -gt 0 ]] || for folder in "$build"/corpus/*/; do
    targets+=("$(basename "$folder")")
done
export OMP_NUM_THREADS=1
export LSAN_OPTIONS=suppressions=$PWD/tests/parallel/lsan.supp:print_suppressions=0
small=$(mktemp -d)
trap 'rm -rf "$small"' EXIT

for name in "${targets[@]}"; do
    corpus=tests/fuzz/corpus/$name
    before=$(find "$corpus" -type f | wc -l)
    mkdir "$small/$name" "$small/$name.all"
    cp -t "$small/$name.all" "$corpus"/* $(ls -d "build/seeds/$name"/* 2>/dev/null)
    find "$build/corpus/$name" -type f -size -"$((${MERGE_MAX:-6000} + 1))"c -exec cp -t "$small/$name" {} +
    "$build/tests/fuzz/fuzz_$name" -merge=1 -use_counters=0 -timeout=60 "$small/$name.all" "$small/$name" >"$small/log" 2>&1 || {
        tail "$small/log" >&2
        exit 1
    }
    for input in "$small/$name.all"/*; do
        [[ -e $corpus/${input##*/} || -e build/seeds/$name/${input##*/} ]] || cp "$input" "$corpus/"
    done
    printf '%-12s %4d inputs, %4d new\n' "$name" "$(find "$corpus" -type f | wc -l)" \
        "$(($(find "$corpus" -type f | wc -l) - before))"
done
cat tests/fuzz/corpus/*/* | wc -c
