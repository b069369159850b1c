#!/bin/bash
# trace.sh - run --trace: the time from the first pass to the last is divided without gaps on 1, 2 and
# 4 ranks, layers have their parts, the bits do not change, and decompression of streamed weights is
# there.
source "$(dirname "$0")/../tap.sh"

haystack --tokens 700 --depth 0.5 --seed 5 --answer "$work/answer" >"$work/text"

# FILE RANKS: what is wrong in a trace of so many ranks.
cat >"$work/check.py" <<'PY'
import collections
import json
import sys

path, ranks, layers, waited = sys.argv[1], int(sys.argv[2]), 4, set()
events = json.load(open(path))["traceEvents"]
named = {e["args"]["name"] for e in events if e["name"] == "process_name"}
if named != {f"rank {r}" for r in range(ranks)}:
    print("processes", named)
for rank in range(ranks):
    mine = [e for e in events if e["pid"] == rank and e["ph"] == "X" and e["tid"] == 0]
    passes = [e for e in mine if e["cat"] == "pass"]
    laps = [e for e in mine if e["cat"] != "pass"]
    begin, end = passes[0]["ts"], passes[-1]["ts"] + passes[-1]["dur"]
    parts = sum(e["dur"] for e in laps)
    if abs(parts / (end - begin) - 1) > 0.03:
        print("parts", parts, "of", end - begin)
    # Each begins where the one before it ended, in the pass that it is said to be of.
    at = begin
    for e in laps:
        middle = e["ts"] + e["dur"] / 2
        of = [p["name"] for p in passes if p["ts"] <= middle <= p["ts"] + p["dur"]]
        if abs(e["ts"] - at) > 0.01 or e["cat"] != (of or ["between passes"])[0]:
            print("a gap before", e)
            break
        at = e["ts"] + e["dur"]
    if abs(at - end) > 0.01:
        print("a gap at the end")
    waited |= {e["cat"] for e in laps if e["name"] == "wait for ranks"}
    names = collections.defaultdict(set)
    for e in laps:
        names[e["cat"], e["args"].get("layer")].add(e["name"])
    for layer in range(layers):
        need = {"prefill": {"GEMM", "attention", "wait for weights", "other"},
                "decode": {"GEMM", "attention"}}
        if ranks > 1:
            need["prefill"].add("exchange")
            need["decode"].add("gather")
        for phase, wanted in need.items():
            if not wanted <= names[phase, layer]:
                print(phase, "of layer", layer, "has", names[phase, layer])
    if "GEMM" not in names["decode", None]:
        print("no logits")
if waited != ({"prefill", "decode", "between passes"} if ranks > 1 else set()):
    print("ranks waited in", waited)
if any(e["name"] == "lost events" for e in events):
    print("lost events")
PY

run() { # RANKS OPTION...
    local ranks=$1
    shift
    scripts/on_ranks.sh "$ranks" "$ITHACA" run -m $NEEDLE -f "$work/text" -n 6 --temp 0 -t 1 --speculate off --json \
        --quiet "$@"
}
expect "without a trace" 0 run 1
digest=$(field "$out" "j['logits_sha256']")
for ranks in 1 2 4; do
    expect "$ranks ranks: a trace" 0 run $ranks --trace "$work/trace$ranks.json"
    same "$ranks ranks: the same bits" "$digest" "$(field "$out" "j['logits_sha256']")"
    same "$ranks ranks: passes are their parts" "" "$(or_fail python3 "$work/check.py" "$work/trace$ranks.json" $ranks)"
done
expect "a trace beside a profile" 0 run 2 --trace "$work/trace.json" --profile
same "the profile is the sum of the trace" True "$(python3 - "$work/trace.json" "$out" <<'PY'
import json
import sys

events = [e for e in json.load(open(sys.argv[1]))["traceEvents"]
          if e["ph"] == "X" and e["pid"] == 0 and e["tid"] == 0]
profile = json.load(open(sys.argv[2]))["profile"]
words = {"products_s": ["GEMM"], "attention_s": ["attention"], "exchange_s": ["exchange", "gather", "wait for ranks"],
         "wait_s": ["wait for ranks"],
         "weights_s": ["wait for weights"], "rest_s": ["other"]}
print(all(abs(sum(e["dur"] for e in events if e["cat"] == phase and e["name"] in names) * 1e-6
              - profile[phase][key]) < 1e-6 + 1e-6 * profile[phase][key]
          for phase in ("prefill", "decode") for key, names in words.items()))
PY
)"

# What a process itself takes counts too, so the budget under which weights are streamed is looked for.
expect "pack" 0 "$ITHACA" pack $NEEDLE -o "$work/needle.ith" --quant bf16 --zstd 1 -q
for ((mem = 10; mem < 400; mem++)); do
    "$ITHACA" run -m "$work/needle.ith" -f "$work/text" -n 2 --temp 0 -t 1 --distribution streamed --mem ${mem}MiB --json --quiet \
        --trace "$work/streamed.json" >"$out" 2>"$err" || continue
    ! grep -q decompression "$work/streamed.json" || break
done
same "streamed weights: their threads unpack, each for a layer or the output matrix" "True True" "$(python3 - "$work/streamed.json" <<'PY'
import json
import sys

events = [e for e in json.load(open(sys.argv[1]))["traceEvents"] if e.get("cat") == "weights"]
print(any(e["name"] == "decompression" for e in events),
      all(e["tid"] > 0 and e["dur"] > 0 and e["args"]["bytes"] > 0 and e["args"].get("layer", 0) < 4 for e in events))
PY
)"

expect "refused: a folder that is not there" 1 run 1 --trace "$work/none/trace.json"
matches "by name, before anything is computed" "$err" 'none/trace.json'
