#!/bin/bash
# ranks_differ.sh - ranks that were started with other options, another command, another build or
# other files, on every command: one line names rank and difference, all end.
. tests/tap.sh

run=(run -m "$NEEDLE" --raw -p hi -n 2 --temp 0 -q)

# apart FIRST... : OTHER...   rank 0 runs the words before the colon, rank 1 those behind it
apart() {
    local first=()
    while [[ $1 != : ]]; do first+=("$1") && shift; done
    shift
    timeout --kill-after=5 600 scripts/on_ranks.sh 1 "${first[@]}" : -n 1 --oversubscribe "$@"
}

# named NAME REGEX COMMAND...: it fails on all ranks, and one line names what differs
named() {
    local name=$1 regex=$2
    shift 2
    expect "$name" 1 "$@" </dev/null
    matches "$name: is named" "$err" "^ithaca: error: $regex"
    same "$name: in one line" 1 "$(grep '^ithaca:' "$err" | grep -vc ': listening on')"
}

# beside COMMAND...: a check beside others, because each waits for ranks to begin and to end most of
# the time; all_said waits for them and shows what they said, in order
n=0
beside() {
    ((++n % 4)) || wait
    mkdir -p "$work/ranks.$n"
    (out=$work/out.$n err=$work/err.$n && OMPI_MCA_orte_tmpdir_base=$work/ranks.$n "$@") >"$work/said.$n" &
}
all_said() {
    wait
    for ((i = 1; i <= n; i++)); do cat "$work/said.$i"; done
    n=0
}

# differ NAME REGEX WORD... : OTHER...
differ() { named "$1" "rank 1: $2" apart "$ITHACA" "${@:3}"; }

beside differ "a value" "what follows --chunk is 32, and 16 on rank 0" "${run[@]}" --chunk 16 : "$ITHACA" "${run[@]}" --chunk 32
beside differ "one option more" "what follows -q is --exact, and not given on rank 0" "${run[@]}" : "$ITHACA" "${run[@]}" --exact
beside differ "one option less" "what follows -q is not given, and --exact on rank 0" "${run[@]}" --exact : "$ITHACA" "${run[@]}"
beside differ "a wrong option" "what follows -q is --wrong, and not given on rank 0" "${run[@]}" : "$ITHACA" "${run[@]}" --wrong
beside differ "the command" "word 1 of the command line is version, and run on rank 0" "${run[@]}" : "$ITHACA" version
beside differ "the command, the other way" "word 1 of the command line is run, and version on rank 0" version : "$ITHACA" "${run[@]}"

# Every command is compared before it begins, those included on which rank 0 works alone
echo 5 9 17 3 88 2 41 7 63 20 >"$work/ids"
commands=("calibrate -m $NEEDLE --ids $work/ids -o $work/stats" "pack $NEEDLE -o $work/never.ith")
[[ ${ITHACA_LONG:-} != 1 ]] ||
    commands+=("score -m $NEEDLE --ids $work/ids" "chat -m $NEEDLE" "bench model -m $NEEDLE --depths 8 --prompt 8 --decode 2" "bench roofline --seconds 0.01"
        "bench kernels --seconds 0.01" "inspect $NEEDLE" "tokenize $NEEDLE -p hi" "plan $NEEDLE" "probe --seconds 0.01" "compare $work/ids -o $work/never" "serve $NEEDLE --port 0" "batch $NEEDLE --input $work/ids --output $work/never.out" "pull a/b" "cache ls $work" "cache verify $work" "version" "help run")
for words in "${commands[@]}"; do
    # shellcheck disable=SC2086 # words on purpose
    beside differ "an option of ${words%% -*}" "(what follows .*|word [0-9]+ of the command line) is --json, and not given on rank 0" $words : "$ITHACA" $words --json
done
all_said
same "nothing is written" "" "$(ls "$work" | grep -E 'never|stats')"

# Variables that the launcher has not passed on to all
beside named "nodes of unlike ranks" "rank 1: ITHACA_RANKS_PER_NODE is 1, and not given on rank 0" apart "$ITHACA" "${run[@]}" : env ITHACA_RANKS_PER_NODE=1 "$ITHACA" "${run[@]}"
beside named "nodes of unlike ranks, the other way" "rank 1: ITHACA_RANKS_PER_NODE is not given, and 2 on rank 0" apart env ITHACA_RANKS_PER_NODE=2 "$ITHACA" "${run[@]}" : "$ITHACA" "${run[@]}"
beside named "one rank without a number" "rank 1: ITHACA_RANKS_PER_NODE is x, and not given on rank 0" apart "$ITHACA" "${run[@]}" : env ITHACA_RANKS_PER_NODE=x "$ITHACA" "${run[@]}"
beside named "a time limit that is none" "rank 1: ITHACA_NETWORK_TIMEOUT=x: expected seconds" apart "$ITHACA" "${run[@]}" : env ITHACA_NETWORK_TIMEOUT=x "$ITHACA" "${run[@]}"
beside expect "one rank does not watch the network" 0 apart env ITHACA_NETWORK_TIMEOUT=0 "$ITHACA" "${run[@]}" : "$ITHACA" "${run[@]}"

# Another build: this one with another digest of its sources
python3 - "$ITHACA" "$work/other" <<'P'
import re, sys
data = open(sys.argv[1], "rb").read()
other = re.sub(rb"(\(sources )[0-9a-f]+", lambda m: m[1] + b"0" * (len(m[0]) - len(m[1])), data)
assert other != data
open(sys.argv[2], "wb").write(other)
P
chmod +x "$work/other"
for words in "${run[*]}" "${commands[@]}"; do
    # shellcheck disable=SC2086
    beside named "another build: ${words%% -*}" "rank 1 runs Ithaca .*sources 0+, .*, rank 0 Ithaca " apart "$ITHACA" $words : "$work/other" $words
done

# mpirun ends all ranks when the first one has left with an error: rank 0 has said why by then, however
# late it comes back from MPI_Finalize.
expect "a late rank 0 is built" 0 ${CC:-cc} -shared -fPIC -o "$work/late.so" tests/faults/late_finalize.c
late=(env "LD_PRELOAD=$work/late.so" "$ITHACA" "${run[@]}")
beside named "a late rank 0: nodes of unlike ranks" "rank 1: ITHACA_RANKS_PER_NODE is 1, and not given on rank 0" apart "${late[@]}" : env ITHACA_RANKS_PER_NODE=1 "$ITHACA" "${run[@]}"
beside named "a late rank 0: a time limit that is none" "rank 1: ITHACA_NETWORK_TIMEOUT=x: expected seconds" apart "${late[@]}" : env ITHACA_NETWORK_TIMEOUT=x "$ITHACA" "${run[@]}"
beside named "a late rank 0: another build" "rank 1 runs Ithaca .*sources 0+, .*, rank 0 Ithaca " apart "${late[@]}" : "$work/other" "${run[@]}"

# A program that does not meet the others, as a build from before they met
cat >"$work/stranger.c" <<'C'
/* starts MPI and a collective operation that nobody joins */
#include <mpi.h>
int main(int argc, char **argv)
{
    MPI_Comm own;
    MPI_Init(&argc, &argv);
    MPI_Comm_dup(MPI_COMM_WORLD, &own);
    return MPI_Finalize();
}
C
if mpicc -o "$work/stranger" "$work/stranger.c" 2>"$err"; then
    beside named "another program" "rank 0: rank 1 (runs another program|has not answered)" apart "$ITHACA" "${run[@]}" : "$work/stranger"
    beside named "another program on rank 0" "rank 1: rank 0 (runs another program|has not answered for [0-9.]+ seconds)" apart "$work/stranger" : "$ITHACA" "${run[@]}"
else
    ok "another program # SKIP no compiler for MPI"
fi
all_said

# Two hosts with other files under one path, each a rank in a folder of its own
export ITHACA_RANKS_PER_NODE=1
mkdir "$work/0" "$work/1"
cp -r "$NEEDLE" "$work/0/m"
cp -r "$NEEDLE" "$work/1/m"
printf 'cd "%s/$OMPI_COMM_WORLD_RANK" && exec "%s" "$@"\n' "$work" "$(realpath "$ITHACA")" >"$work/there.sh"
there() { timeout --kill-after=5 600 scripts/on_ranks.sh 2 bash "$work/there.sh" "$@"; }

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

weights=$work/1/m/model.safetensors
bytes=$(stat -c %s "$weights")
mine=(run -m m --raw -p hi -n 2 --temp 0 -q)
expect "equal files" 0 there "${mine[@]}"
change "$weights" $((bytes * 2 / 3 + 1))
echo '{"custom_id": "a", "body": {"prompt": "hi", "max_tokens": 2}}' >"$work/lines"
for words in "${mine[*]}" "score -m m --ids $work/ids" "calibrate -m m --ids $work/ids -o $work/stats" "chat -m m" "bench model -m m --depths 8 --prompt 8 --decode 2" \
    "serve -m m --port 0 -q" "batch -m m --input $work/lines --output $work/never.out -q" "run -m $PWD/$NEEDLE --draft m -p hi"; do
    # shellcheck disable=SC2086
    beside named "one bit of the weights: ${words%% --ids*}" "rank 1: model\.[a-z0-9_.]*weight differs from rank 0's" there $words
done
all_said
same "no statistics, no answers are written" "" "$(find "$work" -maxdepth 1 -size +0 \( -name 'never*' -o -name stats \))"
head -c $((bytes - 100)) "$NEEDLE/model.safetensors" >"$weights"
named "a file cut short" "rank 1: .*model.safetensors" there "${mine[@]}"
cp "$NEEDLE/model.safetensors" "$weights"
rm "$work/1/m/config.json"
named "no model" "rank 1: .*config.json" there "${mine[@]}"
sed 's/"rope_theta": *[0-9.e+]*/"rope_theta": 12345.0/' "$NEEDLE/config.json" >"$work/1/m/config.json"
named "another config.json" "rank 1: the digest of the hyperparameters is" there "${mine[@]}"
cp "$NEEDLE/config.json" "$work/1/m/"
echo '{"eos_token_id": 7}' >"$work/1/m/generation_config.json"
named "another generation_config.json" "rank 1: the digest of the hyperparameters is" there "${mine[@]}"
cp "$NEEDLE/generation_config.json" "$work/1/m/"
for r in 0 1; do
    echo "$((r + 1)) 9 17 3 88 2 41 7" >"$work/$r/ids"
    "$ITHACA" calibrate -m $NEEDLE --ids "$work/$r/ids" -o "$work/$r/stats" -q
done
named "another file of statistics" "rank 1: model\.[a-z0-9_.]*weight differs from rank 0's" there "${mine[@]}" --stats stats --quant w4

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
expect "two commands of one rank" 0 timeout 600 mpirun -n 1 --oversubscribe bash -c "'$ITHACA' version >/dev/null && '$ITHACA' ${run[*]} && '$ITHACA' ${run[*]}"
mpirun -n 2 --oversubscribe env -0 >"$work/env"
python3 - "$work/env" >"$work/stale" <<'P'
import shlex, sys
seen = dict(v.split("=", 1) for v in open(sys.argv[1]).read().split("\0") if "=" in v)
for name, value in seen.items():
    if name.startswith(("OMPI", "PMIX", "ORTE")):
        print(f"export {name}={shlex.quote(value)}")
P
expect "stale variables" 0 bash -c ". '$work/stale'; timeout 600 '$ITHACA' ${run[*]:0:${#run[@]}-1}"
matches "stale variables: are named" "$err" "note: this shell has variables of a launcher that has ended"
