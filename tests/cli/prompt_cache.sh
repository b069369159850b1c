#!/bin/bash
# prompt_cache.sh - --prompt-cache and ithaca cache: a run reads what another wrote, on any number
# of ranks, with the same bits. Damaged data is reported and computed again.
. tests/tap.sh

haystack --tokens 2600 --depth 0.5 --seed 11 >"$work/text" 2>/dev/null
cache=$work/cache
run() { "$ITHACA" run -m "${model:-$NEEDLE}" -n 12 --threads 1 --json "$@"; }
ranks() { local n=$1 && shift && scripts/on_ranks.sh "$n" "$ITHACA" run -m $NEEDLE -n 12 --threads 1 --json "$@"; }
result() { field "$1" "j['ids'], j['logits_sha256']"; }
read_tokens() { field "$1" "j['restored_tokens']"; }
text=(-f "$work/text")
cached=(-f "$work/text" --prompt-cache "$cache")

expect "without a cache" 0 run "${text[@]}"
want=$(result "$out")
all=$(field "$out" "j['prompt_tokens'] - 1") # the last token is always computed

expect "4 ranks write" 0 ranks 4 "${cached[@]}"
same "4 ranks: nothing was there" 0 "$(read_tokens "$out")"
same "4 ranks: the same bits" "$want" "$(result "$out")"
for n in 3 2 1 4; do
    expect "$n ranks read" 0 ranks $n "${cached[@]}" --chunk $((100 * n))
    same "$n ranks: all was there" "$all" "$(read_tokens "$out")"
    same "$n ranks: the same bits" "$want" "$(result "$out")"
done
expect "2 ranks of one head group" 0 ranks 2 "${cached[@]}" --mesh 1x2
same "2 ranks of one head group: the same bits" "$want $all" "$(result "$out") $(read_tokens "$out")"

# Another question: the common part is read, up to the middle of a segment
sed '$d' "$work/text" >"$work/other"
echo "Which city is Flora's passkey kept in?" >>"$work/other"
expect "another question, computed" 0 run -f "$work/other"
other=$(result "$out")
expect "another question" 0 run -f "$work/other" --prompt-cache "$cache"
same "another question: the same bits" "$other" "$(result "$out")"
same "another question: most is read" yes "$( (($(read_tokens "$out") > 2048)) && echo yes || read_tokens "$out")"

# The same weights are the same model wherever they lie. Other weights, and other KV types, are not.
expect "a pack" 0 "$ITHACA" pack $NEEDLE -o "$work/needle.ith" -q
model=$work/needle.ith expect "of a pack" 0 run "${cached[@]}"
same "of a pack: all was there" "$want $all" "$(result "$out") $(read_tokens "$out")"
model=$work/needle.ith expect "of a streamed pack" 0 run "${cached[@]}" --placement streamed
same "of a streamed pack: all was there" "$want $all" "$(result "$out") $(read_tokens "$out")"
expect "of a pack whose rows are cut among nodes" 0 env ITHACA_RANKS_PER_NODE=1 scripts/on_ranks.sh 2 "$ITHACA" run -m "$work/needle.ith" -n 12 \
    --threads 1 --json "${cached[@]}" --placement sharded
same "of a pack whose rows are cut among nodes: all was there" "$want $all" "$(result "$out") $(read_tokens "$out")"
expect "of files whose rows are cut among nodes" 0 env ITHACA_RANKS_PER_NODE=1 scripts/on_ranks.sh 3 "$ITHACA" run -m $NEEDLE -n 12 \
    --threads 1 --json "${cached[@]}" --placement sharded
same "of files whose rows are cut among nodes: all was there" "$want $all" "$(result "$out") $(read_tokens "$out")"
expect "other weights" 0 run "${cached[@]}" --quant w4
same "other weights: nothing was there" 0 "$(read_tokens "$out")"
expect "another form of cache" 0 run "${cached[@]}" --kv bf16
same "another form of cache: nothing was there" 0 "$(read_tokens "$out")"
expect "another form of cache, again" 0 run "${cached[@]}" --kv bf16
same "another form of cache, again: all was there" "$all" "$(read_tokens "$out")"
expect "not with --exact" 2 run "${cached[@]}" --exact

# ls, verify
expect "ls" 0 "$ITHACA" cache ls "$cache"
matches "ls: the prompt" "$out" "^[0-9a-f]{12} +$((all + 1)) .* q8 +needle-qwen3"
expect "ls --json" 0 "$ITHACA" cache ls "$cache" --json
segments=$(field "$out" "len(j['segments'])")
expect "verify" 0 "$ITHACA" cache verify "$cache"
matches "verify: all good" "$out" "^$segments segments, .*: 0 damaged, 0 incomplete"

# Damage: reported, computed again, repaired
break_one() { # a file of the q8 prompt's second segment
    local key
    "$ITHACA" cache ls "$cache" --json >"$work/list"
    key=$(field "$work/list" "[s['parent'] + '-' + s['key'] for s in j['segments'] if s['kv'] == 'q8' and s['start'] == 1024 and s['model'] == 'needle-qwen3'][-1]")
    broken=$cache/$key/head-2.kv
}
for kind in flipped cut; do
    for n in 1 3; do
        rm -rf "$cache" && run "${cached[@]}" >"$out" 2>"$err"
        break_one
        case $kind in
        flipped) flip "$broken" 5000 ;;
        cut) truncate -s 3000 "$broken" ;;
        esac
        expect "$kind: verify fails" 1 "$ITHACA" cache verify "$cache"
        matches "$kind: verify names the file" "$err" "head-2.kv: (damaged|3000 bytes long)"
        expect "$kind, $n ranks: a run goes on" 0 ranks $n "${cached[@]}"
        matches "$kind, $n ranks: it names the file" "$err" "warning: prompt cache: .*head-2.kv: .*: computed again"
        same "$kind, $n ranks: the same bits" "$want 1024" "$(result "$out") $(read_tokens "$out")"
        expect "$kind, $n ranks: mended" 0 run "${cached[@]}"
        same "$kind, $n ranks: mended: all is read" "$want $all" "$(result "$out") $(read_tokens "$out")"
    done
done
: >"$broken"
expect "empty file" 0 run "${cached[@]}"
same "empty file: the same bits" "$want" "$(result "$out")"

# A full disk: a limit on what this process may write
rm -rf "$cache"
expect "full disk" 0 bash -c 'ulimit -f 100 && "$@"' - "$ITHACA" run -m $NEEDLE -n 12 --threads 1 --json "${cached[@]}"
matches "full disk: said so" "$err" "warning: prompt cache: .*head-[0-9].kv.*File too large: nothing more is written"
same "full disk: the same bits" "$want" "$(result "$out")"
same "full disk: nothing half-written stays" "" "$(find "$cache" -name '*.new-*')"
mkdir "$work/small"
if mount -t tmpfs -o size=600k tmpfs "$work/small" 2>/dev/null; then
    expect "full file system" 0 run "${text[@]}" --prompt-cache "$work/small/cache"
    matches "full file system: said so" "$err" "warning: prompt cache: .*No space left on device: nothing more is written"
    same "full file system: the same bits" "$want" "$(result "$out")"
    expect "full file system: what is there is read" 0 run "${text[@]}" --prompt-cache "$work/small/cache"
    same "full file system: the same bits again" "$want" "$(result "$out")"
    umount "$work/small"
else
    ok "full file system # SKIP nothing can be mounted here"
fi
expect "a folder that cannot be made" 1 run "${text[@]}" --prompt-cache /dev/null/x
matches "a folder that cannot be made: named" "$err" "/dev/null/x"

# Size: the least recently used data is deleted
expect "small cache" 0 run "${cached[@]}" --prompt-cache-size 10GiB
expect "small cache: another prompt" 0 run -f "$work/other" --prompt-cache "$cache" --prompt-cache-size 3500KiB
size=$(du -sb --apparent-size "$cache" | cut -f 1)
same "small cache: not larger than that" yes "$( ((size < 3700000)) && echo yes || echo "$size")"
expect "small cache: the later prompt" 0 run -f "$work/other" --prompt-cache "$cache"
same "small cache: the later prompt is there" "$other" "$(result "$out")"
same "small cache: the later prompt is read" yes "$( (($(read_tokens "$out") > 2500)) && echo yes || read_tokens "$out")"

# Several runs at once, one of which removes what the others read
rm -rf "$cache"
for round in 1 2 3; do
    for i in 1 2 3; do
        run "${cached[@]}" --prompt-cache-size $((i * i * 200))KiB >"$work/at-once-$i" 2>/dev/null &
    done
    wait
    for i in 1 2 3; do same "at once, $round: run $i" "$want" "$(result "$work/at-once-$i")"; done
done

# rm
rm -rf "$cache" && run "${cached[@]}" >/dev/null 2>&1 && run -f "$work/other" --prompt-cache "$cache" >/dev/null 2>&1
"$ITHACA" cache ls "$cache" --json >"$work/list"
key=$(field "$work/list" "[s['key'] for s in j['segments'] if s['start'] == 2048][0]")
expect "rm one" 0 "$ITHACA" cache rm "$cache" --key "${key:0:12}"
matches "rm one: not what others share" "$out" "^removed 1 segments"
expect "rm: no such key" 1 "$ITHACA" cache rm "$cache" --key 0123456789
expect "rm needs to be told what" 2 "$ITHACA" cache rm "$cache"
expect "rm all" 0 "$ITHACA" cache rm "$cache" --all
same "rm all: nothing is left" "" "$(ls -A "$cache")"
expect "a folder that is not there" 1 "$ITHACA" cache ls "$work/nowhere"
