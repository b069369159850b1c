#!/bin/bash
# A model's file that is written while a run uses it is noticed: the run fails by name, and nothing that was computed from it is saved.
. tests/tap.sh

"$ITHACA" pack $NEEDLE -o "$work/right.ith" -q >"$out"
other=$work/other/$(basename $NEEDLE) # packs hold the name
mkdir "$work/other"
cp -r $NEEDLE "$other"
python3 - "$other/model.safetensors" <<'P'
import json, struct, sys
b = bytearray(open(sys.argv[1], 'rb').read())
n = struct.unpack('<Q', b[:8])[0]
a, e = json.loads(b[8:8 + n])['model.layers.0.self_attn.v_proj.weight']['data_offsets']
for i in range(8 + n + a + 1, 8 + n + e, 2):
    b[i] ^= 0x80
open(sys.argv[1], 'wb').write(b)
P
"$ITHACA" pack "$other" -o "$work/wrong.ith" -q >"$out"
same "the other pack is as long" "$(stat -c %s "$work/right.ith")" "$(stat -c %s "$work/wrong.ith")"
seq 10 1509 >"$work/ids"

run() { "$ITHACA" run -m "$@" --ids "$work/ids" -n 8 --temp 0 --json --chunk 512 -t 1 -q; }
logits() { field "$out" 'j["logits_sha256"]'; }
write_in_place() { dd if="$1" of="$2" conv=notrunc bs=1M status=none; }

cp "$work/right.ith" "$work/m.ith"
run "$work/m.ith" >"$out"
right=$(logits)

# held POINT CHANGE OPTION...: a run of $model during which CHANGE happens at POINT; leaves its exit status in $got
held() {
    local point=$1 change=$2 pid
    shift 2
    rm -f "$work/hold"
    ITHACA_TEST_HOOK="$point $work/hold" run "$model" "$@" >"$out" 2>"$err" &
    pid=$!
    holding "$work/hold" $pid
    $change
    echo >"$work/hold"
    wait $pid
    got=$?
}

fails() {
    same "$1: fails" 1 "$got"
    same "$1: one line" 1 "$(grep -c '^ithaca: error: ' "$err")"
    matches "$1: names the file" "$err" "error: .*$2.* has changed while it was in use"
}

overwrite() { write_in_place "$work/wrong.ith" "$model"; }
overwrite_in_secret() { overwrite && touch -d "$time" "$model"; }
replace() { cp "$work/wrong.ith" "$work/new.ith" && mv "$work/new.ith" "$model"; }
renew() { cp "$work/right.ith" "$work/m.ith"; }

model=$work/m.ith
held "length 512" overwrite --prompt-cache "$work/cache"
fails "a pack, in the prompt" m.ith
write_in_place "$work/right.ith" "$model"
run "$model" --prompt-cache "$work/cache" >"$out"
same "a pack, in the prompt: nothing wrong is in the cache" "$right" "$(logits)"

held "length 512" overwrite --checkpoint "$work/check"
fails "a pack, under a checkpoint" m.ith

renew
held "answer 3" overwrite
fails "a pack, in the answer" m.ith

renew
time=$(stat -c %y "$model")
held "length 512" overwrite_in_secret
fails "a pack whose time of modification is set back" m.ith

renew
held "length 512" replace
same "a pack that another replaces: goes on" 0 "$got"
same "a pack that another replaces: with the bytes that it opened" "$right" "$(logits)"

renew
held "length 512" "rm $model"
same "a pack that is deleted: goes on" 0 "$got"

cp -r $NEEDLE "$work/folder"
model=$work/folder
run "$model" >"$out"
right=$(logits)
flip() { write_in_place "$other/model.safetensors" "$work/folder/model.safetensors"; }
held "length 512" flip
same "weights that are in memory: go on" 0 "$got"
same "weights that are in memory: the same logits" "$right" "$(logits)"

renew
export ITHACA_RANKS_PER_NODE=1
rm -f "$work/hold"
ITHACA_TEST_HOOK="length 512 $work/hold" scripts/on_ranks.sh 2 "$ITHACA" run -m "$work/m.ith" --ids "$work/ids" -n 8 --json --chunk 512 -t 1 -q >"$out" 2>"$err" &
pid=$!
holding "$work/hold" $pid
write_in_place "$work/wrong.ith" "$work/m.ith"
echo >"$work/hold"
wait $pid
got=$?
fails "a pack on two nodes" m.ith

# A rank whose file alone changes: no token that it had a part in is saved
for rank in 0 1; do
    mkdir "$work/rank$rank"
    cp "$work/right.ith" "$work/rank$rank/m.ith"
done
rm -f "$work/hold"
program=$(readlink -f "$ITHACA")
one=(-x "ITHACA_TEST_HOOK=answer 3 $work/hold" "$program" run -m m.ith --ids "$work/ids" -n 8 --ignore-eos --json --chunk 512 -t 1 -q --checkpoint "$work/two")
scripts/on_ranks.sh 1 -wdir "$work/rank0" "${one[@]}" : -n 1 -wdir "$work/rank1" "${one[@]}" >"$out" 2>"$err" &
pid=$!
holding "$work/hold" $pid
write_in_place "$work/wrong.ith" "$work/rank1/m.ith"
saved=$(or_fail stat -c %s "$work/two/answer")
echo >"$work/hold"
wait $pid
got=$?
fails "a pack on one rank" m.ith
same "a pack on one rank: no token after it is saved" "$saved" "$(stat -c %s "$work/two/answer")"

# The system cannot say once whether the file has changed: that is the error, not what a second look finds
cat >"$work/once.c" <<'C'
/* fstat of the file whose path ends with FAULT_FILE fails once, the FAULT_CALL-th time */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
static atomic_int calls;
int fstat(int fd, struct stat *info)
{
    const char *name = getenv("FAULT_FILE");
    char link[64], target[4096] = "";
    ssize_t n;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, target, sizeof target - 1);
    if (n >= (ssize_t)strlen(name) && strcmp(target + n - strlen(name), name) == 0 &&
        atomic_fetch_add(&calls, 1) == atoi(getenv("FAULT_CALL"))) {
        errno = EIO;
        return -1;
    }
    return fstatat(fd, "", info, AT_EMPTY_PATH);
}
C
if ! nm "$ITHACA" 2>/dev/null | grep -q __asan && gcc -D_GNU_SOURCE -shared -fPIC -o "$work/once.so" "$work/once.c" 2>"$err"; then
    renew
    for call in 3 5 8; do # when it is open: at the end of loading, after passes
        expect "no answer about a pack, call $call" 1 env LD_PRELOAD="$work/once.so" FAULT_FILE=/m.ith FAULT_CALL=$call \
            "$ITHACA" run -m "$work/m.ith" --ids "$work/ids" -n 8 --temp 0 --chunk 512 -t 1 -q --prompt-cache "$work/once"
        matches "no answer about a pack, call $call: named" "$err" "^ithaca: error: .*m.ith: Input/output error"
    done
else
    ok "no answer about a pack # SKIP no compiler for a stand-in"
fi
