#!/bin/bash
# serve_bits.sh - the bits of an answer are the same alone, beside fifteen others, streamed or not, after a restart from the prompt cache, on 1, 2
# and 3 ranks, and where memory is short; of a model with recurrent layers, too.
. tests/tap.sh
. tests/served.sh

cat >"$work/sixteen.py" <<'PY'
"""sixteen.py URL FILE alone|together [LONG] - sixteen answers: into FILE if they are asked for one by one; else they are compared with it."""
import json, os, random, sys
from client import *
url, path, how, long = *sys.argv[1:4], len(sys.argv) > 4
draw, TEXT = random.Random(5), "/v1/completions"
alike = [draw.randrange(200) for _ in range(1100)]
asked = []
for i in range(16):
    own = [draw.randrange(200) for _ in range([3, 40, 300, 1300][i % 4])]
    asked.append({"prompt": (alike if i % 3 == 0 else []) + own, "max_tokens": 4 + i, "ignore_eos": True, "logprobs": 2, "temperature": i % 2, "seed": i})
if long: # they grow by more than others leave
    asked = [dict(a, prompt=[draw.randrange(200) for _ in range(900 + i)], max_tokens=1300, logprobs=1) for i, a in enumerate(asked[:5])]
def answer(body):
    reply = ask(url, TEXT, body)
    choices = [c["choices"][0] for c in reply if c["choices"]] if body.get("stream") else reply["choices"]
    parts = [c["logprobs"] for c in choices if c["logprobs"]]
    return ["".join(c["text"] for c in choices), sum((p["token_logprobs"] for p in parts), []), sum((p["top_logprobs"] for p in parts), [])]
if how == "alone":
    with open(path, "w") as f:
        json.dump([answer(a) for a in asked], f)
    sys.exit()
want, got = json.load(open(path)), [None] * len(asked)
def run(i):
    got[i] = answer(dict(asked[i], stream=i % 2 == 0))
threads = [threading.Thread(target=run, args=(i,)) for i in range(len(asked))]
[t.start() for t in threads]
[t.join() for t in threads]
wrong = [i for i in range(len(asked)) if json.loads(json.dumps(got[i])) != want[i]]
print("the same" if not wrong and all(len(w[1]) > 3 for w in want) else f"{wrong}: {got[wrong[0]] if wrong else ''}"[:300])
PY
sixteen() { or_fail python3 "$work/sixteen.py" "$url" "$@"; }

export ITHACA_TEST_STATES=256 # states of recurrent layers are kept so often
python3 tests/models/hybrid/make_hybrid.py "$work/hybrid"
for model in "$NEEDLE" "$work/hybrid"; do
    name=$(basename "$model") on=()
    start
    sixteen "$work/$name-short" alone
    stop "$name: SIGTERM"
    for ranks in ${ITHACA_LONG:+1 3} 2; do
        on=(scripts/on_ranks.sh $ranks)
        start --prompt-cache "$work/cache-$name-$ranks" --max-sessions 16
        same "$name, $ranks ranks: sixteen at a time, half of them streamed: as alone" "the same" "$(sixteen "$work/$name-short" together)"
        stop "$name, $ranks ranks: SIGTERM"
    done
    for ranks in 3 1; do # begins with what 2 ranks have kept
        on=(scripts/on_ranks.sh $ranks)
        start --prompt-cache "$work/cache-$name-2" --max-sessions 16
        same "$name, $ranks ranks after a restart: as alone" "the same" "$(sixteen "$work/$name-short" together)"
        stop "$name, $ranks ranks after a restart: SIGTERM"
    done

    [[ $name == hybrid || ${ITHACA_LONG:-} ]] || continue
    # Memory for ten segments or so beside what the server has in memory when nothing is asked
    on=()
    start --kv f32
    sixteen "$work/$name-long" alone long
    stop "$name: SIGTERM"
    start --kv f32
    used=$(awk '/^VmRSS/ {print int($2 / 1024)}' "/proc/$server/status")
    stop "$name: SIGTERM"
    export SLURM_JOB_ID=1 SLURM_MEM_PER_NODE=$((used + ${LEFT:-40}))
    start --kv f32
    same "$name, little memory: as alone" "the same" "$(sixteen "$work/$name-long" together long)"
    again=$(counter ithaca_prompts_begun_again_total)
    same "$name, little memory: some have begun again ($again)" 1 $((again > 0))
    stop "$name, little memory: SIGTERM"
    unset SLURM_JOB_ID SLURM_MEM_PER_NODE
done

# ---- Answers beside a long prompt go on while it is computed, and it has the same bits ----
model=$NEEDLE
for ranks in 1 2; do
    on=()
    ((ranks == 1)) || on=(scripts/on_ranks.sh $ranks)
    start --chunk 2048 --ctx 16384
    client "$url" $ranks <<'PY'
import sys
from client import *
url, ranks = sys.argv[1:]
draw = __import__("random").Random(3)
long = {"prompt": [draw.randrange(200) for _ in range(9000)], "max_tokens": 5, "ignore_eos": True, "temperature": 0, "logprobs": 1}
alone = ask(url, "/v1/completions", long)["choices"]
s = half(url, post_of("/v1/completions", {"prompt": "a", "max_tokens": 6000, "ignore_eos": True, "stream": True}))
until(s, b"data:")
before = counter(url, "ithaca_completion_tokens_total")
beside = ask(url, "/v1/completions", long)["choices"]
meanwhile = counter(url, "ithaca_completion_tokens_total") - before - 5
s.close()
check(f"{ranks} ranks: a long prompt beside an answer has the same bits", beside == alone, beside, alone)
check(f"{ranks} ranks: the answer has gone on, by more than a token for each chunk", meanwhile > 9, meanwhile)
PY
    stop "a long prompt, $ranks ranks: SIGTERM"
done
