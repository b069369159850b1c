#!/bin/bash
# resume.sh - a run with --checkpoint that is killed, or told to stop, resumes where it was: text
# and logits are those of an undisturbed run. It is disturbed at fixed points (src/base/testhook.h):
# at a length of the timeline, between the files of a batch, at a token of the answer.
# ITHACA_LONG=1: 8 rounds with 32 kills, of a prompt of 32k tokens, on 1 to 4 ranks.
. tests/tap.sh

rounds=2 tokens=4400
[[ -z ${ITHACA_LONG:-} ]] || rounds=8 tokens=32768
half=$((tokens / 2))
haystack --tokens $tokens --depth 0.4 --seed 3 >"$work/text" 2>/dev/null
options=(-m $NEEDLE -f "$work/text" --threads 1 --ignore-eos -n 400 --temp 0.9 --seed 5 --json)
saved=$work/run here=$work/here
result() { field "$1" "j['ids'], j['text'], j['logits_sha256']"; }

expect "undisturbed" 0 "$ITHACA" run "${options[@]}"
want=$(result "$out")

# Returns when no rank holds the lock any more.
unlocked() { [[ ! -e $saved/lock ]] || flock "$saved/lock" true; }

# disturbed "POINT N SIGNAL [RANK]" COMMAND...: runs it; leaves its exit status in $status
disturbed() {
    local hook=$1
    shift
    (ITHACA_TEST_HOOK=$hook exec "$@") >"$out" 2>"$err"
    status=$?
    unlocked
}

# sent SIGNAL "POINT N" COMMAND...: the same, but the signal comes from outside, to the process that
# was started, while rank 0 waits
sent() {
    local signal=$1 hook=$2 pid
    shift 2
    ITHACA_TEST_HOOK="$hook $here" "$@" >"$out" 2>"$err" &
    pid=$!
    holding "$here" $pid
    kill -s "$signal" $pid
    wait $pid 2>/dev/null
    status=$?
    rm -f "$here"
    unlocked
}

# goes_on NAME COMMAND...: resumes to the end, which must be as wanted
goes_on() {
    local name=$1
    shift
    expect "$name: goes on" 0 "$@" --checkpoint "$saved"
    same "$name: the same text and logits" "$want" "$(result "$out")"
    same "$name: the checkpoint is gone" "" "$(ls -A "$saved")"
}

alone=("$ITHACA" run "${options[@]}")
RANDOM=7 # points vary, but are the same each time
for round in $(seq "$rounds"); do
    rm -rf "$saved"
    on=() ranks=1
    [[ -z ${ITHACA_LONG:-} ]] || ranks=$((1 + round % 4))
    [[ $ranks == 1 ]] || on=(scripts/on_ranks.sh $ranks)
    for moment in "length $((1 + RANDOM % half)) KILL $((RANDOM % ranks))" "file $((1 + RANDOM % 8)) KILL" \
        "answer $((1 + RANDOM % 70)) KILL" "answer $((90 + RANDOM % 50)) KILL"; do
        disturbed "$moment" "${on[@]}" "${alone[@]}" --checkpoint "$saved" --chunk $((RANDOM % 2 ? 512 : 700))
        same "round $round, $moment: killed" 137 "$status"
    done
    goes_on "round $round" "${on[@]}" "${alone[@]}"
    same "round $round: read instead of computed" yes "$( (($(field "$out" "j['restored_tokens']") > tokens * 5 / 6)) && echo yes || field "$out" "j['restored_tokens']")"
done

# Told to stop in the prompt and, resumed, in the answer: saved, exit status 75
for signal in TERM USR1 INT; do
    rm -rf "$saved"
    for moment in "length 3000" "answer 50"; do
        disturbed "$moment $signal" "${alone[@]}" --checkpoint "$saved"
        same "SIG$signal, $moment: exit status 75" 75 "$status"
        matches "SIG$signal, $moment: said so" "$err" "stopped and saved in .*; run the same command again to resume"
    done
    goes_on "SIG$signal" "${alone[@]}"
done

# On several ranks, resumed on another number of them. mpirun passes SIGUSR1 on.
rm -rf "$saved"
sent USR1 "length 3000" scripts/on_ranks.sh 3 "${alone[@]}" --checkpoint "$saved"
same "3 ranks, stopped: exit status 75" 75 "$status"
sent KILL "answer 30" scripts/on_ranks.sh 2 "${alone[@]}" --checkpoint "$saved"
goes_on "3 ranks, 2, 1" "${alone[@]}"

# With a prompt cache, KV data is kept there
rm -rf "$saved"
disturbed "answer 30 KILL" "${alone[@]}" --checkpoint "$saved" --prompt-cache "$work/cache"
goes_on "with a prompt cache" "${alone[@]}" --prompt-cache "$work/cache"
same "with a prompt cache: the prompt was there" yes "$( (($(field "$out" "j['restored_tokens']") > tokens * 5 / 6)) && echo yes || field "$out" "j['restored_tokens']")"

# Another run's checkpoint is refused, and the message says why
rm -rf "$saved"
disturbed "answer 20 USR1" "${alone[@]}" --checkpoint "$saved"
refused() {
    local name=$1 regex=$2
    shift 2
    expect "$name: refused" 1 "$ITHACA" run "$@" --checkpoint "$saved"
    matches "$name: said so" "$err" "checkpoint of another run: $regex"
    same "$name: one line" 1 "$(wc -l <"$err")"
}
refused "another temperature" "answer.temperature is 0.89.* there and 0.5 here" "${options[@]}" --temp 0.5
refused "another seed" "answer.seed is 5 there and 6 here" "${options[@]}" --seed 6
refused "another length" "answer.max_tokens is 400 there" "${options[@]}" -n 100
refused "another prompt" "prompt" "${options[@]}" -p "And now?"
refused "another cache" "model.kv is \"q8\" there and \"bf16\" here" "${options[@]}" --kv bf16
refused "another model" "model.key is " "${options[@]}" --quant w4
goes_on "after all that" "${alone[@]}"

# A seed that was drawn is the checkpoint's when the run resumes
rm -rf "$saved"
drawn=("$ITHACA" run -m $NEEDLE -f "$work/text" --threads 1 --ignore-eos -n 60 --temp 0.9)
disturbed "answer 20 USR1" "${drawn[@]}" --checkpoint "$saved"
seed=$(field "$saved/checkpoint.json" "j['run']['answer']['seed']")
expect "a drawn seed: goes on" 0 "${drawn[@]}" --checkpoint "$saved"
cp "$out" "$work/drawn"
expect "a drawn seed: given" 0 "${drawn[@]}" --seed "$seed"
same "a drawn seed: the same text" "$(cat "$out")" "$(cat "$work/drawn")"

# Two runs at once
rm -rf "$saved"
ITHACA_TEST_HOOK="length 2048 $here" "${alone[@]}" --checkpoint "$saved" >"$work/first" 2>/dev/null &
first=$!
holding "$here" $first
expect "in use" 1 "${alone[@]}" --checkpoint "$saved"
matches "in use: said so" "$err" "another run uses this checkpoint"
rm -f "$here"
wait $first
same "in use: the first is not disturbed" "$want" "$(result "$work/first")"

# Each part damaged
for part in state answer kv; do
    rm -rf "$saved"
    disturbed "answer 50 USR1" "${alone[@]}" --checkpoint "$saved"
    case $part in
    state) echo "{" >"$saved/checkpoint.json" ;;
    answer) flip "$saved/answer" 600 ;;
    kv) for file in "$saved"/kv/*/head-1.kv; do truncate -s 5000 "$file"; done ;;
    esac
    if [[ $part == state ]]; then
        expect "damaged state" 1 "${alone[@]}" --checkpoint "$saved"
        matches "damaged state: named" "$err" "checkpoint.json"
        rm "$saved/checkpoint.json"
    fi
    goes_on "damaged $part" "${alone[@]}"
done
matches "damaged kv: said so" "$err" "warning: checkpoint: .*head-1.kv: .*: computed again"

# One file of one segment: what comes before it is read, the rest computed again
rm -rf "$saved"
disturbed "answer 50 USR1" "${alone[@]}" --checkpoint "$saved"
file=$(grep -l '"start":2048\>' "$saved"/kv/*/manifest.json)
flip "${file%/*}/head-2.kv" 2000
goes_on "damaged segment" "${alone[@]}"
same "damaged segment: read as far as that" 2048 "$(field "$out" "j['restored_tokens']")"
matches "damaged segment: said so" "$err" "warning: checkpoint: .*head-2.kv: .*: computed again"

# Full disk: the run continues without saving; told to stop, it says that not everything is saved
small=(bash -c 'ulimit -f 100 && exec "$@"' - "${alone[@]}")
rm -rf "$saved"
expect "full disk: goes on" 0 "${small[@]}" --checkpoint "$saved"
matches "full disk: said so" "$err" "warning: checkpoint: .*File too large: nothing more is written"
same "full disk: the same text and logits" "$want" "$(result "$out")"
rm -rf "$saved"
disturbed "answer 10 USR1" "${small[@]}" --checkpoint "$saved"
same "full disk, stopped: failed" 1 "$status"
matches "full disk, stopped: said so" "$err" "stopped, but not everything was saved: .*File too large"
