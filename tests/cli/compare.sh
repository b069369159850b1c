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
tool unseen "$work/report" "$work/prices.json" 1.25 "$work" "${documents[@]}" >"$work/unseen"
{ read -r unseen && read -r seen; } <"$work/unseen"
same "a changed field is seen" "" "$unseen"
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
    'What else changes: 4-bit \(w4\) weights and 8-bit \(q8\) cache instead of 16-bit \(bf16\) for both\.'
matches "a model without a configuration has no estimate" "$work/report/report.md" \
    'NVIDIA A100 and AMD EPYC 9654 \(192 cores\): no estimate'

# Documents in which one thing is special. What each report says is what its documents say; REPORT is
# the Markdown of the last one.
tool vary "$work"
varied() { # NAME [FILE]...: the report of a variant's documents
    local folder=$work/varied/$1 files=()
    shift
    (($#)) || set -- $(ls "$folder")
    files=("${@/#/$folder/}")
    expect "${folder##*/}: a report" 0 compare "${files[@]}" -o "$folder" \
        --prices "$work/prices.json" --network-gbps 50 --latency-us 5
    report=$folder/report.md
    same "${folder##*/}: it says what the documents say" "" \
        "$(check "$folder" "$work/prices.json" 0 "${files[@]}")"
}
groups() { grep -c '^## .*: decoding$' "$report"; }
says() { matches "$1" "$report" "$2"; } # NAME REGEX

varied experts
same "experts are no MLP of that width" 2 "$(groups)"
varied "finer experts"
same "finer experts are another model, with a number behind its name" "2 1" \
    "$(groups) $(grep -c '^## a \\#2: decoding$' "$report")"
varied "other words"
same "the words of a family do not matter" 1 "$(groups)"
varied "head size"
same "a head size that is left out is hidden_size over heads" 2 "$(groups)"
says "models of one group are told apart by name" '^\| Ithaca, c, w4 weights'
varied type
same "another architecture is another model" 2 "$(groups)"

varied large
python3 -c "
import json
shape = json.load(open('$work/varied/large/gpu.json'))['models']['large-moe']['shape']
json.dump(shape, open('$work/large.json', 'w'))"
fewest() { # NODES: does it fit so many?
    "$ITHACA" plan "synthetic:$work/large.json:q4_0" --ctx 32768 --nodes "$1" --ranks-per-node 2 \
        -t 96 --mem 8160437862 --read-gbps 600 --gops 60000 --network-gbps 50 --latency-us 5 \
        --json 2>/dev/null >"$work/plan" && field "$work/plan" 'j["plans"][-1]["fits"]'
}
n=$(grep -oE 'as fast as [0-9]+ nodes' "$report" | head -n 1 | grep -oE '[0-9]+')
same "a model that does not fit one node: so many hold it, one less does not" "True False" \
    "$(fewest "${n:-0}") $(fewest $((${n:-1} - 1)))"
says "the first sentence says how many" 'times as fast as [2-9] nodes \(the fewest that hold the model\), '
same "no rate of one node is given" "" \
    "$(grep "second, GPU and one node" "$report"; tool evens "$work/varied/large" | cut -f 4 | grep -v –)"
varied "too large"
says "a model that fits no number of nodes" 'up to 1,024 nodes of AMD EPYC 9654 \(192 cores\) do not hold'
same "nothing is 0% of something" 0 "$(grep -c ' 0\.0% of it' "$report")"

varied "no memory"
says "memory that is not known" 'the document does not say how much memory the node has'
varied "no threads"
says "threads that are not known are the cores over the ranks" 'At 32,768 tokens with qwen3-8b'
cp "$report" "$work/report1"
expect "on one core" 0 taskset -c 0 "$ITHACA" compare \
    "$work/varied/no threads/"{gpu,node}.json -o "$work/one" --prices "$work/prices.json" \
    --network-gbps 50 --latency-us 5
same "they are not those of the machine that makes the report" "" \
    "$(diff "$work/report1" "$work/one/report.md" | head -n 3)"
varied "threads of one"
same "threads that one run alone knows are no scaling" 0 "$(grep -c ': scaling$' "$report")"
varied "no name"
says "a GPU without a name has no price" 'on a machine that is not named \(published\).* \| – \|$'

varied "decode alone"
says "one phase is scaled" 'scaled by what was measured over what was estimated: [0-9.]+ for the decode rate, at 30,000 tokens\. The time to first token was not measured and is not scaled\.$'
varied "nothing that scales"
says "none is" 'Rates of nodes are estimates, not scaled:'
varied ends
same "of two contexts equally near the larger one speaks" "0 2" \
    "$(grep -c '^\*\*.*At 8,192 tokens' "$report") $(grep -c '^\*\*.*At 131,072 tokens' "$report")"
varied batches
says "batches say how many" ', 4 at a time, on '
says "and count all answers" 'of all answers together'
varied foreign
same "names are cut between characters" "" "$(iconv -f UTF-8 -t UTF-8 "$report" "$work/varied/foreign/index.html" 2>&1 >"$work/none8")"
varied "types in names" node.json gpu.json
says "a group's name has no types" '^\*\*.*tokens with 8b, one NVIDIA H200'
varied "many ranks"
says "more ranks than a run may have end the ladder" '32,768 \| ([0-9]|none: )'

# Each number of nodes up to the last is tried, also where two are slower than one.
expect "a slow network" 0 compare "${documents[@]}" -o "$work/slow" --latency-us 3000
most=$(tool evens "$work/slow" | awk -F'\t' '$2 == 32768 && $9 == "NVIDIA H200" { print $8 }')
rate() {
    or_fail "$ITHACA" plan synthetic:bench/shapes/qwen3-8b.json:q4_0 --ctx 32768 --nodes "$1" \
        --ranks-per-node 2 -t 96 --mem 391782414745 --read-gbps 600 --gops 60000 --latency-us 3000 \
        --json >"$work/plan"
    field "$work/plan" "(lambda p: $decode)(j['plans'][-1])"
}
best=$(for ((n = 1; n <= 1024; n *= 2)); do echo "$(rate $n) $n"; done | sort -g | tail -n 1 | cut -d' ' -f2)
matches "the most of all numbers is named" <(echo "$most") "^(none: ${best/1024/1,024} reach|[0-9])"

mkdir -p "$work/a" "$work/b"
cp "$work/node.json" "$work/a/same.json"
cp "$work/gpu.json" "$work/b/same.json"
expect "two files of one name" 0 compare "$work/a/same.json" "$work/b/same.json" -o "$work/same"
same "are told apart by their paths" "" \
    "$(check "$work/same" bench/prices.json 0 "$work/a/same.json" "$work/b/same.json")"
matches "what is sold together is said" "$work/same/report.md" 'Some offers are of no less than 8 such GPUs'
same "the link leads to the break-even" 1 "$(grep -c 'href="#break-even"' "$work/same/index.html")"
same "every number in a column of numbers is sorted as one" "" \
    "$(grep -oE '<td class="number">[^–<][^<]*' "$work/same/index.html" | head -n 3)"

# Figures of llama.cpp are the CPU's.
line='{"build_commit":"c","build_number":1,"model_filename":"/a/m.gguf","model_type":"qwen3 Q4_0","model_size":9,"n_threads":2,"type_k":"f16","n_prompt":8,"n_gen":0,"n_depth":0,"test_time":"2026-11-30T19:13:30Z","samples_ns":[80]'
bench() { # LIKE MEMBERS
    echo "$line$2}" | python3 bench/peers/llama_bench.py --like "$1" >"$out" 2>"$err"
}
same "llama-bench on the CPU" 0 "$(bench "$work/node.json" ',"n_gpu_layers":0,"backends":"BLAS,CPU"'; echo $?)"
same "with layers on a GPU" "1 1" "$(bench "$work/node.json" ',"n_gpu_layers":99'; echo $?) $(grep -c n_gpu_layers "$err")"
same "with a GPU" "1 1" "$(bench "$work/node.json" ',"backends":"CUDA,CPU"'; echo $?) $(grep -c CUDA "$err")"
python3 - "$work/node.json" "$work/two" <<'PY'
import json
import sys

for table in ("machines", "models"):
    j = json.load(open(sys.argv[1]))
    first = next(iter(j[table].values()))
    j[table]["other"] = {**first, "shape": {}, "host": None}
    json.dump(j, open(f"{sys.argv[2]}-{table}.json", "w"))
PY
for table in machines models; do
    same "beside several $table" "1 1" \
        "$(bench "$work/two-$table.json" ""; echo $?) $(grep -c "expected one of $table" "$err")"
done

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
refused "a latency of nothing" 2 --latency-us "${documents[@]}" --latency-us 0
expect "a plan's neither" 2 "$ITHACA" plan synthetic:qwen3-0.6b:q4_0 --latency-us 0
refused "no document" 2 "no benchmark document"
same "nothing was written" no "$(test -e "$work/none" && echo yes || echo no)"
touch "$work/file"
expect "a file in place of the folder" 1 compare "${documents[@]}" -o "$work/file"
expect "a node by the name of an offer, with the prices of the program" 0 compare \
    "$work/node.json" -o "$work/report2" --node-price "AWS hpc7a.96xlarge"
matches "the offer is named" "$work/report2/report.md" '^\| AWS hpc7a.96xlarge \|.*\| 7.20 \|'
matches "without a GPU there is no break-even" "$work/report2/report.md" 'there is no break-even'
