#!/bin/bash
# truncated.sh - model files that end too early, or hold what they should not: one line on stderr
# and exit status 1, on one rank and on two.
. tests/tap.sh

one_line() { same "$1: one line" 1 "$(wc -l <"$err")"; }

# refused NAME MODEL: score and inspect refuse the model
echo 1 2 3 >"$work/ids"
refused() {
    expect "$1: score fails" 1 "$ITHACA" score -m "$2" --ids "$work/ids" --json
    one_line "$1"
    expect "$1: inspect fails" 1 "$ITHACA" inspect -m "$2"
}

gguf=tests/golden/llama-gqa3-q8_0.gguf
size=$(stat -c %s $gguf)
expect "the whole file is accepted" 0 "$ITHACA" score -m $gguf --ids "$work/ids" --json
for keep in 0 3 100 5000 $((size / 2)) $((size - 64)); do # the last 31 bytes may be padding
    head -c "$keep" $gguf >"$work/cut.gguf"
    refused "gguf of $keep bytes" "$work/cut.gguf"
done

size=$(stat -c %s $NEEDLE/model.safetensors)
for keep in 0 7 500 $((size / 2)) $((size - 1)); do
    rm -rf "$work/cut" && cp -r $NEEDLE "$work/cut"
    head -c "$keep" $NEEDLE/model.safetensors >"$work/cut/model.safetensors"
    refused "safetensors of $keep bytes" "$work/cut"
done

for file in config.json tokenizer.json; do
    rm -rf "$work/cut" && cp -r $NEEDLE "$work/cut"
    head -c 300 $NEEDLE/$file >"$work/cut/$file"
    expect "cut $file: score fails" 1 "$ITHACA" score -m "$work/cut" --ids "$work/ids" --json
    one_line "cut $file"
    matches "cut $file: the message names it" "$err" "$file"
done

rm -rf "$work/cut" && cp -r tests/golden/qwen3-gqa4 "$work/cut" && rm "$work"/cut/*-00002-of-*.safetensors
expect "a shard is missing" 1 "$ITHACA" score -m "$work/cut" --ids "$work/ids"
matches "a shard is missing: the message names it" "$err" "00002-of"

cp -r $NEEDLE "$work/shape" && sed -i 's/"hidden_size": 192/"hidden_size": 224/' "$work/shape/config.json"
expect "wrong shape" 1 "$ITHACA" score -m "$work/shape" --ids "$work/ids"
matches "wrong shape: the message names tensor and shapes" "$err" "embed_tokens.*192.*224"

rm -rf "$work/cut" && cp -r $NEEDLE "$work/cut" && head -c 1000000 $NEEDLE/model.safetensors >"$work/cut/model.safetensors"
expect "two ranks, cut file" 1 scripts/on_ranks.sh 2 "$ITHACA" score -m "$work/cut" --ids "$work/ids"
same "two ranks, cut file: said once" 1 "$(grep -c '^ithaca: error: ' "$err")"
