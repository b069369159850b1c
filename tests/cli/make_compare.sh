#!/bin/bash
# make_compare.sh - what `make compare` runs, with a tiny shape and a llama-bench that prints what
# the real one printed.
source "$(dirname "$0")/../tap.sh"

python3 tests/cli/compare.py make "$work"
python3 - "$work/tiny.json" <<'PY'
import json
import sys

shape = json.load(open("bench/shapes/qwen3-0.6b.json"))
shape.update(num_hidden_layers=2, hidden_size=128, intermediate_size=256, num_attention_heads=4,
             num_key_value_heads=2, head_dim=32, vocab_size=512)
json.dump(shape, open(sys.argv[1], "w"))
PY

# Each call is noted, with what `inspect` says of the file.
cat >"$work/llama-bench" <<'FAKE'
#!/bin/bash
echo "$*" >>"${0%/*}/calls"
"$ITHACA" inspect "$2" >"${0%/*}/inspected" 2>&1
of='"build_commit": "0c1e570", "build_number": 1, "cpu_info": "AMD EPYC", "backends": "CPU", "n_gpu_layers": 0, "model_filename": "/a/tiny.gguf", "model_type": "qwen3 ?B Q4_0", "model_size": 205824, "n_threads": 2, "type_k": "q8_0", "type_v": "q8_0", "flash_attn": 1, "test_time": "2026-11-30T19:13:30Z"'
if [[ " $* " == *" -p 32 "* ]]; then
    echo "{$of, \"n_prompt\": 32, \"n_gen\": 0, \"n_depth\": 0, \"samples_ns\": [ 100000000 ],\"samples_ts\": [ 320 ]}"
elif [[ " $* " == *" -n 0 "* ]]; then
    echo "{$of, \"n_prompt\": 96, \"n_gen\": 0, \"n_depth\": 0, \"samples_ns\": [ 240000000, 320000000 ],\"samples_ts\": [ 400, 300 ]}"
else
    echo "{$of, \"n_prompt\": 0, \"n_gen\": 4, \"n_depth\": 64, \"samples_ns\": [ 80000000 ],\"samples_ts\": [ 50 ]}"
fi
FAKE
chmod +x "$work/llama-bench"

export SHAPE=$work/tiny.json DEPTHS=0,64 PROMPT=32 DECODE=4 REPETITIONS=1 OUT=$work/made
export BASELINES=$work/gpu.json
expect "the page is made" 0 env LLAMA_BENCH="$work/llama-bench" scripts/compare.sh
matches "its name is the last line" "$out" "^$work/made/index.html$"
documents=("$work/gpu.json" "$work/made/here.json" "$work/made/llama.json")
same "it says what the documents say" "" \
    "$(or_fail python3 tests/cli/compare.py check "$work/made" bench/prices.json 0 "${documents[@]}")"
matches "Ithaca on one rank" "$work/made/report.md" 'Ithaca, w4 weights, 1 rank of '
matches "and on two" "$work/made/report.md" 'Ithaca, w4 weights, 2 ranks of '
matches "llama.cpp: 342.9 tokens/s" "$work/made/report.md" \
    'llama\.cpp, q4\\_0 weights, 1 rank of 2 threads, .* \| 96 \| 0.28 \| 342.9 \|'
matches "and 50 behind 64" "$work/made/report.md" 'llama\.cpp, .* \| 64 \| 50 \|'
same "llama.cpp is asked for whole prompts, and for answers behind as many tokens" \
    "-p 32 -n 0;-p 96 -n 0 --no-warmup;-p 0 -n 4 -d 0,64;" \
    "$(grep -o -e '-p .*' "$work/calls" | tr '\n' ';')"
matches "its file has all tensors, in Q4_0" "$work/inspected" '^tensors +24, '

stamp=$(field "$work/made/here.json" 'sorted(r["started"] for r in j["runs"].values())')
expect "again, without llama.cpp" 0 env LLAMA_BENCH=no scripts/compare.sh
same "nothing is measured twice" "$stamp" \
    "$(field "$work/made/here.json" 'sorted(r["started"] for r in j["runs"].values())')"
same "nothing of llama.cpp is in the page" 0 "$(grep -c 'llama\.cpp' "$work/made/index.html")"
printf '#!/bin/sh\necho no such model >&2\nexit 1\n' >"$work/llama-bench"
expect "a llama-bench that fails" 1 env LLAMA_BENCH="$work/llama-bench" scripts/compare.sh
matches "its last line is shown" "$err" '^no such model$'
printf '#!/bin/sh\n' >"$work/llama-bench"
expect "one that prints nothing" 1 env LLAMA_BENCH="$work/llama-bench" scripts/compare.sh
matches "is named" "$err" 'llama-bench printed no results'
