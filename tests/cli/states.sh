#!/bin/bash
# states.sh - prompt cache and checkpoint of a model with recurrent layers: states are read by any
# number of ranks, wherever a prompt goes on from them, with the same bits. They are saved every
# 1,024 tokens here (src/base/testhook.h), and where a prompt ends. The model is a hybrid that finds
# the needle (tests/models/hybrid). ITHACA_LONG=1: of 8k tokens, states every 8,192 as in earnest.
. tests/tap.sh

export ITHACA_TEST_STATES=1024
cache=$work/cache saved=$work/run model=$work/hybrid
run() { "$ITHACA" run -m "$model" -n 24 --threads 1 --json "$@"; }
ranks() {
    local n=$1
    shift
    if ((n == 1)); then
        run "$@"
    else
        scripts/on_ranks.sh "$n" "$ITHACA" run -m "$model" -n 24 --threads 1 --json "$@"
    fi
}

# The JSON object is one line: taken apart here, as python3 takes longer to begin than a run does.
part() { [[ $(<"$1") =~ $2 ]] && echo "${BASH_REMATCH[@]:1}"; }
result() { or_fail part "$1" '"ids":(\[[^]]+\]).*"logits_sha256":"([0-9a-f]{64})"'; }
read_tokens() { or_fail part "$1" '"restored_tokens":([0-9]+)'; }

# ids NAME N [PART]: a file of the first N tokens of one text; from token PART on, of another. The
# last tokens of the first repeat, so that there are guesses.
python3 -c 'import random
for seed in 1, 2:
    draw = random.Random(seed)
    print(*[draw.randrange(256) for _ in range(2500)] + [draw.randrange(256) for _ in range(9)] * 100)' >"$work/texts"
{ read -ra one && read -ra two; } <"$work/texts"
ids() {
    local n=$2 part=${3:-9999}
    ((part < n)) || part=$n
    echo "${one[@]:0:part}" "${two[@]:0:n-part}" >"$work/$1"
}
ids text 2600
text=(--ids "$work/text")

python3 tests/models/hybrid/make_hybrid.py "$model"
expect "without a cache" 0 run "${text[@]}"
want=$(result "$out")
expect "without guesses" 0 run "${text[@]}" --speculate off
same "without guesses: the same bits" "$want" "$(result "$out")"

# Written on 1, 2 and 3 ranks, read on others
for n in 1 2 3; do
    expect "$n ranks write" 0 ranks $n "${text[@]}" --prompt-cache "$cache-$n" --chunk $((200 * n))
    same "$n ranks: the same bits" "$want 0" "$(result "$out") $(read_tokens "$out")"
done
same "files depend on no number of ranks" "" "$(diff -r "$cache-1" "$cache-2" 2>&1)$(diff -r "$cache-1" "$cache-3" 2>&1)"
while read -r n other; do
    expect "of $n ranks, $other read" 0 ranks "$other" "${text[@]}" --prompt-cache "$cache-$n" </dev/null
    same "of $n ranks, $other read: the same bits" "$want 2599" "$(result "$out") $(read_tokens "$out")"
done <<'RANKS'
3 1
1 2
2 3
RANKS
mv "$cache-1" "$work/whole"

# Where prompts go on. N tokens, of which those from PART on are of another text; how many are read.
while read -r n part read; do
    rm -rf "$cache" && cp -r "$work/whole" "$cache"
    ids other "$n" "$part"
    expect "$n tokens, another text from $part on, computed" 0 run --ids "$work/other"
    other=$(result "$out")
    expect "$n tokens, another text from $part on" 0 run --ids "$work/other" --prompt-cache "$cache"
    same "$n tokens, another text from $part on: the same bits, $read are read" "$other $read" "$(result "$out") $(read_tokens "$out")"
done <<'CASES'
1007 9999 0
1009 9999 1008
1500 1007 0
1500 1008 1008
1500 1030 1024
2800 2590 2590
2700 9999 2600
CASES

# Prompts shorter than that, and none is lost to a longer one: 700 tokens, 1,500, and 1,100 that
# part from these after 700
rm -rf "$cache"
ids short 700 && ids longer 1500 && ids branch 1100 705
expect "a branch, computed" 0 run --ids "$work/branch"
other=$(result "$out")
expect "a short prompt" 0 run --ids "$work/short" --prompt-cache "$cache"
expect "a longer prompt" 0 run --ids "$work/longer" --prompt-cache "$cache"
same "a longer prompt: the short one is read" 700 "$(read_tokens "$out")"
expect "a branch" 0 run --ids "$work/branch" --prompt-cache "$cache"
same "a branch: the short one is read" "$other 700" "$(result "$out") $(read_tokens "$out")"

# ls, verify; damage is reported, computed again, repaired
rm -rf "$cache" && cp -r "$work/whole" "$cache"
expect "ls" 0 "$ITHACA" cache ls "$cache" --json
same "ls: states at each end" "[(1024, True), (2048, True), (2600, True)]" "$(field "$out" "sorted((s['start'] + s['tokens'], s['states']) for s in j['segments'])")"
last=$cache/$(field "$out" "[s['parent'] + '-' + s['key'] for s in j['segments'] if s['start'] == 2048][0]")
expect "verify" 0 "$ITHACA" cache verify "$cache"
same "states are for their owner alone" 600 "$(stat -c %a "$last/state-3.st")"
for kind in flipped cut empty link; do
    for n in 1 3; do
        [[ $kind == flipped || $n == 1 ]] || continue
        case $kind in
        flipped) flip "$last/state-3.st" 700 ;;
        cut) truncate -s 3000 "$last/state-3.st" ;;
        empty) : >"$last/state-3.st" ;;
        link) mv "$last/state-3.st" "$work/elsewhere" && ln -s "$work/elsewhere" "$last/state-3.st" ;;
        esac
        [[ $kind == link ]] || expect "$kind: verify fails" 1 "$ITHACA" cache verify "$cache"
        expect "$kind, $n ranks: a run goes on" 0 ranks $n "${text[@]}" --prompt-cache "$cache"
        [[ $kind == link ]] || matches "$kind, $n ranks: it names the file" "$err" "warning: prompt cache: .*state-3.st: .*: computed again"
        same "$kind, $n ranks: from the states before" "$want 2048" "$(result "$out") $(read_tokens "$out")"
        [[ $kind == link ]] && continue
        expect "$kind, $n ranks: mended" 0 run "${text[@]}" --prompt-cache "$cache"
        same "$kind, $n ranks: mended: all is read" "$want 2599" "$(result "$out") $(read_tokens "$out")"
    done
done
rm "$last"/state-*.st && flip "${last%/*}/$(ls "$cache" | grep -v "${last##*/}" | head -1)/head-0.kv" 700
expect "keys and values damaged, states missing" 0 run "${text[@]}" --prompt-cache "$cache"
same "keys and values damaged, states missing: the same bits" "$want" "$(result "$out")"

# A disk that is full when keys and values are on it
rm -rf "$cache" && ids few 40
expect "few tokens" 0 run --ids "$work/few"
few=$(result "$out")
expect "full disk" 0 bash -c 'ulimit -f 24 && "$@"' - "$ITHACA" run -m "$model" -n 24 --threads 1 --json --ids "$work/few" --prompt-cache "$cache"
matches "full disk: said so" "$err" "warning: prompt cache: .*state-0.st.*File too large: nothing more is written"
same "full disk: the same bits" "$few" "$(result "$out")"
same "full disk: nothing half-written stays" "" "$(ls -A "$cache")"

# Killed, and resumed: in the prompt, where a chunk has ended, and in the answer
while read -r moment n read; do
    moment="$moment $n"
    (ITHACA_TEST_HOOK="$moment KILL" exec "$ITHACA" run -m "$model" -n 24 --threads 1 --json \
        "${text[@]}" --checkpoint "$saved" --chunk 700) >"$out" 2>"$err"
    same "$moment: killed" 137 $?
    expect "$moment: goes on" 0 ranks $((n % 2 + 1)) "${text[@]}" --checkpoint "$saved" --chunk 700 </dev/null
    same "$moment: the same answer, $read are read" "$want $read" "$(result "$out") $(read_tokens "$out")"
    same "$moment: the checkpoint is gone" "" "$(ls -A "$saved")"
done <<'MOMENTS'
length 1700 1724
length 2047 2048
answer 9 2599
MOMENTS

# The needle, in a text that states are saved within
[[ -n ${ITHACA_LONG:-} ]] || exit 0
unset ITHACA_TEST_STATES
haystack --tokens 9500 --depth 0.2 --seed 4 --answer "$work/answer" >"$work/hay"
hay=(-f "$work/hay")
expect "needle: 1 rank" 0 run "${hay[@]}"
same "needle: found" "$(tr -d '\n' <"$work/answer")" "$(field "$out" "j['text'].strip()")"
needle=$(result "$out")
expect "needle: 4 ranks, saved" 0 ranks 4 "${hay[@]}" --prompt-cache "$cache-4"
same "needle: 4 ranks: the same bits" "$needle" "$(result "$out")"
expect "needle: 1 rank, read" 0 run "${hay[@]}" --prompt-cache "$cache-4"
same "needle: 1 rank: the same bits, all but a token is read" "$needle 1" "$(result "$out") $(field "$out" "j['prompt_tokens'] - j['restored_tokens']")"
for n in 1 4; do
    (ITHACA_TEST_HOOK="length 8192 KILL" exec scripts/on_ranks.sh $n "$ITHACA" run -m "$model" -n 24 --threads 1 --json "${hay[@]}" --checkpoint "$saved") >"$out" 2>"$err"
    expect "needle: killed, goes on with $n ranks" 0 ranks $((5 - n)) "${hay[@]}" --checkpoint "$saved" --chunk 3000
    same "needle: killed, goes on with $n ranks: the same bits, 8192 are read" "$needle 8192" "$(result "$out") $(read_tokens "$out")"
done
