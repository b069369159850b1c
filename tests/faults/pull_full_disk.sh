#!/bin/bash
# pull_full_disk.sh - the disk becomes full while a model is downloaded: the error says so, what has
# come stays, and the download goes on from there once there is room. Where too little is free from
# the beginning, nothing is begun.
#
# The disk is a small tmpfs in a mount namespace of this test. Where user namespaces are refused the
# test is skipped.
if [[ ${1:-} != inside ]]; then
    why=$(unshare --mount --map-root-user true 2>&1) || { echo "ok full disk # SKIP no mount namespace here: $why"; exit 0; }
    exec unshare --mount --map-root-user bash "$0" inside
fi
. tests/tap.sh
. tests/hub/hub.sh

disk=$work/disk
mkdir -p "$disk" "$hub/root/org/tiny"
why=$(mount -t tmpfs -o size=600k none "$disk" 2>&1) || { echo "ok full disk # SKIP tmpfs cannot be mounted: $why"; exit 0; }
trap 'stop_hub; umount "$disk"; rm -rf "$work"' EXIT
cp tests/cases/tiny-qwen3/* "$hub/root/org/tiny"
head -c 400000 /dev/urandom >"$hub/root/org/tiny/model.safetensors"
export HF_HOME=$disk
start_hub

head -c 300000 /dev/zero >"$disk/other"
expect "too little is free: fails" 1 "$ITHACA" pull org/tiny
matches "too little is free: said so" "$err" "^ithaca: error: org/tiny: [0-9]+ kB are left to download, and [0-9]+ kB are free in $disk/hub"
same "too little is free: nothing has come" "" "$(find "$disk" -name '*.incomplete')"
rm "$disk/other"

# Held after the first bytes, while the disk fills up
ITHACA_TEST_HOOK="download 100000 $work/held" "$ITHACA" pull org/tiny -q >"$out" 2>"$err" &
pid=$!
holding "$work/held" $pid
cat /dev/zero >"$disk/other" 2>/dev/null
echo go >"$work/held"
wait $pid
same "full meanwhile: exit status" 1 $?
same "full meanwhile: one line" 1 "$(wc -l <"$err")"
matches "full meanwhile: said so" "$err" "the disk is full \(.*\); run the same command again to resume the download"
same "full meanwhile: what has come stays" yes "$( (($(stat -c %s "$disk"/hub/models--org--tiny/blobs/*.incomplete | sort -n | tail -n 1) >= 100000)) && echo yes)"
rm "$disk/other"
expect "there is room again" 0 "$ITHACA" pull org/tiny
same "there is room again: all is there" "" "$(cmp "$(cat "$out")/model.safetensors" "$hub/root/org/tiny/model.safetensors" 2>&1)"
