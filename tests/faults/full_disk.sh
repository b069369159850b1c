#!/bin/bash
# A disk that is full while a pack, or what calibration found, is written to it: the error says so, nothing under the final name, nothing left.
# The disk is a small tmpfs in a mount namespace of this test, which needs user namespaces; where that is refused the test is skipped.
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
    matches "pack $options: said so" "$err" "^ithaca: $disk/model.ith.*No space left on device"
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
matches "calibrate: said so" "$err" "^ithaca: $disk/stats.*No space left on device"
same "calibrate: nothing is left" other "$(left)"
