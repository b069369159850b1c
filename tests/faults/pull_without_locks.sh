#!/bin/bash
# pull_without_locks.sh - a cache on a file system that has no locks: several downloads of a model at
# the same time do not disturb each other, and what ends early is removed.
. tests/tap.sh
. tests/hub/hub.sh

mkdir -p "$hub/root/org"
cp -r tests/cases/tiny-qwen3 "$hub/root/org/tiny"
model=$hub/root/org/tiny/model.safetensors
start_hub
expect "a file system without locks is built" 0 ${CC:-cc} -shared -fPIC -o "$work/no_locks.so" tests/hub/no_locks.c
pull() { timeout 300 env LD_PRELOAD="$work/no_locks.so" "$ITHACA" pull "$@"; }
left() { find "$HF_HOME" -name '*.incomplete' | wc -l; }

expect "alone" 0 pull org/tiny
same "alone: all is there" "" "$(cmp "$(cat "$out")/model.safetensors" "$model" 2>&1)"
same "alone: nothing is left behind" 0 "$(left)"
rm -rf "$HF_HOME"

# The first one stands still after 20,000 bytes; the second begins, ends early, and a third is done.
ITHACA_TEST_HOOK="download 20000 $work/held" pull org/tiny >"$work/first" 2>&1 &
first=$!
holding "$work/held" $first
fault "9 model.safetensors wrong"
expect "wrong bytes for another" 1 pull org/tiny
fault
expect "a third" 0 pull org/tiny
same "a third: all is there" "" "$(cmp "$(cat "$out")/model.safetensors" "$model" 2>&1)"
echo go >"$work/held"
wait $first
same "the first goes on" 0 $?
same "the first goes on: all is there" "" "$(cmp "$(tail -n 1 "$work/first")/model.safetensors" "$model" 2>&1)"
same "nothing is left behind" 0 "$(left)"
rm -rf "$HF_HOME"

fault "9 model.safetensors cut 10000"
expect "cut again and again" 1 pull org/tiny
same "cut again and again: nothing is left behind" 0 "$(left)"
