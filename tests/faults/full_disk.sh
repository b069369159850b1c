#!/bin/bash
# full_disk.sh - the disk is full while a pack or calibration's statistics are written: the error
# says so, and no file is left, least of all under the final name. While a checkpoint is written:
# the run continues without saving, and resumes from what is there once there is room.
#
# The disk is a small tmpfs in a mount namespace of this test. Where user namespaces are refused the
# test is skipped.
if [[ ${1:-} != inside ]]; then
    why=$(unshare --mount --map-root-user true 2>&1) || { echo "ok full disk # SKIP no mount namespace here: $why"; exit 0; }
    exec unshare --mount --map-root-user bash "$0" inside
fi
. tests/tap.sh

disk=$work/disk
mkdir "$disk"
why=$(mount -t tmpfs -o size=600k none "$disk" 2>&1) || { echo "ok full disk # SKIP tmpfs cannot be mounted: $why"; exit 0; }
trap 'umount "$disk"; rm -rf "$work"' EXIT
left() { ls -A "$disk"; }

for options in "--quant w8" "--quant bf16 --zstd 3" "--quant keep --threads 1"; do
    # shellcheck disable=SC2086 # words on purpose
    expect "pack $options: fails" 1 "$ITHACA" pack $NEEDLE -o "$disk/model.ith" $options -q
    same "pack $options: one line" 1 "$(wc -l <"$err")"
    matches "pack $options: said so" "$err" "^ithaca: error: $disk/model.ith.*No space left on device"
    same "pack $options: nothing is left" "" "$(left)"
done

# The pack that was there stays
echo old >"$disk/model.ith"
expect "--force: fails" 1 "$ITHACA" pack $NEEDLE -o "$disk/model.ith" --force -q
same "--force: the old file stays" old "$(cat "$disk/model.ith")"
same "--force: nothing else is left" model.ith "$(left)"
rm "$disk/model.ith"

head -c 590000 /dev/zero >"$disk/other"
seq 1 200 >"$work/ids"
expect "calibrate: fails" 1 "$ITHACA" calibrate -m $NEEDLE --ids "$work/ids" -o "$disk/stats" -q
matches "calibrate: said so" "$err" "^ithaca: error: $disk/stats.*No space left on device"
same "calibrate: nothing is left" other "$(left)"
rm "$disk"/*

# A checkpoint of 6,000 tokens takes 6 MB
mount -o remount,size=4m "$disk"
haystack --tokens 6000 --depth 0.4 --seed 3 >"$work/text" 2>/dev/null
run=("$ITHACA" run -m $NEEDLE -f "$work/text" --threads 1 --ignore-eos -n 100 --temp 0 --json)
result() { field "$1" "j['ids'], j['logits_sha256']"; }
expect "undisturbed" 0 "${run[@]}"
want=$(result "$out")
for ranks in 1 2; do
    on=()
    [[ $ranks == 1 ]] || on=(scripts/on_ranks.sh $ranks)
    expect "checkpoint, $ranks ranks: goes on" 0 "${on[@]}" "${run[@]}" --checkpoint "$disk/run"
    matches "checkpoint, $ranks ranks: said so" "$err" "warning: checkpoint: .*No space left on device: nothing more is written"
    same "checkpoint, $ranks ranks: the same" "$want" "$(result "$out")"
    same "checkpoint, $ranks ranks: gone when done" "" "$(ls -A "$disk/run")"

    # Killed while the disk is full; afterwards there is room
    expect "killed, $ranks ranks" 137 env ITHACA_TEST_HOOK="answer 10 KILL" "${on[@]}" "${run[@]}" --checkpoint "$disk/run"
    flock "$disk/run/lock" true # no rank is left
    same "killed, $ranks ranks: something is there" yes "$([[ -n $(find "$disk/run/kv" -name manifest.json) ]] && echo yes)"
    cp -r "$disk/run" "$work/larger"
    rm -r "$disk/run"
    expect "with room, $ranks ranks: goes on" 0 "${on[@]}" "${run[@]}" --checkpoint "$work/larger"
    same "with room, $ranks ranks: the same" "$want" "$(result "$out")"
    same "with room, $ranks ranks: read as far as it was saved" True "$(field "$out" "1024 <= j['restored_tokens'] < 5000")"
    rm -rf "$work/larger"
done

# A prompt cache: segments that did not fit whole are removed
parts() {
    local segment
    for segment in "$disk"/cache/*/; do
        [[ -e $segment/manifest.json && $(find "$segment" -name 'head-*.kv' | wc -l) == "$heads" ]] || echo "$segment: $(ls -A "$segment")"
    done
}
heads=$(python3 -c "import json; print(json.load(open('$NEEDLE/config.json'))['num_key_value_heads'])")
for ranks in 1 2; do
    on=()
    [[ $ranks == 1 ]] || on=(scripts/on_ranks.sh $ranks)
    expect "cache, $ranks ranks: goes on" 0 "${on[@]}" "${run[@]}" --prompt-cache "$disk/cache"
    matches "cache, $ranks ranks: said so" "$err" "warning: prompt cache: .*No space left on device: nothing more is written"
    same "cache, $ranks ranks: the same" "$want" "$(result "$out")"
    same "cache, $ranks ranks: no parts are left" "" "$(parts)"
    expect "cache, $ranks ranks: read again" 0 "${on[@]}" "${run[@]}" --prompt-cache "$disk/cache"
    same "cache, $ranks ranks: read again: the same" "$want" "$(result "$out")"
    same "cache, $ranks ranks: read again as far as it was saved" True "$(field "$out" "1024 <= j['restored_tokens'] < 5000")"
    rm -r "$disk/cache"
done

# Answers of a batch: those that fit are whole lines, and the same command goes on once there is room
python3 - "$work/requests" <<'EOF'
import json, sys
with open(sys.argv[1], "w") as f:
    for i in range(12):
        print(json.dumps({"custom_id": str(i), "body": {"prompt": [5 + i] * 9, "max_tokens": 150, "ignore_eos": True}}), file=f)
EOF
batch=("$ITHACA" batch -m $NEEDLE --threads 1 -q -i "$work/requests" --in-flight 3)
expect "batch: undisturbed" 0 "${batch[@]}" -o "$work/answers"
rm -rf "${disk:?}"/*
head -c $((4 * 1024 * 1024 - 8192)) /dev/zero >"$disk/other"
expect "batch: fails" 1 "${batch[@]}" -o "$disk/answers"
matches "batch: said so" "$err" "^ithaca: error: $disk/answers: No space left on device"
same "batch: whole lines are there" True "$(or_fail python3 -c '
import json, sys
text = open(sys.argv[1]).read()
print(text.endswith("\n") and 0 < len([json.loads(l) for l in text.splitlines()]) < 12)' "$disk/answers")"
rm "$disk/other"
expect "batch: goes on" 0 scripts/on_ranks.sh 2 "${batch[@]}" -o "$disk/answers"
same "batch: the same" "$(sort "$work/answers")" "$(sort "$disk/answers")"
