#!/bin/bash
# ending.sh - how a run ends when its reader goes away, the disk is full, or it is told to stop.
source "$(dirname "$0")/../tap.sh"

run=("$ITHACA" run -m $NEEDLE --raw -p "The rain" --ignore-eos --temp 0)

"${run[@]}" -n 4 >/dev/full 2>"$err"
same "a full disk is a failure" 1 $?
matches "a full disk is named" "$err" "^ithaca: error: standard output: No space left on device"
"${run[@]}" -n 4 --json >/dev/full 2>"$err"
same "a full disk with --json too" 1 $?

# The reader goes away while the program answers
here=$work/here
{ ITHACA_TEST_HOOK="answer 2 $here" "${run[@]}" -n 20 -q 2>"$err"; echo $? >"$work/status"; } | {
    until [[ -e $here || -e $work/status ]]; do sleep 0.01; done
    exec <&-
    rm -f "$here"
}
same "a reader that went away while the program answered: 128 + 13" 141 "$(cat "$work/status")"
same "a reader that went away while the program answered: nothing is said" "" "$(cat "$err")"

# unread COMMAND...: runs it with a pipe as standard output whose reader has gone away
unread() {
    python3 -c 'import os, subprocess, sys
r, w = os.pipe()
os.close(r)
sys.exit(subprocess.run(sys.argv[1:], stdout=w).returncode)' "$@"
}
expect "a reader that went away ends the run, 128 + 13" 141 unread "${run[@]}" -n 2000 -q
same "a reader that went away: nothing is said" "" "$(cat "$err")"
expect "a reader of a table that went away" 141 unread "$ITHACA" inspect $NEEDLE --tensors
same "a reader of a table that went away: nothing is said" "" "$(cat "$err")"
expect "a reader of JSON that went away" 141 unread "$ITHACA" inspect $NEEDLE --json
same "a reader of JSON that went away: nothing is said" "" "$(cat "$err")"

stopped() { ITHACA_TEST_HOOK="answer 20 $1" "${run[@]}" -n 200; }
expect "SIGTERM: 128 + 15" 143 stopped TERM
matches "SIGTERM: what was said stays" "$out" "[a-z]"
same "SIGTERM: and ends with a line end" "" "$(tail -c 1 "$out" | tr -d '\n')"
matches "SIGTERM: timings of the part" "$err" "^ithaca: prompt .*answer 20 tokens"
expect "SIGINT: 128 + 2" 130 stopped INT

# sent SIGNAL: sends it to mpirun while rank 0 waits to be told to stop
sent() {
    local job
    rm -f "$here"
    ITHACA_TEST_HOOK="answer 20 $here" scripts/on_ranks.sh 2 "${run[@]}" -n 200 &
    job=$!
    holding "$here" $job
    kill -s "$1" $job
    wait $job
}

expect "SIGUSR1 to mpirun: 128 + 10" 138 sent USR1
same "SIGUSR1 to mpirun: what was said ends with a line end" "" "$(tail -c 1 "$out" | tr -d '\n')"
# After SIGTERM mpirun gives its ranks a second and then kills them
sent TERM >"$out" 2>"$err" && not_ok "SIGTERM to mpirun ends all ranks" || ok "SIGTERM to mpirun ends all ranks"

# What nobody is asked about ends at once: here the program waits for its standard input
waiting() { # SIGNAL COMMAND...
    local pid
    mkfifo "$work/never" && exec 9<>"$work/never"
    "${@:2}" <&9 &
    pid=$!
    # read(0, ...): system call 0 of x86-64, 63 of arm64
    until grep -qE '^(0|63) 0x0 ' "/proc/$pid/syscall" 2>/dev/null || ! kill -0 $pid 2>/dev/null; do sleep 0.01; done
    kill -s "$1" $pid
    wait $pid
    status=$?
    exec 9>&-
    rm "$work/never"
    return $status
}
if grep -q . /proc/self/syscall 2>/dev/null; then
    expect "SIGTERM while standard input is awaited" 143 waiting TERM "$ITHACA" run -m $NEEDLE -f -
    expect "SIGINT while standard input is awaited" 130 waiting INT env --default-signal=INT "$ITHACA" tokenize -m $NEEDLE -f -
    expect "SIGUSR1 while standard input is awaited" 138 waiting USR1 "$ITHACA" run -m $NEEDLE -f - --checkpoint "$work/point"
    same "SIGUSR1 while standard input is awaited: no checkpoint" no "$([[ -e $work/point ]] && echo yes || echo no)"
else
    ok "signals while standard input is awaited # SKIP /proc/PID/syscall cannot be read here"
fi

# Stopped before anything new is saved: a job script must not repeat the run
haystack --tokens 600 --depth 0.5 --seed 1 >"$work/text" 2>/dev/null
saving=("$ITHACA" run -m $NEEDLE -f "$work/text" --ignore-eos -n 30 --temp 0 --threads 1 --chunk 8 --checkpoint "$work/saved")
expect "stopped before anything was saved: 128 + 10" 138 env ITHACA_TEST_HOOK="length 8 USR1" "${saving[@]}"
matches "stopped before anything was saved: said so" "$err" "stopped before anything new was saved in $work/saved"
expect "stopped after a token was saved: 75" 75 env ITHACA_TEST_HOOK="answer 2 USR1" "${saving[@]}"
expect "resumed, and stopped after no new token: 128 + 10" 138 env ITHACA_TEST_HOOK="answer 1 USR1" "${saving[@]}"
expect "resumed, and stopped after new tokens, 2 ranks: 75" 75 env ITHACA_TEST_HOOK="answer 9 USR1" scripts/on_ranks.sh 2 "${saving[@]}"
expect "resumed to its end" 0 "${saving[@]}"

# A prompt that fills the context is not computed for nothing
"$ITHACA" tokenize -m $NEEDLE -p "The rain" --count >"$out" 2>"$err"
expect "a prompt that fills the context" 1 "${run[@]}" -n 5 -c "$(grep -oE '[0-9]+' "$out" | head -n 1)"
matches "a prompt that fills the context: said before it is computed" "$err" "the prompt fills the context of [0-9]+ tokens"
