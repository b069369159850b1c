#!/bin/sh
# demo.sh - what `make demo` runs: asks for a passkey hidden in a text of 8k tokens, on one rank and
# on four, with the small model of tests/models/needle-qwen3. Both answers must be right, and the
# logits equal bit for bit.
#
#   ITHACA=build/release/ithaca scripts/demo.sh [TOKENS [DEPTH [SEED]]]
set -eu
cd "$(dirname "$0")/.."

ithaca=${ITHACA:-build/release/ithaca}
tokens=${1:-8192} depth=${2:-0.35} seed=${3:-7}
model=tests/models/needle-qwen3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

field() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$work/$1.json" "$2"; }

show() {
    printf '%-8s %s   (prefill %.2f s, answer %.2f s, %s x %s threads, %s)\n' "$1:" "$(field "$2" text)" "$(field "$2" prefill_s)" \
        "$(field "$2" decode_s)" "$(field "$2" ranks)" "$(field "$2" threads)" "$(field "$2" simd)"
}

python3 $model/make_haystack.py --tokens "$tokens" --depth "$depth" --seed "$seed" --answer "$work/answer" >"$work/haystack.txt"
answer=$(cat "$work/answer")

echo "A text of $tokens tokens begins:"
head -c 320 "$work/haystack.txt" | tr '\n' ' ' | sed 's/^/    /; s/$/ .../'
echo
echo "and ends with the question:"
tail -n 1 "$work/haystack.txt" | sed 's/^/    /'
echo

"$ithaca" run -m $model -f "$work/haystack.txt" -n 32 --temp 0 --json >"$work/one.json"
scripts/on_ranks.sh 4 "$ithaca" run -m $model -f "$work/haystack.txt" -n 32 --temp 0 --json >"$work/four.json"

echo "expected: $answer"
show "1 rank" one
show "4 ranks" four
echo "logits of the last step, SHA-256:"
echo "  1 rank   $(field one logits_sha256)"
echo "  4 ranks  $(field four logits_sha256)"

failed=0
for run in one four; do
    [ "$(field $run text)" = "$answer" ] || { echo "WRONG: the answer of the run on $run rank(s)"; failed=1; }
done
if [ "$(field one logits_sha256)" = "$(field four logits_sha256)" ]; then
    echo "  equal, bit for bit"
else
    echo "WRONG: the logits differ"
    failed=1
fi
exit $failed
