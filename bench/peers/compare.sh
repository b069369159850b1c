#!/bin/bash
# compare.sh - runs Ithaca, llama.cpp and ik_llama.cpp in turns, with the same file, threads and
# depths: medians and ratios.
#
# usage: compare.sh MODEL.gguf --llama DIR [--ik DIR] [OPTION]...
#   --llama DIR      holds llama-bench: bin/ of build.sh's folder
#   --ik DIR         holds llama-sweep-bench of ik_llama.cpp
#   --threads T      of each engine (default: the cores)
#   --depths LIST    tokens in the cache before each measurement: multiples of 512, ascending
#                    (default 0,4096)
#   --rounds N       in each round every engine runs once (default 3)
#   --decode N       tokens decoded at each depth (default 32)
#   --kv LIST        llama.cpp's cache types (default f16,q8_0)
#   --wait S         before each run, wait up to S seconds until the cores have been idle for two
#                    (default 0)
#   --out DIR        keeps what the engines printed, results.jsonl, and all of it as document.json, for
#                    ithaca compare (default: a temporary folder)
# ITHACA names the program (default build/release/ithaca). README.md says what is compared.
set -euo pipefail

usage() { sed -n '2,18s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
ithaca=${ITHACA:-$here/../../build/release/ithaca}
threads=$(nproc) depths=0,4096 rounds=3 decode=32 kv=f16,q8_0 wait=0 llama='' ik='' out='' model=''
while (($#)); do
    case $1 in
    --llama | --ik | --threads | --depths | --rounds | --decode | --kv | --wait | --out)
        [[ $# -ge 2 ]] || usage
        printf -v "${1#--}" %s "$2"
        shift 2 ;;
    -*) usage ;;
    *) [[ -z $model ]] || usage
        model=$1
        shift ;;
    esac
done
[[ -n $model && -n $llama ]] || usage
[[ -n $out ]] || out=$(mktemp -d)
mkdir -p "$out"
model=$(realpath "$model") out=$(realpath "$out") ithaca=$(realpath "$ithaca") llama=$(realpath "$llama")
[[ -z $ik ]] || ik=$(realpath "$ik")
results=$out/results.jsonl
: >"$results"
last=${depths##*,}

# What an engine prints becomes lines {engine, round, what, depth, tps, load}; load is the machine's
# after the run, the engine's own threads included.
record() { # ENGINE ROUND JQ_PROGRAM FILE
    jq -c --arg engine "$1" --argjson round "$2" --argjson load "$(cut -d' ' -f1 /proc/loadavg)" \
        "($3) | {engine: \$engine, round: \$round} + . + {load: \$load}" "$4" >>"$results"
}

idle() { awk '/^cpu / {print $5 + $6; exit}' /proc/stat; } # hundredths of a second of all cores since the start

wait_for_idle_cores() {
    local end=$((SECONDS + wait)) before
    while ((SECONDS < end)); do
        before=$(idle)
        sleep 2
        (($(idle) - before < 170 * $(nproc))) || return 0
    done
}

run_ithaca() {
    wait_for_idle_cores
    "$ithaca" bench model -m "$model" -t "$threads" --depths "$depths" --prompt 512 --decode "$decode" --repetitions 1 \
        --json --quiet >"$out/ithaca.$1.json"
    record ithaca "$1" '.results[] | {what: .phase, depth, tps: .tokens_per_second}' \
        "$out/ithaca.$1.json"
}

run_llama() { # ROUND KV_TYPE
    local file=$out/llama.$2.$1.jsonl
    wait_for_idle_cores
    "$llama/llama-bench" -m "$model" -t "$threads" -fa 1 -ctk "$2" -ctv "$2" -p 512 -n "$decode" -d "$depths" -r 1 -o jsonl \
        >"$file" 2>"$out/llama.$2.$1.err"
    record "llama.cpp $2" "$1" \
        '{what: (if .n_prompt > 0 then "prefill" else "decode" end), depth: .n_depth, tps: .avg_ts}' "$file"
}

# Its sweep measures prefill and decode at every multiple of a stride; only the depths asked for are
# kept. It leaves a log in the folder where it runs.
run_ik() {
    local file=$out/ik.$1.jsonl stride=$((last / 512)) a b depth
    for depth in ${depths//,/ }; do
        a=$stride b=$((depth / 512))
        while ((b)); do local rest=$((a % b)); a=$b b=$rest; done
        stride=$a
    done
    wait_for_idle_cores
    (cd "$out" && "$ik/llama-sweep-bench" -m "$model" -t "$threads" -c $((last + 512 + 512)) -ub 512 -b 512 -fa on -rtr -ctk q8_0 -ctv q8_0 -n "$decode" \
        --sweep-stride $((stride > 0 ? stride : 1)) --output-format jsonl >"$out/ik.$1.log" 2>&1)
    grep -o '{"n_kv_max".*}' "$out/ik.$1.log" >"$file"
    record "ik_llama.cpp q8_0" "$1" \
        "select([.n_kv] | inside([$depths])) | ({what: \"prefill\", depth: .n_kv, tps: .speed_pp}, {what: \"decode\", depth: .n_kv, tps: .speed_tg})" \
        "$file"
}

for ((round = 1; round <= rounds; round++)); do
    echo "round $round of $rounds, load $(cut -d' ' -f1 /proc/loadavg)" >&2
    run_ithaca "$round"
    [[ -z $ik ]] || run_ik "$round"
    for type in ${kv//,/ }; do run_llama "$round" "$type"; done
done
python3 "$here/table.py" "$results"
python3 "$here/collect.py" "$out" >"$out/document.json"
echo "kept: $out" >&2
