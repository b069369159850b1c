#!/bin/bash
# bench.sh - ithaca bench: the form of its results, and figures that must agree with each other. No
# figure is compared with a time.
source "$(dirname "$0")/../tap.sh"

shape() { # NAME EXPRESSION...: every expression over j, the last command's JSON, must be true
    local name=$1 expression wrong=
    shift
    for expression in "$@"; do
        [[ $(field "$out" "bool($expression)" 2>&1) == True ]] || wrong+="# not true: $expression"$'\n'
    done
    if [[ -z $wrong ]]; then
        ok "$name"
    else
        printf %s "$wrong"
        head -c 900 "$out" | note
        not_ok "$name"
    fi
}

small=(--seconds 0 --buffer 4)
ceilings="set(c) == {'read_gbps', 'integer_gops', 'f32_gflops'} and all(v > 0 for v in c.values())"

expect "roofline" 0 "$ITHACA" bench roofline -t 2 "${small[@]}" --json
shape "roofline: fields" "set(j) == {'simd', 'ranks', 'integer_instruction', 'f32_instruction', 'read_buffer_bytes', 'threads'}" \
    "j['ranks'] == 1 and j['read_buffer_bytes'] == 4 << 20" "[r['threads'] for r in j['threads']] == [1, 2]" \
    "all(r[k] > 0 for r in j['threads'] for k in ('read_gbps', 'integer_gops', 'f32_gflops'))"
expect "roofline on 2 ranks" 0 scripts/on_ranks.sh 2 "$ITHACA" bench roofline -t 1 "${small[@]}" --json
shape "roofline on 2 ranks: both in one result" "j['ranks'] == 2 and j['read_buffer_bytes'] == 2 << 20 and len(j['threads']) == 1"
ITHACA_SIMD=ref expect "roofline of the reference" 0 "$ITHACA" bench roofline -t 1 "${small[@]}"
matches "roofline: table" "$out" "^ +1 +[0-9.]+ +[0-9]+ +[0-9]+$"

expect "kernels" 0 "$ITHACA" bench kernels --shapes smollm2-135m,qwen3-0.6b --filter ".o 1" "${small[@]}" --json --quiet
shape "kernels: fields" "j['threads'] == 1 and all($ceilings for c in j['ceilings'].values()) and len(j['ceilings']) == 1" \
    "all(r['part'] == 'o' and r['tokens'] in (1, 16) for r in j['results'])" \
    "{r['kernel'] for r in j['results']} == {'gemm_' + t for t in 'w8 w4 w4m bf16 f32t q5_0 q5_1 q2_k q3_k q4_k q5_k q6_k iq4_nl iq4_xs mxfp4'.split()}" \
    "{r['shape'] for r in j['results']} == {'smollm2-135m', 'qwen3-0.6b'}" \
    "all(abs(r['gops'] * 1e9 * r['seconds'] / (2 * r['rows'] * r['cols'] * r['tokens']) - 1) < 1e-6 for r in j['results'])" \
    "all(r['of_ceiling'] > 0 and r['gbps'] > 0 for r in j['results'])"
expect "kernels that are no products" 0 "$ITHACA" bench kernels --simd ref --filter .head "${small[@]}" --json --quiet
shape "kernels that are no products: fields" "{r['kernel'] for r in j['results']} >= {'rope', 'kv_put_q8', 'attn_merge'}" \
    "all(r['simd'] == 'ref' and r['cols'] == 128 and r['ns_per_element'] > 0 for r in j['results'])"
expect "attention on 2 threads" 0 "$ITHACA" bench kernels --shapes smollm2-135m --filter attn_q8 -t 2 "${small[@]}" --json --quiet
shape "attention on 2 threads: fields" "[r['part'] for r in j['results'][:2]] == ['decode', 'prefill'] and j['threads'] == 2" \
    "{r['cols'] for r in j['results']} == {32, 64, 80, 96, 128, 256}" \
    "'gbps' in j['results'][0] and 'gbps' not in j['results'][1] and j['results'][0]['rows'] == 3"
expect "kernels: table" 0 "$ITHACA" bench kernels --filter 'gemm_w4 qwen3-0.6b.o 1' "${small[@]}" --quiet
matches "kernels: table has a line" "$out" "^gemm_w4 .*qwen3-0.6b.o 1024x2048 +1 "
expect "kernels: nothing fits the filter" 1 "$ITHACA" bench kernels --filter gemm_w5
matches "kernels: nothing fits the filter: says so" "$err" "gemm_w5"
expect "kernels of any config.json" 0 "$ITHACA" bench kernels --shapes $NEEDLE/config.json --filter "gemm_w8 $NEEDLE/config.json.gate 1" "${small[@]}" --json -q
shape "kernels of any config.json: its sizes" "{r['shape'] for r in j['results']} == {'$NEEDLE/config.json'}" \
    "all(r['cols'] == 192 for r in j['results'])"
expect "kernels: no such shape" 1 "$ITHACA" bench kernels --shapes qwen9
matches "kernels: no such shape: says which there are" "$err" "known: .*llama-3.1-8b, llama-3.1-70b"
expect "kernels: no such level" 1 "$ITHACA" bench kernels --simd mmx
matches "kernels: no such level: says so" "$err" "mmx"

# Of documents: results of a phase, and the run, machine and model of the first of them.
P="[r for r in j['results'] if r['phase'] == 'prefill']"
D="[r for r in j['results'] if r['phase'] == 'decode']"
R="j['runs'][j['results'][0]['run']]"
M="j['models'][$R['model']]"
T="$R['placement']"
model_fields="j['schema'] == 'ithaca-bench/1' and set(j) == {'schema', 'created', 'engines', 'machines', 'models', 'runs', 'results'}"
depths() { echo "[r['depth'] for r in $P] == [$1] and [r['depth'] for r in $D] == [$1]"; }
rates="all(r['tokens_per_second'] > 0 and len(r['seconds']['values']) == $R['detail']['repetitions'] and r['of_ceiling'] > 0 for r in j['results'])"
predicted="all(r['detail']['predicted']['tps'] > 0 and r['detail']['predicted']['reached'] > 0 for r in $P)"
medians="all(abs(r['tokens_per_second'] * sorted(r['seconds']['values'])[1] / (r['tokens'] if r['phase'] == 'prefill' else 1) - 1) < 1e-6 for r in j['results'])"
limits="set($R['ceilings']) == {'memory_bytes_per_second', 'int8_ops', 'f32_flops'} and all(v > 0 for v in $R['ceilings'].values())"
small_model=(--prompt 16 --decode 2 --buffer 4 --json --quiet)

expect "model" 0 "$ITHACA" bench model -m $NEEDLE --depths 0,40,1100 -t 1 "${small_model[@]}"
shape "model: fields" "$model_fields" "$(depths 0,40,1100)" "$rates" "$medians" "$predicted" "$limits" "$R['detail']['filled'] == 'prefill' and $M['kv_type'] == 'q8'" \
    "$M['weight_type'] == 'w8' and $M['architecture'] == 'qwen3' and $M['source'] == 'needle-qwen3'" \
    "all($M['shape'][k] == v for k, v in json.load(open('$NEEDLE/config.json')).items() if k in $M['shape'])" \
    "set($M['shape']) == {'num_parameters', 'num_hidden_layers', 'hidden_size', 'intermediate_size', 'num_attention_heads', 'num_key_value_heads', 'head_dim', 'vocab_size'}" \
    "all($M['weight_bytes'] < r['memory']['peak'] <= s['memory']['peak'] for r, s in zip(j['results'], j['results'][2:]))" \
    "$M['weight_bytes'] > 2e6 and $M['kv_bytes_per_token'] == 4 * 4 * (2 * 32 + 4)" \
    "all(abs(r['ttft_seconds']['median'] / (r['detail']['fill_s'] + r['seconds']['median']) - 1) < 1e-6 for r in $P)" \
    "[r['detail']['fill_s'] for r in $P] == sorted(r['detail']['fill_s'] for r in $P)" \
    "[r['bytes_read'] for r in $D] == sorted(r['bytes_read'] for r in $D) and $D[0]['bytes_read'] > 2e6" \
    "(lambda h: h['host']['cores'] > 0 and h['host']['memory_bytes'] > 1 << 28 and h['nodes'] == 1 and h['gpus'] == [])(j['machines'][$R['machine']])"
shape "model: weights stay" "all(r['detail']['fetching'] is None for r in $D)"

# Where a process cannot have its peak forgotten, the ceilings' buffer would count too.
cat >"$work/keep.c" <<'END'
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
FILE *fopen(const char *path, const char *mode)
{
    FILE *(*next)(const char *, const char *);
    *(void **)&next = dlsym(RTLD_NEXT, "fopen");
    return strcmp(path, "/proc/self/clear_refs") == 0 ? NULL : next(path, mode);
}
END
expect "the peak cannot be forgotten" 0 "${CC:-cc}" -D_GNU_SOURCE -shared -fPIC -o "$work/keep.so" "$work/keep.c" -ldl
expect "model: an unknown peak" 0 env LD_PRELOAD="$work/keep.so" "$ITHACA" bench model -m $NEEDLE --depths 0 -t 1 "${small_model[@]}"
shape "model: an unknown peak is null" "all(r['memory'] is None for r in j['results'])"

# Weights that are streamed, from a compressed pack. What the process itself takes counts too and is
# not the same each time, so the budget under which something is streamed is looked for by each run.
expect "pack" 0 "$ITHACA" pack $NEEDLE -o "$work/needle.ith" --quant bf16 --zstd 1 -q
streamed() { # PATTERN OPTION...: runs until the output has the pattern
    local pattern=$1 mem
    for ((mem = 10; mem < 400; mem++)); do
        "$ITHACA" bench model -m "$work/needle.ith" --placement streamed --mem ${mem}MiB -t 2 "${@:2}" >"$out" 2>"$err" || continue
        grep -q "$pattern" "$out" && break
    done
}
streamed '"fetching": *{' "${small_model[@]}"
shape "model, streamed: what fetching gives" "$model_fields" "$rates" \
    "all(r['detail']['fetching'][k] > 0 for r in $D for k in ('tps', 'read_gbps', 'unpacked_gbps', 'reached'))" \
    "all(len(r['detail']['fetching']['seconds']) == $R['detail']['repetitions'] for r in $D)" \
    "all(r['detail']['fetching']['unpacked_gbps'] > r['detail']['fetching']['read_gbps'] for r in $D)"
streamed "what fetching its weights alone gives" "${small_model[@]:0:6}"
matches "model, streamed: a line" "$out" "decode at [0-9.]+% of what fetching its weights alone gives: [0-9.]+ tokens/s"
expect "model on 2 ranks" 0 scripts/on_ranks.sh 2 "$ITHACA" bench model -m $NEEDLE --depths 0,40 -t 1 "${small_model[@]}"
shape "model on 2 ranks: one result" "$model_fields" "$(depths 0,40)" "$rates" "$T['ranks'] == 2 and $T['mesh'] == '2x1'" \
    "all(r['detail']['predicted'] is None for r in $P)" \
    "$M['kv_bytes_per_token'] == 4 * 4 * (2 * 32 + 4)" \
    "all(r['wire_bytes_per_rank'] > 0 and abs(r['wire_bytes_per_rank'] / r['detail']['sent_formula'] - 1) < 0.05 for r in $P)"
for kv in q8 bf16 f32; do
    expect "model filled with arbitrary data, $kv" 0 "$ITHACA" bench model -m $NEEDLE --kv $kv --depths 5,3000 --fill -t 1 "${small_model[@]}"
    shape "model filled with arbitrary data, $kv: says so" "$(depths 5,3000)" "$rates" "$predicted" "$R['detail']['filled'] == 'arbitrary data'" \
        "$M['kv_type'] == '$kv' and not any('ttft_seconds' in r for r in j['results'])"
done
expect "model filled, a timeline shorter than a segment" 0 "$ITHACA" bench model --shape qwen3-0.6b --type q4_0 --depths 512 --fill -t 1 "${small_model[@]}" --prompt 1
expect "model filled on 3 ranks that share heads" 0 scripts/on_ranks.sh 3 "$ITHACA" bench model -m $NEEDLE --mesh 1x3 --depths 2100 --fill -t 1 "${small_model[@]}"
shape "model filled on 3 ranks that share heads: measured" "$(depths 2100)" "$rates" "$T['mesh'] == '1x3'"
expect "model on 2 ranks, by tokens" 0 scripts/on_ranks.sh 2 "$ITHACA" bench model -m $NEEDLE --prefill ulysses -t 1 "${small_model[@]}" --prompt 24
shape "model on 2 ranks, by tokens: predicted" "$rates" "$predicted"
expect "model, exact" 0 "$ITHACA" bench model -m $NEEDLE --exact --depths 0 -t 1 "${small_model[@]}"
shape "model, exact: not predicted" "$rates" "$P[0]['detail']['predicted'] is None"
expect "model without a file" 0 "$ITHACA" bench model --shape $NEEDLE/config.json --type q8_0 --decode 0 --prompt 8 --buffer 4 --json -q
shape "model without a file: fields" "$D == [] and $P[0]['tokens_per_second'] > 0" \
    "2.3e6 < $M['weight_bytes'] < 2.6e6 and $M['source'] == 'random weights'" \
    "'/'.join('$NEEDLE/config.json'.split('/')[-2:]) in list(j['runs'])[0] and 'tests/' not in json.dumps(j)"
expect "model: table" 0 "$ITHACA" bench model -m $NEEDLE --prompt 0 --decode 2 --buffer 4 -q
matches "model: table has a line" "$out" "^ +0 +- +- +- +- +- +[0-9.]+ +[0-9.]+ +[0-9.]+%"
expect "model: context too small" 1 "$ITHACA" bench model -m $NEEDLE --depths 100 --ctx 100
matches "model: context too small: says so" "$err" "depth 100.*context of 100"

# ---- Documents: kept, resumed, and as the schema has them ----

kept=(bench model -m $NEEDLE -t 1 --prompt 16 --decode 2 --buffer 4 --repetitions 2 -q -o "$work/kept.json")
results() { or_fail python3 -c 'import json, sys; j = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$work/kept.json" "$1"; }
expect "document: begun" 0 "$ITHACA" "${kept[@]}" --depths 0,40
cp "$work/kept.json" "$work/before.json"
expect "document: resumed" 0 "$ITHACA" "${kept[@]}" --depths 0,40,80
same "document: only what it lacked is measured" "$(field "$work/before.json" "j['results']") 6 [80, 80]" \
    "$(results "j['results'][:4]") $(results "len(j['results'])") $(results "[r['depth'] for r in j['results'][4:]]")"
same "document: each time is a run of its own" "2 1 1 1" "$(results "len(j['runs'])") $(for t in engines machines models; do results "len(j['$t'])"; done | xargs)"
cp "$work/kept.json" "$work/before.json"
expect "document: nothing is left to measure" 0 "$ITHACA" "${kept[@]}" --depths 80
same "document: it stays as it is" "" "$(cmp "$work/before.json" "$work/kept.json" 2>&1)"
expect "document: other sizes are measured" 0 "$ITHACA" "${kept[@]}" --prompt 8 --depths 80
same "document: other sizes stand beside" "8" "$(results "len(j['results'])")"
expect "document: two ranks are measured" 0 scripts/on_ranks.sh 2 "$ITHACA" "${kept[@]}" --depths 80
same "document: ranks stand beside" "10 [1, 1, 1, 2]" "$(results "len(j['results'])") $(results "[r['placement']['ranks'] for r in j['runs'].values()]")"
expect "document: two ranks have nothing left" 0 scripts/on_ranks.sh 2 "$ITHACA" "${kept[@]}" --depths 80
ITHACA_TEST_HOOK="bench 40 KILL" expect "document: killed" 137 "$ITHACA" "${kept[@]}" --depths 5,40,90
same "document: what was measured by then is kept" "[5, 5]" "$(results "[r['depth'] for r in j['results'][10:]]")"
mkdir "$work/gone"
(while [[ ! -e $work/hook ]]; do sleep 0.05; done && rm -r "$work/gone" && echo >"$work/hook") &
ITHACA_TEST_HOOK="bench 40 $work/hook" expect "document: its folder goes away" 1 "$ITHACA" bench model -m $NEEDLE -t 1 "${small_model[@]}" --depths 5,40,90 -o "$work/gone/a.json"
same "document: its folder goes away: said each time" 2 "$(grep -c '^ithaca: warning: .*gone' "$err")"
wait
expect "document: as comma-separated values" 0 "$ITHACA" "${kept[@]}" --depths 0 --csv
same "csv: a line for each result, each with all columns" "13 {18}" \
    "$(python3 -c 'import csv, sys; rows = list(csv.reader(open(sys.argv[1]))); print(len(rows), {len(r) for r in rows})' "$out")"
same "csv: the figures of the document" "$(results "[r['depth'] for r in j['results']]") $(results "round(j['results'][0]['tokens_per_second'], 3)")" \
    "$(python3 -c 'import csv, sys; rows = list(csv.DictReader(open(sys.argv[1]))); print([int(r["depth"]) for r in rows], round(float(rows[0]["tokens_per_second"]), 3))' "$out")"
if command python3 -c 'import jsonschema' 2>/dev/null; then
    expect "document: it keeps to the schema" 0 command python3 bench/schema/validate.py "$work/kept.json"
    note <"$out"
else
    echo "ok document: it keeps to the schema # SKIP no jsonschema for Python"
fi
for wrong in '[]' '{}' '{"schema": "ithaca-bench/2", "engines": {}, "machines": {}, "models": {}, "runs": {}, "results": []}' \
    '{"schema": "ithaca-bench/1", "engines": {}, "machines": {}, "models": {}, "runs": [], "results": []}' '{"schema"'; do
    printf %s "$wrong" >"$work/wrong.json"
    expect "document: not one: $wrong" 1 "$ITHACA" bench model -m $NEEDLE --depths 0 -q -o "$work/wrong.json"
    same "document: not one, and left as it is: $wrong" "$wrong" "$(cat "$work/wrong.json")"
done
expect "document: no folder for it" 1 "$ITHACA" bench model -m $NEEDLE --depths 0 -q -o "$work/none/a.json"
matches "document: no folder for it: says so" "$err" "none/a.json"
cp bench/baselines/h200/ulysses.json "$work/kept.json"
expect "document: beside a GPU's" 0 "$ITHACA" "${kept[@]}" --depths 0
same "document: the GPU's results stay" "True 10" \
    "$(results "j['results'][:8] == json.load(open('bench/baselines/h200/ulysses.json'))['results']") $(results "len(j['results'])")"
