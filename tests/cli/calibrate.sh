#!/bin/bash
# calibrate.sh - statistics of activations from the command line: the same file on any number of
# ranks, the same use by score and pack, and one line per error.
source "$(dirname "$0")/../tap.sh"

one_line() { same "$1: one line" 1 "$(grep -c '^ithaca: ' "$err")"; }

fails() {
    local name=$1 status=$2 regex=$3
    shift 3
    expect "$name" "$status" "$@"
    one_line "$name"
    matches "$name: says what" "$err" "$regex"
}

ids=tests/golden/needle/1k.ids stats=$work/needle.stats
sha() { "$ITHACA" score -m "$1" --ids "$work/ids" --json "${@:2}" 2>"$err" | sed 's/.*"logits_sha256":"\([0-9a-f]*\)".*/\1/'; }
echo 5 9 17 3 88 2 41 7 63 20 31 8 >"$work/ids"

expect "calibrate" 0 "$ITHACA" calibrate -m $NEEDLE --ids $ids -o "$stats" --json --window 300
same "calibrate: tokens" 1002 "$(field "$out" 'j["tokens"]')"
expect "calibrate on 2 ranks" 0 scripts/on_ranks.sh 2 "$ITHACA" calibrate -m $NEEDLE --ids $ids -o "$work/two" --window 300 -q
same "calibrate on 2 ranks: the same file" "$(sha256sum <"$stats")" "$(sha256sum <"$work/two")"
same "calibrate: no other files" "err ids needle.stats out two" "$(ls "$work" | xargs)"
expect "calibrate with a text" 0 "$ITHACA" calibrate -m $NEEDLE -f README.md -o "$work/text" -q

equal=$(or_fail sha $NEEDLE --quant w4)
weighed=$(or_fail sha $NEEDLE --quant w4 --stats "$stats")
[[ ${#weighed} == 64 && $weighed != "$equal" ]] && ok "score --stats: other weights" || not_ok "score --stats: other weights"
expect "pack --stats" 0 "$ITHACA" pack $NEEDLE -o "$work/p.ith" --quant w4 --stats "$stats" -q
same "pack --stats: the logits of score --stats" "$weighed" "$(sha "$work/p.ith")"
expect "pack without loss" 0 "$ITHACA" pack $NEEDLE -o "$work/keep.ith" --quant keep -q
same "a pack of floats with --stats" "$weighed" "$(sha "$work/keep.ith" --quant w4 --stats "$stats")"
same "what has its own bits keeps them" "$(or_fail sha tests/golden/qwen3-gqa4-q4_0.gguf)" \
    "$("$ITHACA" calibrate -m tests/golden/qwen3-gqa4-q4_0.gguf --ids "$work/ids" -o "$work/own" -q && sha tests/golden/qwen3-gqa4-q4_0.gguf --stats "$work/own")"

fails "no output" 2 "-o STATS is missing" "$ITHACA" calibrate -m $NEEDLE --ids $ids
fails "no text" 2 "expected either" "$ITHACA" calibrate -m $NEEDLE -o "$stats"
fails "statistics and --exact" 2 "omit --stats" "$ITHACA" score -m $NEEDLE --ids $ids --exact --stats "$stats"
: >"$work/empty"
fails "an empty text" 1 "not one token" "$ITHACA" calibrate -m $NEEDLE -f "$work/empty" -o "$work/none"
fails "a window beyond the context" 1 "window of 1 to 64" "$ITHACA" calibrate -m $NEEDLE --ids $ids -o "$work/none" --ctx 64 --window 65
fails "a folder that is not there" 1 "$work/no/stats" scripts/on_ranks.sh 2 "$ITHACA" calibrate -m $NEEDLE --ids "$work/ids" -o "$work/no/stats"
fails "statistics of another model" 1 "another model" scripts/on_ranks.sh 2 "$ITHACA" score -m tests/golden/llama-gqa3 --ids "$work/ids" --stats "$stats"
fails "no statistics at all" 1 "activation statistics" "$ITHACA" score -m $NEEDLE --ids "$work/ids" --stats $NEEDLE/model.safetensors
head -c 1000 "$stats" >"$work/short"
fails "statistics cut short" 1 "truncated" "$ITHACA" score -m $NEEDLE --ids "$work/ids" --stats "$work/short"
fails "statistics that are not there" 1 "$work/gone" "$ITHACA" pack $NEEDLE -o "$work/q.ith" --stats "$work/gone"
same "no pack then" "" "$(ls "$work" | grep q.ith)"
