#!/bin/bash
# gguf_tokenizer.sh - GGUF files whose tokenizer is not what it should be.
source "$(dirname "$0")/../tap.sh"

# renamed FILE OLD NEW COPY: the file with a metadata key or value of the same length.
renamed() { python3 -c 'import sys; b = open(sys.argv[1], "rb").read(); o, n = sys.argv[2].encode(), sys.argv[3].encode()
assert b.count(o) == 1 and len(o) == len(n); open(sys.argv[4], "wb").write(b.replace(o, n))' "$@"; }

fine=tests/cases/tiny-llama/fine.gguf
echo 3 4 5 >"$work/prompt.ids"
run() { "$ITHACA" run -m "$1" --ids "$work/prompt.ids" -n 1 --temp 0; }

expect "a file that names its pre-tokenizer" 0 run $fine
same "nothing is noted" 0 "$(grep -c pre-tokenizer "$err")"
renamed $fine tokenizer.ggml.pre tokenizer.ggml.prx "$work/no-pre.gguf"
expect "a file that does not" 0 run "$work/no-pre.gguf"
matches "is noted" "$err" 'note: .*pre-tokenizer \(tokenizer\.ggml\.pre\): "default" is taken'
"$ITHACA" pack -m "$work/no-pre.gguf" -o "$work/no-pre.ith" -q >/dev/null 2>&1
expect "a pack of it" 0 run "$work/no-pre.ith"
matches "too" "$err" 'note: .*pre-tokenizer'
