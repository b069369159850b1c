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

model_fields="set(j) == {'model', 'simd', 'ranks', 'threads', 'mesh', 'kv', 'weight_bytes', 'kv_bytes_per_token', 'prompt', 'decode', 'repetitions', 'filled', 'ceilings', 'depths'}"
depths() { echo "[d['depth'] for d in j['depths']] == [$1]"; }
rates="all(d[w]['tps'] > 0 and len(d[w]['seconds']) == j['repetitions'] and d[w]['of_ceiling'] > 0 for d in j['depths'] for w in ('prefill', 'decode'))"
predicted="all(d['prefill']['predicted']['tps'] > 0 and d['prefill']['predicted']['reached'] > 0 for d in j['depths'])"
medians="all(abs(d['prefill']['tps'] * sorted(d['prefill']['seconds'])[1] / j['prompt'] - 1) < 1e-6 for d in j['depths'])"
small_model=(--prompt 16 --decode 2 --buffer 4 --json --quiet)

expect "model" 0 "$ITHACA" bench model -m $NEEDLE --depths 0,40,1100 -t 1 "${small_model[@]}"
shape "model: fields" "$model_fields" "$(depths 0,40,1100)" "$rates" "$medians" "$predicted" "j['filled'] == 'prefill' and j['kv'] == 'q8'" \
    "(lambda c: $ceilings)(j['ceilings'])" "j['weight_bytes'] > 2e6 and j['kv_bytes_per_token'] == 4 * 4 * (2 * 32 + 4)" \
    "all(abs(d['ttft_s'] / (d['fill_s'] + sorted(d['prefill']['seconds'])[1]) - 1) < 1e-6 for d in j['depths'])" \
    "[d['fill_s'] for d in j['depths']] == sorted(d['fill_s'] for d in j['depths'])"
shape "model: weights stay" "all(d['decode']['fetching'] is None for d in j['depths'])"

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
    "all(d['decode']['fetching'][k] > 0 for d in j['depths'] for k in ('tps', 'read_gbps', 'unpacked_gbps', 'reached'))" \
    "all(len(d['decode']['fetching']['seconds']) == j['repetitions'] for d in j['depths'])" \
    "all(d['decode']['fetching']['unpacked_gbps'] > d['decode']['fetching']['read_gbps'] for d in j['depths'])"
streamed "what fetching its weights alone gives" "${small_model[@]:0:6}"
matches "model, streamed: a line" "$out" "decode at [0-9.]+% of what fetching its weights alone gives: [0-9.]+ tokens/s"
expect "model on 2 ranks" 0 scripts/on_ranks.sh 2 "$ITHACA" bench model -m $NEEDLE --depths 0,40 -t 1 "${small_model[@]}"
shape "model on 2 ranks: one result" "$model_fields" "$(depths 0,40)" "$rates" "j['ranks'] == 2 and j['mesh'] == '2x1'" \
    "all(d['prefill']['predicted'] is None for d in j['depths'])" \
    "j['kv_bytes_per_token'] == 4 * 4 * (2 * 32 + 4)" \
    "all(d['prefill']['sent'] > 0 and abs(d['prefill']['sent'] / d['prefill']['sent_formula'] - 1) < 0.05 for d in j['depths'])"
for kv in q8 bf16 f32; do
    expect "model filled with arbitrary data, $kv" 0 "$ITHACA" bench model -m $NEEDLE --kv $kv --depths 5,3000 --fill -t 1 "${small_model[@]}"
    shape "model filled with arbitrary data, $kv: says so" "$(depths 5,3000)" "$rates" "$predicted" "j['filled'] == 'arbitrary data'" \
        "j['kv'] == '$kv' and all(d['ttft_s'] is None for d in j['depths'])"
done
expect "model filled, a timeline shorter than a segment" 0 "$ITHACA" bench model --shape qwen3-0.6b --type q4_0 --depths 512 --fill -t 1 "${small_model[@]}" --prompt 1
expect "model filled on 3 ranks that share heads" 0 scripts/on_ranks.sh 3 "$ITHACA" bench model -m $NEEDLE --mesh 1x3 --depths 2100 --fill -t 1 "${small_model[@]}"
shape "model filled on 3 ranks that share heads: measured" "$(depths 2100)" "$rates" "j['mesh'] == '1x3'"
expect "model on 2 ranks, by tokens" 0 scripts/on_ranks.sh 2 "$ITHACA" bench model -m $NEEDLE --prefill ulysses -t 1 "${small_model[@]}" --prompt 24
shape "model on 2 ranks, by tokens: predicted" "$rates" "$predicted"
expect "model, exact" 0 "$ITHACA" bench model -m $NEEDLE --exact --depths 0 -t 1 "${small_model[@]}"
shape "model, exact: not predicted" "$rates" "j['depths'][0]['prefill']['predicted'] is None"
expect "model without a file" 0 "$ITHACA" bench model --shape $NEEDLE/config.json --type q8_0 --decode 0 --prompt 8 --buffer 4 --json -q
shape "model without a file: fields" "j['depths'][0]['decode'] is None and j['depths'][0]['prefill']['tps'] > 0" \
    "2.3e6 < j['weight_bytes'] < 2.6e6"
expect "model: table" 0 "$ITHACA" bench model -m $NEEDLE --prompt 0 --decode 2 --buffer 4 -q
matches "model: table has a line" "$out" "^ +0 +- +- +- +- +- +[0-9.]+ +[0-9.]+ +[0-9.]+%"
expect "model: context too small" 1 "$ITHACA" bench model -m $NEEDLE --depths 100 --ctx 100
matches "model: context too small: says so" "$err" "depth 100.*context of 100"
