#!/bin/bash
# blas.sh - only the exact path loads OpenBLAS: a damaged library in its place does not disturb
# anything else.
source "$(dirname "$0")/../tap.sh"

mkdir "$work/damaged"
echo "no library" >"$work/damaged/libopenblas.so.0"
cp "$work/damaged/libopenblas.so.0" "$work/damaged/libopenblas.so"
echo 1 2 3 >"$work/ids"
damaged() { LD_LIBRARY_PATH=$work/damaged "$@"; }

expect "a model runs without it" 0 damaged "$ITHACA" score -m $NEEDLE --ids "$work/ids" -t 1
expect "--exact does not" 1 damaged "$ITHACA" score -m $NEEDLE --ids "$work/ids" -t 1 --exact
matches "--exact names the library and what is wrong with it" "$err" "^ithaca: .*OpenBLAS: .*libopenblas.so.0: "
same "in one line" 1 "$(wc -l <"$err")"
expect "nor on two ranks" 1 damaged scripts/on_ranks.sh 2 "$ITHACA" score -m $NEEDLE --ids "$work/ids" -t 1 --exact
same "once" 1 "$(grep -c '^ithaca: .*OpenBLAS' "$err")"
expect "version" 0 damaged "$ITHACA" version
matches "version says so" "$out" "blas  *none"
