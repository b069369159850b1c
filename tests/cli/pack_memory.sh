#!/bin/bash
# pack_memory.sh - packing takes memory for some tiles, not for the model: half a gigabyte of
# weights is packed under a limit at which loading them is refused.
source "$(dirname "$0")/../tap.sh"

# Of what a process may write to: heap, stacks, anonymous mappings (RLIMIT_DATA, Linux 4.7).
limit=$((128 << 20))
command -v prlimit >/dev/null || { echo "ok packing in little memory # SKIP prlimit is missing"; exit 0; }
cat >"$work/config.json" <<X
{"model_type": "qwen3", "hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 8, "num_attention_heads": 16,
 "num_key_value_heads": 8, "head_dim": 64, "vocab_size": 32000, "max_position_embeddings": 512, "tie_word_embeddings": false}
X
echo 1 2 3 >"$work/ids"
# Stacks of threads count, so there is one thread on any machine.
one_cpu=$(taskset -cp $$ | sed 's/.*: //; s/[,-].*//')
within() { timeout 600 prlimit --data=$limit "$@"; }

expect "a float model, compressed" 0 within "$ITHACA" pack "synthetic:$work/config.json:bf16" -o "$work/model.ith" -q --threads 2 --quant bf16
same "it is larger than the limit" yes "$([[ $(stat -c %s "$work/model.ith") -gt $limit ]] && echo yes)"
expect "a pack of the pack" 0 within "$ITHACA" pack "$work/model.ith" -o "$work/w4.ith" -q --threads 2 --quant w4
expect "every checksum" 0 within taskset -c "$one_cpu" "$ITHACA" inspect "$work/w4.ith" --verify
keys_mean() { python3 - "$1" <<'PY'
import json, struct, sys
with open(sys.argv[1], "rb") as f:
    at, n = struct.unpack_from("<QQ", f.read(64), 24)
    f.seek(at)
    print("key_means.1" in [blob["name"] for blob in json.loads(f.read(n))["blobs"]])
PY
}
same "the keys' mean is measured within it" "True True" "$(keys_mean "$work/model.ith") $(keys_mean "$work/w4.ith")"
expect "the limit is one: the model does not load in it" 1 within "$ITHACA" score -m "$work/model.ith" --ids "$work/ids" -t 1
matches "the limit is one: said so" "$err" "^ithaca: .*weights"

# One layer exceeds the limit, so the mean of the keys is measured when the pack is loaded
sed -i 's/"num_hidden_layers": 8/"num_hidden_layers": 1/; s/3072/24576/' "$work/config.json"
expect "a layer beyond the limit" 0 within "$ITHACA" pack "synthetic:$work/config.json:bf16" -o "$work/model.ith" --threads 2 --quant bf16 --force
same "a layer beyond the limit: without the keys' mean" False "$(keys_mean "$work/model.ith")"
matches "a layer beyond the limit: a note says so and what to do" "$err" "^ithaca: note: .*lacks the mean of the model.s keys .*memory.*ithaca pack $work/model.ith -o NEW.ith"
same "a layer beyond the limit: one line" 1 "$(grep -c '^ithaca: ' "$err")"
expect "a layer beyond the limit: loads without it" 0 "$ITHACA" score -m "$work/model.ith" --ids "$work/ids" -t 1
