#!/bin/bash
# compare.sh - ithaca compare: what its page and its Markdown say is what the documents say; the
# break-even is that of ithaca plan; documents that contradict their schema are refused by file and
# member.
source "$(dirname "$0")/../tap.sh"

tool() { python3 tests/cli/compare.py "$@"; }
check() { or_fail tool check "$@"; }

tool make "$work"
documents=("$work/gpu.json" "$work/node.json" "$work/published.json")
compare() { "$ITHACA" compare "$@"; }

expect "a report is written" 0 compare "${documents[@]}" -o "$work/report" \
    --prices "$work/prices.json" --node-price 1.25 --network-gbps 50 --latency-us 5
same "nothing is printed" "" "$(cat "$out" "$err")"
same "page and Markdown say what the documents say" "" \
    "$(check "$work/report" "$work/prices.json" 1.25 "${documents[@]}")"
same "texts of documents are text in the page" 0 \
    "$(grep -c -e '<script>alert' -e '<b>' "$work/report/index.html")"

# The same report against documents with one field changed.
tool change "$work"
unseen=() seen=0
for folder in "$work"/changed/*/; do
    changed=("${documents[@]}") prices=$work/prices.json
    for i in "${!changed[@]}"; do
        [[ ! -e $folder${changed[i]##*/} ]] || changed[i]=$folder${changed[i]##*/}
    done
    [[ ! -e ${folder}prices.json ]] || prices=${folder}prices.json
    if [[ -n $(check "$work/report" "$prices" 1.25 "${changed[@]}") ]]; then
        seen=$((seen + 1))
    else
        unseen+=("${folder#"$work"/changed/}")
    fi
done
same "a changed field is seen" "" "${unseen[*]}"
same "many are changed" yes "$( ((seen >= 20)) && echo yes)"

# What was measured on a node scales the estimate of ithaca plan, at the measured context.
plan() { # CONTEXT NODES EXPRESSION
    or_fail "$ITHACA" plan synthetic:bench/shapes/qwen3-8b.json:q4_0 --ctx "$1" --nodes "$2" \
        --ranks-per-node 2 -t 96 --mem 384GiB --read-gbps 600 --gops 60000 --network-gbps 50 \
        --latency-us 5 --json >"$work/plan"
    field "$work/plan" "(lambda p: $3)(j['plans'][-1])"
}
prefill='p["ctx"] / p["prefill_s"]' decode='p["decode_tps"]'
p=$(python3 -c "print(8192 / 12.45 / $(plan 8192 1 "$prefill"))")
d=$(python3 -c "print(1 / (0.0305 * 1.1) / $(plan 30000 1 "$decode"))")
right() { python3 -c "import sys; print(abs($1 / $2 - 1) < 1e-3)"; }
tool evens "$work/report" >"$work/evens"
IFS=$'\t' read -r _ _ gpu_prefill one_prefill nodes_prefill gpu_decode one_decode nodes_decode _ \
    < <(grep -P '\t32768\t.*\tNVIDIA H200$' "$work/evens")
same "one node: prefill" True "$(right "$one_prefill" "($(plan 32768 1 "$prefill") * $p)")"
same "one node: decode" True "$(right "$one_decode" "($(plan 32768 1 "$decode") * $d)")"
same "so many nodes have the GPU's time to first token" True \
    "$(python3 -c "print($(plan 32768 "$nodes_prefill" "$prefill") * $p >= $gpu_prefill * 0.999)")"
fewer=$((nodes_prefill - 1 - nodes_prefill / 20))
same "fewer have not" True \
    "$(python3 -c "print($(plan 32768 $fewer "$prefill") * $p < $gpu_prefill)")"
same "so many nodes have its decode rate" True \
    "$(python3 -c "print($(plan 32768 "$nodes_decode" "$decode") * $d >= $gpu_decode * 0.999)")"
same "one less has not" True \
    "$(python3 -c "print($(plan 32768 $((nodes_decode - 1)) "$decode") * $d < $gpu_decode)")"
matches "the first sentence says who wins" "$work/report/report.md" \
    '^\*\*The GPU wins by far\. At 32,768 tokens with qwen3-8b, one NVIDIA H200 prefills'
matches "what else changes" "$work/report/report.md" \
    'What else changes: 4-bit \(w4\) weights and 8-bit \(q8\) cache instead of 16-bit \(bf16\)'
matches "a model without a configuration has no estimate" "$work/report/report.md" \
    'NVIDIA A100 and AMD EPYC 9654 \(192 cores\): no estimate'

# Refusals.
refused() { # NAME STATUS TEXT ARGUMENT...
    local name=$1 status=$2 text=$3
    shift 3
    expect "refused: $name" "$status" compare "$@" -o "$work/none"
    same "refused: $name: one line that names it" "1 $text" \
        "$(grep -c . "$err") $(grep -oF -- "$text" "$err" | head -n 1)"
}
tool spoil "$work" >"$work/cases"
while IFS=$'\t' read -r name member; do
    refused "$name" 1 "$member" "$work/bad/$name.json"
    [[ $name == "nothing measured" ]] ||
        same "refused: $name: the file is named" 1 "$(grep -cF "$name.json" "$err")"
done <"$work/cases"
sed 's/"low": 2.0/"low": 7/' "$work/prices.json" >"$work/dear.json"
sed 's/"name": "b"/"name": "a"/' "$work/prices.json" >"$work/twice.json"
sed 's/"EUR"/"euros"/' "$work/prices.json" >"$work/words.json"
echo '{' >"$work/half.json"
refused "low above high" 1 offers/1/per_hour "${documents[@]}" --prices "$work/dear.json"
refused "two offers of one name" 1 offers/1/name "${documents[@]}" --prices "$work/twice.json"
refused "a currency in words" 1 words.json: "${documents[@]}" --prices "$work/words.json"
refused "a document as prices" 1 gpu.json: "${documents[@]}" --prices "$work/gpu.json"
refused "prices as a document" 1 prices.json: "$work/prices.json"
refused "half a document" 1 half.json "$work/half.json"
refused "no such document" 1 absent.json "$work/absent.json"
refused "a price in words" 1 '"cheap"' "${documents[@]}" --node-price cheap
refused "a GPU's offer for a node" 1 '"a"' "${documents[@]}" --prices "$work/prices.json" \
    --node-price a
refused "a price below nothing" 1 '"-1"' "${documents[@]}" --node-price=-1
refused "no document" 2 "no benchmark document"
same "nothing was written" no "$(test -e "$work/none" && echo yes || echo no)"
touch "$work/file"
expect "a file in place of the folder" 1 compare "${documents[@]}" -o "$work/file"
expect "a node by the name of an offer, with the prices of the program" 0 compare \
    "$work/node.json" -o "$work/report2" --node-price "AWS hpc7a.96xlarge"
matches "the offer is named" "$work/report2/report.md" '^\| AWS hpc7a.96xlarge \|.*\| 7.2 \|'
matches "without a GPU there is no break-even" "$work/report2/report.md" 'there is no break-even'
