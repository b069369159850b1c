#!/bin/bash
# report.sh - the table and the pictures of bench/SPEED.md are what the shipped documents say, and
# documents of several engines become one.
source "$(dirname "$0")/../tap.sh"

# The pictures are of one model: estimates for the others would take most of the time.
mkdir "$work/h200"
python3 - "$work/h200" bench/baselines/h200/run?.json <<'PY'
import json
import os
import sys

for path in sys.argv[2:]:
    j = json.load(open(path))
    j["results"] = [r for r in j["results"] if j["runs"][r["run"]]["model"] == "qwen3-0.6b"]
    json.dump(j, open(os.path.join(sys.argv[1], os.path.basename(path)), "w"))
PY
documents=(bench/results/*/*.json "$work"/h200/*.json)
expect "a report of what is shipped" 0 "$ITHACA" compare "${documents[@]}" -o "$work/report"
expect "SPEED.md and its pictures are what it says" 0 python3 bench/report.py "$work/report"
note <"$out"
same "pictures are XML, and fetch nothing" "" "$(python3 - bench/plots/*.svg <<'PY'
import re
import sys
import xml.etree.ElementTree

for path in sys.argv[1:]:
    text = open(path, encoding="utf-8").read()
    xml.etree.ElementTree.fromstring(text)
    if re.search(r"href|@import|url\(|<script", text):
        print(path)
PY
)"

# A document, a picture or the table that differs is seen.
mkdir -p "$work/src/cli"
cp -r bench "$work/bench"
cp src/cli/report.css "$work/src/cli"
again() { python3 "$work/bench/report.py" "$work/report" "$@"; }
expect "the copy is right" 0 again
sed -i 's/<title>/<title>x/' "$work/bench/plots/decode.svg"
expect "another picture" 1 again
matches "is named" "$out" 'decode\.svg is not what the documents say: make report'
expect "is made again" 0 again --write
expect "and is right" 0 again
python3 - "$work"/bench/results/zen4-2/q6_k.json <<'PY'
import json
import sys

document = json.load(open(sys.argv[1]))
for result in document["results"]:
    seconds = result["seconds"]
    seconds["values"] = [v * 2 for v in seconds["values"]]
json.dump(document, open(sys.argv[1], "w"))
PY
expect "another document" 1 again
matches "the page is named" "$out" 'SPEED\.md is not what the documents say: make report'
touch "$work/bench/plots/old.svg"
expect "a picture that nobody makes" 1 again
matches "it is named" "$out" 'old\.svg is not made'

# What bench/peers/compare.sh keeps, as one document.
mkdir "$work/kept"
for round in 1 2; do
    "$ITHACA" bench model -m tests/models/needle-qwen3 -t 1 --depths 0 --prompt 32 --decode 2 --repetitions 1 --json --quiet \
        --ctx 256 >"$work/kept/ithaca.$round.json" 2>"$err"
    of='"build_commit":"c","build_number":7,"backends":"CPU","n_gpu_layers":-1,"model_filename":"/a/n.gguf","model_type":"qwen3 0.6B Q4_K - Medium","model_size":9,"n_threads":1,"type_k":"f16","type_v":"f16","n_depth":0,"test_time":"2026-11-30T19:13:30Z"'
    echo "{$of,\"n_prompt\":32,\"n_gen\":0,\"samples_ns\":[${round}000000]}" >"$work/kept/llama.f16.$round.jsonl"
    echo "{\"n_threads\":1,\"pp\":32,\"tg\":2,\"n_kv\":0,\"t_pp\":0.5,\"t_tg\":0.25}" >"$work/kept/ik.$round.jsonl"
done
expect "three engines, two rounds" 0 python3 bench/peers/collect.py "$work/kept" --name needle --ik-commit 8337e4c
cp "$out" "$work/kept.json"
same "each round is a run, and equal machines are one" "6 1 [1, 1, 1, 2, 2, 2]" \
    "$(field "$work/kept.json" "f\"{len(j['runs'])} {len(j['machines'])} {sorted(r['repeat'] for r in j['runs'].values())}\"")"
expect "it is a document, of one model" 0 "$ITHACA" compare "$work/kept.json" -o "$work/kept-report"
matches "llama.cpp: the median of both rounds' rates" "$work/kept-report/report.md" \
    '^\| llama\.cpp, q4\\_k weights, 1 rank of 1 thread, .* \| 32 \| 0.0015 \| 24,000 \|'
matches "ik_llama.cpp: a token of two" "$work/kept-report/report.md" \
    '^\| ik\\_llama\.cpp, .* \| 0 \| 8 \|'
command python3 -c 'import jsonschema' 2>/dev/null &&
    expect "it keeps to the schema" 0 command python3 bench/schema/validate.py "$work/kept.json"
expect "a folder of something else" 1 python3 bench/peers/collect.py "$work"
matches "says so" "$err" 'is it what compare.sh kept'
sed -i 's/Q4_K - Medium/Medium/' "$work/kept/llama.f16.1.jsonl"
expect "weights of no known type" 1 python3 bench/peers/collect.py "$work/kept"
matches "are named" "$err" "no type of weights in 'qwen3 0.6B Medium'"
