#!/bin/bash
# compare.sh - what `make compare` runs: measures this machine on 1 and on 2 ranks with a small shape
# and random weights, llama.cpp too, and sets them beside the GPUs of bench/baselines. OUT/index.html
# is the page. LLAMA_BENCH names llama.cpp's llama-bench; if it does not, that is built in
# build/llama, where cmake, pip and PyPI are to be had.
#
#   ITHACA=build/release/ithaca scripts/compare.sh
#   SHAPE=bench/shapes/NAME.json  DEPTHS=0,1536,7680  PROMPT=512  DECODE=16  REPETITIONS=3
#   BASELINES="FILE..."  OUT=build/compare  LLAMA_BENCH=PROGRAM (no: without llama.cpp)
#
# OUT/here.json is resumed: depths that it has are not measured again. llama-bench measures each
# prompt once. It warms up with a whole prompt; after the first depth's, that is left out, since
# longer prompts do not notice it and would take twice the time.
set -euo pipefail
cd "$(dirname "$0")/.."

ithaca=${ITHACA:-build/release/ithaca} out=${OUT:-build/compare}
shape=${SHAPE:-bench/shapes/qwen3-0.6b.json} depths=${DEPTHS:-0,1536,7680}
prompt=${PROMPT:-512} decode=${DECODE:-16} repetitions=${REPETITIONS:-3}
read -ra baselines <<<"${BASELINES:-$(echo bench/baselines/h200/*.json)}"
cores=$(nproc)
mkdir -p "$out"

# One rank with half of the cores, then two with half each: what a second rank adds.
threads=$((cores > 1 ? cores / 2 : 1))
for ranks in 1 2; do
    echo "Ithaca, $ranks x $threads threads" >&2
    scripts/on_ranks.sh $ranks "$ithaca" bench model --shape "$shape" -t $threads \
        --depths "$depths" --prompt "$prompt" --decode "$decode" --repetitions "$repetitions" \
        -o "$out/here.json"
done
documents=("$out/here.json")

llama=${LLAMA_BENCH:-}
if [[ -z $llama ]]; then
    llama=build/llama/bin/llama-bench
    echo "building llama.cpp in build/llama" >&2
    bench/peers/build.sh --bench build/llama >build/llama.log 2>&1 || {
        tail -n 1 build/llama.log >&2
        echo "llama.cpp could not be built (build/llama.log): the page is without it" >&2
        llama=no
    }
fi
if [[ $llama != no ]]; then
    echo "llama.cpp, $((2 * threads)) threads" >&2
    # Whole prompts, and answers behind as many tokens as Ithaca's.
    prompts=()
    for depth in ${depths//,/ }; do prompts+=($((depth + prompt))); done
    name=$(basename "$shape" .json)
    python3 bench/peers/random_gguf.py "$shape" "$out/$name.gguf"
    bench=("$llama" -m "$out/$name.gguf" -t $((2 * threads)) -fa 1 -ctk f16 -ctv f16
        -ngl 0 -r 1 -o jsonl)
    measure() { "${bench[@]}" "$@" >>"$out/llama.jsonl" 2>>"$out/llama.log"; }
    rm -f "$out/llama.jsonl" "$out/llama.log"
    {
        measure -p "${prompts[0]}" -n 0 &&
            { ((${#prompts[@]} == 1)) ||
                measure -p "$(IFS=, && echo "${prompts[*]:1}")" -n 0 --no-warmup; } &&
            measure -p 0 -n "$decode" -d "$depths"
    } || { tail -n 3 "$out/llama.log" >&2 && exit 1; }
    python3 bench/peers/llama_bench.py --like "$out/here.json" <"$out/llama.jsonl" \
        >"$out/llama.json"
    rm -f "$out/$name.gguf"
    documents+=("$out/llama.json")
fi

# The GPUs first: their largest model is what most readers ask for.
"$ithaca" compare "${baselines[@]}" "${documents[@]}" -o "$out"
echo "$out/index.html"
