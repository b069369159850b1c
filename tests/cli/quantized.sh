#!/bin/bash
# quantized.sh - Hugging Face folders as quantizers write them: fp8, compressed-tensors, AWQ, GPTQ. On
# the exact path they are the model with plain weights, to the bit; on the quantized path one digest
# for any threads, ranks and instruction sets, from the folder or from a pack. What is not read is
# refused by name.
. tests/tap.sh
. tests/parallel/mpirun.sh

folder() { python3 tests/golden/quantized/folder.py "$@"; }
glm=tests/golden/architectures/glm4.json # fused projections, biases, adjacent rotary pairs
python3 -c 'print(*[i * 97 % 256 for i in range(130)])' >"$work/ids"

digest() { or_fail "$@" --ids "$work/ids" --json -q >"$work/score" 2>"$err" && field "$work/score" 'j["logits_sha256"]'; }
score() { digest "$ITHACA" score -m "$@"; }
on_ranks() { digest run_ranks "$1" 60 "$ITHACA" score -m "$2" -t 1; }

# what KIND: how its matrices are stored, and as what they are read
what() { or_fail "$ITHACA" inspect "$work/$1/stored" --json >"$work/inspect" && field "$work/inspect" 'sorted({(t["type"], t["read_as"]) for t in j["tensors"] if "read_as" in t})[0]'; }

check() { # KIND MODEL TYPE READ_AS
    local model=$work/$1/stored base
    folder "$1" "$2" "$work/$1" || not_ok "$1: made"
    same "$1: inspect says what it is" "('$3', '$4')" "$(what "$1")"
    same "$1: exactly the plain model" "$(score "$work/$1/plain" --exact -t 2)" "$(score "$model" --exact -t 2)"
    base=$(score "$model" -t 1)
    same "$1: the same with 3 threads and another chunk" "$base" "$(score "$model" -t 3 --chunk 37)"
    same "$1: the same in plain C" "$base" "$(ITHACA_SIMD=ref score "$model" -t 2)"
    same "$1: the same on 3 ranks" "$base" "$(on_ranks 3 "$model")"
    expect "$1: packed" 0 "$ITHACA" pack "$model" -o "$work/$1.ith" -q
    same "$1: the same from a pack" "$base" "$(score "$work/$1.ith" -t 2)"
    [[ $4 != F32 ]] || same "$1: the same as the plain model, quantized" "$base" "$(score "$work/$1/plain" -t 2)"
    [[ $4 != F32 ]] || same "$1: the same as the plain model, in 4 bits" "$(score "$work/$1/plain" --quant w4)" "$(score "$model" --quant w4)"
    [[ $4 == F32 ]] || same "$1: its bits are kept" "$base" "$(score "$model" --quant w4 -t 2)"
    rm -r "$work/$1" "$work/$1.ith"
}

check fp8 $glm F8_E4M3 F32
check fp8-tensor tests/golden/qwen3moe-norm F8_E4M3 F32
check float8 tests/golden/architectures/gemma3-wrapped.json F8_E4M3 F32
check packed $glm INT4 Q4_0
check packed-zeros tests/golden/qwen3moe-norm INT4 Q5_0
check int8 $glm INT8 Q8_0
check awq $glm AWQ4 Q5_0
check gptq $glm GPTQ4 Q4_0
check gptq-zeros $glm GPTQ4 Q5_0
check gptq-order $glm GPTQ4 F32
