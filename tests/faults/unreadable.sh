#!/bin/bash
# unreadable.sh - the disk fails while weights are loaded or streamed: one error, that of the rank
# that met it, and no rank hangs. (read_error.sh: files other than packs, and decoding;
# full_disk.sh: writing.)
source "$(dirname "$0")/../tap.sh"

# 92 MiB of weights: more than MEM of two ranks, however little of it a process takes for itself.
pack=$work/random.ith
mkdir "$work/shape"
cat >"$work/shape/config.json" <<'JSON'
{"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_size": 512, "intermediate_size": 1536, "num_hidden_layers": 28,
 "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 64, "vocab_size": 8192, "max_position_embeddings": 4096, "rms_norm_eps": 1e-6,
 "rope_theta": 10000.0, "tie_word_embeddings": true, "hidden_act": "silu", "attention_bias": false}
JSON
echo $(seq 1 300) >"$work/ids"
expect "pack" 0 "$ITHACA" pack "synthetic:$work/shape/config.json:q8_0" -o "$pack"
expect "the failing disk is built" 0 ${CC:-cc} -shared -fPIC -o "$work/eio.so" tests/faults/eio.c -ldl

args=(score -m "$pack" --ids "$work/ids" --ctx 512 --chunk 128 --threads 1 --json --placement streamed)
on_one() { timeout 300 env LD_PRELOAD="$work/eio.so" "$ITHACA" "${args[@]}" --mem 56MiB; }
on_two() { timeout 300 scripts/on_ranks.sh 2 env LD_PRELOAD="$work/eio.so" "$ITHACA" "${args[@]}" --mem "$1"; }

reported() { # NAME PATTERN
    same "$1: said once" 1 "$(grep -c '^ithaca: error: ' "$err")"
    matches "$1: the rank, the file and why" "$err" "$2random.ith: .*Input/output error"
}

expect "one rank, a sound disk" 0 on_one
expect "two ranks, a sound disk" 0 on_two 45MiB # per rank: a node has twice as much
ITHACA_RANKS_PER_NODE=1 expect "two nodes, a sound disk" 0 on_two 56MiB
for after in 4 20 60; do # while opening; while loading; while streaming
    EIO_AFTER=$after expect "one rank, $after reads" 1 on_one
    reported "one rank, $after reads" ""
    for rank in 0 1; do
        EIO_RANK=$rank EIO_AFTER=$after expect "two ranks, $after reads of rank $rank" 1 on_two 45MiB
        reported "two ranks, $after reads of rank $rank" "rank $rank: .*"
        ITHACA_RANKS_PER_NODE=1 EIO_RANK=$rank EIO_AFTER=$after expect "two nodes, $after reads of rank $rank" 1 on_two 56MiB
        reported "two nodes, $after reads of rank $rank" "rank $rank: .*"
    done
done
