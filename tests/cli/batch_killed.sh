#!/bin/bash
# batch_killed.sh - 200 requests over two ranks, killed ten times: where, and which rank, is drawn
# from a seed. The output is complete, and equal line by line to that of an undisturbed run, and to
# what each request gets by itself. It takes minutes: `make check-long`.
[[ ${ITHACA_LONG:-} == 1 ]] || { echo "ok batch_killed # SKIP ITHACA_LONG=1 runs it"; exit 0; }
. tests/tap.sh

# Prompts as token ids, so that `run` can be given the same; greedy and drawn; answers that repeat
# their prompts among others, which are guessed.
python3 - "$work" >"$work/points" <<'EOP'
import json, random, sys
random.seed(18)
work = sys.argv[1]
with open(f"{work}/in", "w") as f:
    for i in range(200):
        ids = [random.randrange(200) for _ in range(random.choice([1, 4, 17, 40, 100, 300, 900]))]
        body = {"prompt": ids, "max_tokens": random.choice([1, 2, 8, 20, 40]), "ignore_eos": True, "temperature": 0}
        if i % 3 == 1:
            body.update(temperature=0.9, top_p=0.95, seed=i)
        print(json.dumps({"custom_id": f"request-{i}", "body": body}), file=f)
        with open(f"{work}/ids-{i}", "w") as prompt:
            print(*ids, file=prompt)
        print(body["max_tokens"], body["temperature"], body.get("seed", 0), file=open(f"{work}/how-{i}", "w"))
# Each kill lets at most 18 more requests end, so that ten come before the last.
for i in range(10):
    print(random.choice([f"prompt {random.randrange(1, 19)} KILL 0", f"prompt {random.randrange(1, 19)} KILL 0",
                         f"length {random.choice([20, 50, 120, 310, 905])} KILL {random.randrange(2)}"]))
EOP
batch=("$ITHACA" batch $NEEDLE --threads 1 --ctx 8192 -q --input "$work/in")
sorted() { or_fail sort "$1"; }

expect "undisturbed" 0 scripts/on_ranks.sh 2 "${batch[@]}" --output "$work/whole"
want=$(sorted "$work/whole")
same "undisturbed: 200 answers" 200 "$(grep -c '"status_code":200' "$work/whole")"
expect "one at a time" 0 "${batch[@]}" --output "$work/one" --in-flight 1
same "one at a time: the same" "$want" "$(sorted "$work/one")"

kills=0
while read -r point; do
    ITHACA_TEST_HOOK=$point scripts/on_ranks.sh 2 "${batch[@]}" --output "$work/killed" >"$out" 2>"$err" </dev/null
    if [[ $? == 137 ]]; then kills=$((kills + 1)); else echo "# not killed: $point"; fi
    flock "$work/killed" true # no rank is left
    echo "# $point: $(wc -l <"$work/killed") lines"
done <"$work/points"
same "killed ten times" 10 $kills
expect "killed ten times: goes on" 0 scripts/on_ranks.sh 2 "${batch[@]}" --output "$work/killed" --json
same "killed ten times: some were done, some were not" True "$(field "$out" "0 < j['done_before'] < 200 and j['written'] + j['done_before'] == 200")"
same "killed ten times: equal line by line" "$want" "$(sorted "$work/killed")"

# Each by a run of its own
for i in $(seq 0 199); do
    read -r tokens temperature seed <"$work/how-$i"
    "$ITHACA" run $NEEDLE --ids "$work/ids-$i" -n "$tokens" --temp "$temperature" --top-p 0.95 --seed "$seed" --ignore-eos \
        --threads 1 --ctx 8192 --json -q >"$work/run-$i" 2>"$err" || note <"$err"
done
same "each by itself: the same" "" "$(or_fail python3 - "$work" <<'EOP'
import json, sys
work = sys.argv[1]
for line in open(f"{work}/killed"):
    answer = json.loads(line)
    i = int(answer["custom_id"].split("-")[1])
    if json.load(open(f"{work}/run-{i}"))["text"] != answer["response"]["body"]["choices"][0]["text"]:
        print(answer["custom_id"])
EOP
)"
