#!/bin/bash
# Ranks that were started with other options, another command, another build or other files: one line names rank and difference, all end.
. tests/tap.sh

run=(run -m "$NEEDLE" --raw -p hi -n 2 --temp 0 -q)

# differ NAME REGEX FIRST... : OTHER...   rank 1 runs the words after the colon
differ() {
    local name=$1 regex=$2 first=()
    shift 2
    while [[ $1 != : ]]; do first+=("$1") && shift; done
    shift
    expect "$name" 1 timeout --kill-after=5 120 scripts/on_ranks.sh 1 "$ITHACA" "${first[@]}" : -n 1 --oversubscribe "$@"
    matches "$name: is named" "$err" "^ithaca: error: rank 1: $regex"
    same "$name: in one line" 1 "$(grep -c '^ithaca:' "$err")"
}

differ "a value" "what follows --chunk is 32, and 16 on rank 0" "${run[@]}" --chunk 16 : "$ITHACA" "${run[@]}" --chunk 32
differ "one option more" "what follows -q is --exact, and not given on rank 0" "${run[@]}" : "$ITHACA" "${run[@]}" --exact
differ "one option less" "what follows -q is not given, and --exact on rank 0" "${run[@]}" --exact : "$ITHACA" "${run[@]}"
differ "a wrong option" "what follows -q is --wrong, and not given on rank 0" "${run[@]}" : "$ITHACA" "${run[@]}" --wrong
differ "the command" "word 1 of the command line is version, and run on rank 0" "${run[@]}" : "$ITHACA" version
differ "the command, the other way" "word 1 of the command line is run, and version on rank 0" version : "$ITHACA" "${run[@]}"

# A variable that the launcher has not passed on: each rank is its own
expect "one rank does not watch the network" 0 timeout --kill-after=5 120 scripts/on_ranks.sh 1 env ITHACA_NETWORK_TIMEOUT=0 "$ITHACA" "${run[@]}" : -n 1 --oversubscribe "$ITHACA" "${run[@]}"

# Two hosts with other files under one path, each a rank in a folder of its own
export ITHACA_RANKS_PER_NODE=1
mkdir "$work/0" "$work/1"
cp -r "$NEEDLE" "$work/0/m"
cp -r "$NEEDLE" "$work/1/m"
printf 'cd "%s/$OMPI_COMM_WORLD_RANK" && exec "%s" "$@"\n' "$work" "$(realpath "$ITHACA")" >"$work/there.sh"
there() { timeout --kill-after=5 120 scripts/on_ranks.sh 2 bash "$work/there.sh" "$@"; }

# change FILE OFFSET...: flips a bit of rank 1's copy at each offset
change() {
    python3 - "$@" <<'P'
import sys
path, places = sys.argv[1], map(int, sys.argv[2:])
data = bytearray(open(path, "rb").read())
for at in places:
    data[at] ^= 0x20
open(path, "wb").write(data)
P
}

mine=(run -m m --raw -p hi -n 2 --temp 0 -q)
expect "equal files" 0 there "${mine[@]}"
weights=$work/1/m/model.safetensors
bytes=$(stat -c %s "$weights")
change "$weights" $((bytes * 2 / 3 + 1))
expect "one bit of the weights" 1 there "${mine[@]}"
matches "one bit of the weights: the tensor is named" "$err" "^ithaca: error: rank 1: model\.[a-z0-9_.]*weight differs from rank 0's"
cp "$NEEDLE/model.safetensors" "$weights"
sed -i 's/"rope_theta": *[0-9.e+]*/"rope_theta": 12345.0/' "$work/1/m/config.json"
expect "another config.json" 1 there "${mine[@]}"
matches "another config.json: is named" "$err" "^ithaca: error: rank 1: the digest of the hyperparameters is"
cp "$NEEDLE/config.json" "$work/1/m/"

for r in 0 1; do (cd "$work/$r" && "$(realpath "$OLDPWD/$ITHACA")" pack m -o m.ith -q >/dev/null); done
packed=(run -m m.ith --raw -p hi -n 2 --temp 0 -q --prompt-cache "$work/cache")
change "$work/1/m/model.safetensors" $((bytes / 2 + 1))
(cd "$work/1" && "$(realpath "$OLDPWD/$ITHACA")" pack m -o m.ith -q --force >/dev/null)
expect "packs of other weights" 1 there "${packed[@]}"
matches "packs of other weights: the tensor is named" "$err" "differs from rank 0's"
same "nothing is filed" 0 "$(find "$work/cache" -type f 2>/dev/null | wc -l)"
unset ITHACA_RANKS_PER_NODE

# A script under a launcher, and a shell that outlived its job
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
expect "two commands of one rank" 0 timeout 120 mpirun -n 1 --oversubscribe bash -c "'$ITHACA' version >/dev/null && '$ITHACA' ${run[*]} && '$ITHACA' ${run[*]}"
mpirun -n 2 --oversubscribe env -0 >"$work/env"
python3 - "$work/env" >"$work/stale" <<'P'
import shlex, sys
seen = dict(v.split("=", 1) for v in open(sys.argv[1]).read().split("\0") if "=" in v)
for name, value in seen.items():
    if name.startswith(("OMPI", "PMIX", "ORTE")):
        print(f"export {name}={shlex.quote(value)}")
P
expect "stale variables" 0 bash -c ". '$work/stale'; timeout 60 '$ITHACA' ${run[*]:0:${#run[@]}-1}"
matches "stale variables: are named" "$err" "note: this shell has variables of a launcher that has ended"
