#!/bin/bash
# speculation.sh - speculation on a real model, SmolLM2: the answers to many prompts, greedy and
# sampled, are the same tokens with the same last logits as without it, and answers that the prompt
# contains take a third of the passes. Four prompts; with ITHACA_LONG all fifty, and longer answers.
. tests/tap.sh

model=models/SmolLM2-135M-Instruct.Q4_1.gguf
prompts=tests/golden/text/prompts.txt

if ! scripts/model.sh >"$out" 2>"$err"; then
    note <"$err"
    echo "ok speculation # SKIP the model could not be downloaded"
    exit 0
fi

# From a pack, because loading the model takes longer than many of the answers.
expect "speculation: pack" 0 "$ITHACA" pack $model -o "$work/smollm2.ith" --quiet
model=$work/smollm2.ith
n=48
[ -z "${ITHACA_LONG:-}" ] || n=120
answer() { or_fail "$ITHACA" run -m "$model" -n $n --json "$@" >"$work/answer" 2>"$err" && field "$work/answer" '[j["ids"], j["finish"], j["logits_sha256"]]'; }

both() { # NAME ARGUMENT...
    local name=$1
    shift
    same "speculation: $name" "$(answer "$@" --speculate off)" "$(answer "$@")"
}

i=0
while read -r prompt; do
    i=$((i + 1))
    if [ -n "${ITHACA_LONG:-}" ] || [ $((i % 13)) = 8 ]; then
        both "greedy, prompt $i" -p "$prompt" --temp 0
        both "sampled, prompt $i" -p "$prompt" --temp 0.8 --top-k 40 --seed $i
    fi
done <$prompts

expect "speculation: a text to repeat" 0 "$ITHACA" run -m "$model" -n 120 --temp 0 --json -p "Repeat this text word by word.

$(sed -n '3,14p' tests/golden/text/gpl-3.txt)"
same "speculation: a repeated text takes a third of the passes" True "$(field "$out" 'j["speculation"]["passes"] * 3 < len(j["ids"])')"
