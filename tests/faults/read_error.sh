#!/bin/bash
# read_error.sh - streamed weights become unreadable while the model is loaded, a prompt is
# prefilled, or an answer is decoded, from a pack and from safetensors: one error that names the
# file, and all ranks end. On one rank, and on 3 ranks (pack) or 2 (safetensors; ITHACA_LONG: 3),
# each a node of its own.
. tests/tap.sh

export ITHACA_RANKS_PER_NODE=1
limit_s=300 # for a run that hangs; a good one takes a second
shim=$work/failing_reads.so
asan=$(ldd "$ITHACA" | awk '/lib[at]san/ { print $3 }') # must be loaded first
${CC:-gcc} -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -O1 -fPIC -shared tests/faults/failing_reads.c -o "$shim" -pthread
python3 tests/faults/big_model.py $NEEDLE "$work/folder"
expect "pack" 0 "$ITHACA" pack "$work/folder" -o "$work/model.ith" -q
seq 1 200 >"$work/ids"
echo 1 >"$work/one"

# start RANKS MODEL NAME=VALUE...: a prompt in several chunks and an answer, with $mem MiB per rank
start() {
    local ranks=$1 model=$2
    shift 2
    timeout --kill-after=5 $limit_s scripts/on_ranks.sh "$ranks" env LD_PRELOAD="${asan:+$asan:}$shim" FAULT_FILE="$model" "$@" \
        "$ITHACA" run -m "$work/${model%/*}" --ids "$work/$prompt" -n $answer --ignore-eos --speculate off --threads 1 --ctx 512 --chunk 64 \
        --placement streamed --mem "${mem}MiB" --offload $offload --json
}

# Little more than the least memory that works: from a limit that is too low, upwards. What the
# process itself takes counts, and varies; what is computed does not: one pass shows it. Then how
# much each rank reads.
mem=32
find_budget() {
    prompt=one answer=1
    while start "$@" >"$out" 2>"$err"; do mem=$((mem - 4)); done
    until start "$@" >"$out" 2>"$err" || ! grep -q -- --mem "$err"; do mem=$((mem + 4)); done
    mem=$((mem + 2)) prompt=ids answer=6
    rm -f "$work/count"
    expect "$name: undisturbed" 0 start "$@" FAULT_COUNT="$work/count"
}

for ranks in 1 2 3; do
    for model in model.ith folder/model.safetensors; do
        offload=$([[ $model == model.ith ]] && echo direct || echo disk) # packs through the page cache: unreadable.sh
        [[ $offload == direct && $ranks == 2 ]] && continue
        [[ $offload == disk && $ranks == 3 && -z ${ITHACA_LONG:-} ]] && continue
        name="$model, $ranks $([ "$ranks" = 1 ] && echo rank || echo ranks)"
        find_budget "$ranks" "$model"
        matches "$name: streamed" "$out" '"distribution":"streamed'
        asked=$(sort -n "$work/count" | head -n 1) # of the rank that read least
        same "$name: read in every pass" yes "$( ((asked * ranks > 40000000)) && echo yes || echo "$asked bytes")"
        for percent in 0 25 75; do
            expect "$name, $percent%: fails" 1 start "$ranks" "$model" FAULT_AFTER=$((asked / 100 * percent))
            same "$name, $percent%: one error" 1 "$(grep -c '^ithaca: error: ' "$err")"
            matches "$name, $percent%: the file is named" "$err" "^ithaca: .*$model.*(Input/output error|cannot be read)"
        done
    done
done
