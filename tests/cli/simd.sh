#!/bin/bash
# simd.sh - the logits are the same with every instruction set, for every type of weights and KV
# cache. A cap that names a level above this CPU's, or one of another architecture, has no effect;
# lower levels have.
source "$(dirname "$0")/../tap.sh"

tr '\n' ' ' <tests/golden/needle/1k.ids | cut -d ' ' -f 1-300 >"$work/ids"

# digest LEVEL ARGUMENTS...
digest() {
    local level=$1
    shift
    ITHACA_SIMD=$level or_fail "$ITHACA" score --ids "$work/ids" --json "$@" >"$out" 2>"$err" &&
        field "$out" '[j["logits_sha256"], sum(j["nll"])]'
}

seen=
for form in "w8 q8" "w4 q8" "bf16 bf16" "f32 f32"; do
    read -r quant kv <<<"$form"
    want=$(digest ref -m $NEEDLE --quant "$quant" --kv "$kv")
    for level in $(scripts/levels.sh | tail -n +2); do
        same "--quant $quant --kv $kv: $level as ref" "$want" "$(digest $level -m $NEEDLE --quant "$quant" --kv "$kv")"
    done
    [[ $seen != *"$want"* ]] && ok "--quant $quant --kv $kv: other logits than before" || not_ok "--quant $quant --kv $kv is not heeded"
    seen+=" $want"
done
seq -s " " 1 4 500 >"$work/ids"
for model in llama-kquants-blocks qwen3moe-kquants-blocks; do
    want=$(digest ref -m tests/golden/$model.gguf)
    for level in $(scripts/levels.sh | tail -n +2); do
        same "$model: $level as ref" "$want" "$(digest "$level" -m tests/golden/$model.gguf)"
    done
done
expect "an unknown level" 1 env ITHACA_SIMD=mmx "$ITHACA" score -m $NEEDLE --ids "$work/ids"
matches "the names that there are" "$err" ": $(scripts/levels.sh | paste -sd " ")"

# Options that let the compiler change results end the build.
for option in -Ofast -ffast-math -ffinite-math-only; do
    expect "$option is refused" 1 cc -std=c11 -I. -fsyntax-only $option simd/ref/gemm_ref.c
    matches "$option: the reason" "$err" "results are defined to the bit"
done
