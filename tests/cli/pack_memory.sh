#!/bin/bash
# Packing takes memory for some tiles, not for the model: half a gigabyte of weights under a limit at which loading them is refused.
source "$(dirname "$0")/../tap.sh"

limit=$((128 << 20)) # of what a process may write to: heap, stacks, anonymous mappings (RLIMIT_DATA, Linux 4.7)
command -v prlimit >/dev/null || { echo "ok packing in little memory # SKIP prlimit is missing"; exit 0; }
cat >"$work/config.json" <<X
{"model_type": "qwen3", "hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 8, "num_attention_heads": 16,
 "num_key_value_heads": 8, "head_dim": 64, "vocab_size": 32000, "max_position_embeddings": 512, "tie_word_embeddings": false}
X
echo 1 2 3 >"$work/ids"
one_cpu=$(taskset -cp $$ | sed 's/.*: //; s/[,-].*//') # a thread's stack counts: no more of them on larger machines
within() { timeout 100 prlimit --data=$limit "$@"; }

expect "a float model, compressed" 0 within "$ITHACA" pack "synthetic:$work/config.json:bf16" -o "$work/model.ith" -q --threads 2 --quant bf16
same "it is larger than the limit" yes "$([[ $(stat -c %s "$work/model.ith") -gt $limit ]] && echo yes)"
expect "a pack of the pack" 0 within "$ITHACA" pack "$work/model.ith" -o "$work/w4.ith" -q --threads 2 --quant w4
expect "every checksum" 0 within taskset -c "$one_cpu" "$ITHACA" inspect "$work/w4.ith" --verify
expect "the limit is one: the model does not load in it" 1 within "$ITHACA" score -m "$work/model.ith" --ids "$work/ids" -t 1
matches "the limit is one: said so" "$err" "^ithaca: .*weights"
