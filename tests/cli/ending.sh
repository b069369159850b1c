#!/bin/bash
# How a run ends when its reader goes away, the disk is full, or someone says stop.
source "$(dirname "$0")/../tap.sh"

run() { "$ITHACA" run -m $NEEDLE --raw -p "The rain" --ignore-eos --temp 0 "$@"; }

run -n 4 >/dev/full 2>"$err"
same "a full disk is a failure" 1 $?
matches "a full disk is named" "$err" "^ithaca: standard output: No space left on device"
run -n 4 --json >/dev/full 2>"$err"
same "a full disk with --json too" 1 $?

# `true` reads nothing; the pipe is closed before the model is loaded, or while it answers
{ run -n 2000 2>"$err"; echo $? >"$work/status"; } | true
same "a reader that went away is a failure" 1 "$(cat "$work/status")"
matches "a reader that went away is named" "$err" "^ithaca: standard output: Broken pipe"

# started SIGNAL COMMAND...: sends the signal as soon as there is text, waits, leaves the exit status in $status
started() {
    local signal=$1 pid
    shift
    : >"$out"
    "$@" >"$out" 2>"$err" &
    pid=$!
    until [[ -s $out ]] || ! kill -0 $pid 2>/dev/null; do sleep 0.02; done
    kill -s "$signal" $pid
    wait $pid
    status=$?
}

long=("$ITHACA" run -m $NEEDLE --raw -p "The rain" --ignore-eos --temp 0 -n 100000)
started TERM "${long[@]}"
same "SIGTERM: 128 + 15" 143 "$status"
matches "SIGTERM: what was said stays" "$out" "[a-z]"
same "SIGTERM: and ends with a line end" "" "$(tail -c 1 "$out" | tr -d '\n')"
matches "SIGTERM: timings of the part" "$err" "^ithaca: prompt "

# A background job of a script ignores SIGINT; a shell of its own with job control does not.
cat >"$work/int.sh" <<X
set -m
"\$@" >"$out" 2>"$err" &
until [ -s "$out" ] || ! kill -0 \$! 2>/dev/null; do sleep 0.02; done
kill -s INT \$!
wait \$!
exit \$?
X
: >"$out"
bash "$work/int.sh" "${long[@]}" 2>/dev/null
same "SIGINT: 128 + 2" 130 $?

# mpirun reads nothing for a second before it passes the signal on: with guesses the answer would fill its terminal (20 KB) and stand still.
started TERM scripts/on_ranks.sh 2 "${long[@]}" --speculate off
((status != 0)) && ok "SIGTERM to mpirun ends all ranks" || not_ok "SIGTERM to mpirun ends all ranks"
same "SIGTERM to mpirun: what was said ends with a line end" "" "$(tail -c 1 "$out" | tr -d '\n')"
