#!/bin/bash
# quantized.sh - Hugging Face folders as quantizers write them: fp8, compressed-tensors, AWQ, GPTQ. On
# the exact path they are the model with plain weights, to the bit; on the quantized path one digest
# for any threads, ranks and instruction sets, from the folder or from a pack. What is not read is
# refused by name.
. tests/tap.sh
. tests/parallel/mpirun.sh

folder() { python3 tests/golden/quantized/folder.py "$@"; }
glm=tests/golden/architectures/glm4.json # fused projections, biases, adjacent rotary pairs
python3 -c 'print(*[i * 97 % 256 for i in range(48)])' >"$work/ids"

digest() { or_fail "$@" --ids "$work/ids" --json -q >"$work/score" 2>"$err" && field "$work/score" 'j["logits_sha256"]'; }
score() { digest "$ITHACA" score -m "$@"; }
on_ranks() { digest run_ranks "$1" 60 "$ITHACA" score -m "$2" -t 1; }

# what KIND: how its matrices are stored, and as what they are read
what() { or_fail "$ITHACA" inspect "$work/$1/stored" --json >"$work/inspect" && field "$work/inspect" 'sorted({(t["type"], t["read_as"]) for t in j["tensors"] if "read_as" in t})[0]'; }

# kept KIND MODEL TYPE READ_AS: made, and run exact, quantized and from a pack
kept() {
    local model=$work/$1/stored
    folder "$1" "$2" "$work/$1" || not_ok "$1: made"
    same "$1: inspect says what it is" "('$3', '$4')" "$(what "$1")"
    same "$1: exactly the plain model" "$(score "$work/$1/plain" --exact)" "$(score "$model" --exact)"
    base=$(score "$model" -t 1)
    expect "$1: packed" 0 "$ITHACA" pack "$model" -o "$work/$1.ith" -q
    same "$1: the same from a pack" "$base" "$(score "$work/$1.ith" -t 2)"
}

# check KIND MODEL TYPE READ_AS: and run in other ways
check() {
    local model=$work/$1/stored
    kept "$@"
    same "$1: the same with 3 threads and another chunk" "$base" "$(score "$model" -t 3 --chunk 17)"
    same "$1: the same in plain C" "$base" "$(ITHACA_SIMD=ref score "$model" -t 2)"
    same "$1: the same on 3 ranks" "$base" "$(on_ranks 3 "$model")"
    if [[ $4 == F32 ]]; then
        same "$1: the same as the plain model, quantized" "$base" "$(score "$work/$1/plain")"
    else
        same "$1: its bits are kept" "$base" "$(score "$model" --quant w4)"
    fi
}

check fp8 $glm F8_E4M3 F32
kept fp8-tensor tests/golden/qwen3moe-norm F8_E4M3 F32
kept float8 tests/golden/architectures/gemma3-wrapped.json F8_E4M3 F32
check packed $glm INT4 Q4_0
kept packed-zeros tests/golden/qwen3moe-norm INT4 Q5_0
kept int8 $glm INT8 Q8_0
check awq $glm AWQ4 Q5_0
kept gptq $glm GPTQ4 Q4_0
kept gptq-zeros $glm GPTQ4 Q5_0
check gptq-order $glm GPTQ4 F32
same "gptq-order: noted" 1 "$(field "$work/inspect" 'sum("read as floats" in n for n in j["notes"])')"
