#!/bin/bash
# json.sh - the machine-readable results: names, types, and values that must agree.
source "$(dirname "$0")/../tap.sh"

shape() { # NAME FILE EXPRESSION...: every expression over j must be true
    local name=$1 file=$2 expression wrong=
    shift 2
    for expression in "$@"; do
        [[ $(field "$file" "bool($expression)" 2>&1) == True ]] || wrong+="# not true: $expression"$'\n'
    done
    if [[ -z $wrong ]]; then
        ok "$name"
    else
        printf %s "$wrong"
        head -c 600 "$file" | note
        not_ok "$name"
    fi
}

hex64="len(j['logits_sha256']) == 64 and int(j['logits_sha256'], 16) >= 0"
haystack --tokens 512 --depth 0.5 --seed 3 --answer "$work/answer" >"$work/hay.txt"

expect "run: ends well" 0 "$ITHACA" run -m $NEEDLE -f "$work/hay.txt" -n 32 --temp 0 --json
cp "$out" "$work/run.json"
same "run: one line of JSON" 1 "$(wc -l <"$work/run.json")"
shape "run: fields" "$work/run.json" \
    "set(j) == {'version', 'model', 'sampling', 'prompt_tokens', 'restored_tokens', 'ids', 'text', 'finish', 'prefill_s', 'decode_s', 'speculation', 'ranks', 'threads', 'mesh', 'shares', 'simd', 'distribution', 'logits_sha256', 'sent', 'notes'} and j['notes'] == []" \
    "j['version'].count('.') == 2 and j['model']['path'] == '$NEEDLE' and j['model']['architecture'] == 'qwen3' and j['model']['name']" \
    "j['model']['kv'] == 'q8' and j['model']['ctx'] > 512" \
    "isinstance(j['prompt_tokens'], int) and 450 < j['prompt_tokens'] < 512" \
    "len(j['ids']) > 5 and all(isinstance(i, int) for i in j['ids'])" \
    "j['finish'] == 'stop' and j['ranks'] == 1 and j['mesh'] == '1x1' and j['threads'] >= 1" \
    "isinstance(j['prefill_s'], float) and j['prefill_s'] > 0 and j['decode_s'] > 0" \
    "j['simd'] in '$(scripts/levels.sh | paste -sd " ")'.split()" "$hex64"
shape "run: speculation" "$work/run.json" \
    "j['speculation']['kind'] == 'lookup' and j['speculation']['drafted'] >= j['speculation']['accepted']" \
    "j['speculation']['passes'] + j['speculation']['accepted'] == len(j['ids'])"
shape "run: nothing is sent by one rank" "$work/run.json" \
    "set(j['sent']) == {'exchange', 'allgather', 'messages', 'bcast'} and set(j['sent']['exchange']) == {'alltoallv', 'pairwise', 'node'}" \
    "all(e['in_node'] == 0 and e['cross_node'] == 0 for e in j['sent']['exchange'].values())" \
    "j['sent']['allgather'] == j['sent']['messages'] == j['sent']['bcast'] == 0"
same "run: the answer" "$(cat "$work/answer")" "$(field "$work/run.json" "j['text']")"

expect "run: -n 3" 0 "$ITHACA" run -m $NEEDLE -f "$work/hay.txt" -n 3 --temp 0 --json --threads 1
shape "run: length" "$out" "j['finish'] == 'length' and len(j['ids']) == 3 and j['threads'] == 1"
same "run: the first three ids" "$(field "$work/run.json" "j['ids'][:3]")" "$(field "$out" "j['ids']")"

expect "run: sampling" 0 "$ITHACA" run $NEEDLE -f "$work/hay.txt" -n 1 --temp 0.5 --top-k 7 --top-p 0.75 --min-p 0.25 \
    --repeat-penalty 1.5 --repeat-window 9 --seed 11 --json
shape "run: sampling is in the result" "$out" \
    "j['sampling'] == {'temperature': 0.5, 'top_k': 7, 'top_p': 0.75, 'min_p': 0.25, 'repeat_penalty': 1.5, 'repeat_window': 9, 'seed': 11}"

expect "run: --speculate off" 0 "$ITHACA" run -m $NEEDLE -f "$work/hay.txt" -n 32 --temp 0 --json --speculate off
shape "run: no speculation" "$out" "j['speculation'] == {'kind': 'off', 'passes': len(j['ids']), 'drafted': 0, 'accepted': 0}"
same "run: the same without" "$(field "$work/run.json" "(j['ids'], j['logits_sha256'])")" "$(field "$out" "(j['ids'], j['logits_sha256'])")"
expect "run: --draft" 0 "$ITHACA" run -m $NEEDLE -f "$work/hay.txt" -n 32 --temp 0 --json --draft $NEEDLE
shape "run: its own draft is right, up to the end" "$out" "j['speculation']['kind'] == 'draft' and 2 * j['speculation']['passes'] < len(j['ids'])"
same "run: the same with a draft" "$(field "$work/run.json" "(j['ids'], j['logits_sha256'])")" "$(field "$out" "(j['ids'], j['logits_sha256'])")"
expect "run: a long answer" 0 "$ITHACA" run -m $NEEDLE -f "$work/hay.txt" -n 500 --ignore-eos --temp 0 --json --speculate off
cp "$out" "$work/long.json"
expect "run: a draft of random weights" 0 "$ITHACA" run -m $NEEDLE -f "$work/hay.txt" -n 500 --ignore-eos --temp 0 --json \
    --draft synthetic:$NEEDLE/config.json:q4_0
shape "run: which is soon left alone" "$out" "j['speculation']['kind'] == 'draft' and j['speculation']['drafted'] < 16"
same "run: the same with that" "$(field "$work/long.json" "(j['ids'], j['logits_sha256'])")" "$(field "$out" "(j['ids'], j['logits_sha256'])")"

expect "run: --report-placement" 0 "$ITHACA" run -m $NEEDLE -f "$work/hay.txt" -n 3 --temp 0 --json --report-placement
shape "run: where memory lies" "$out" \
    "len(j['memory']['ranks']) == 1 and j['memory']['ranks'][0]['rank'] == 0" \
    "all(sum(n[k]['wanted'] for n in r['nodes']) == r[k]['bytes'] > 0 for r in j['memory']['ranks'] for k in ('weights', 'kv'))" \
    "all(not r['known'] or r['weights']['right'] + r['weights']['absent'] <= r['weights']['bytes'] for r in j['memory']['ranks'])" \
    "all(sum(n['threads'] for n in r['nodes']) == j['threads'] for r in j['memory']['ranks'])"
expect "run: --report-placement as a table" 0 env ITHACA_TOPOLOGY="numa:2 core:2 pu:1" "$ITHACA" run -m $NEEDLE -f "$work/hay.txt" -n 3 --temp 0 -t 4 \
    --report-placement --quiet
matches "run: a line for each node" "$err" "^ +0 +1 +2 +[0-9.]+ +0.0 +[0-9.]+ +0.0$"
matches "run: a machine that is not this one tells nothing" "$err" "^rank 0: the system does not say where pages lie$"

expect "run: fewer cores than threads" 0 env ITHACA_TOPOLOGY="core:8 pu:1" ITHACA_CPUS=0-1 scripts/on_ranks.sh 1 "$ITHACA" run -m $NEEDLE -f "$work/hay.txt" \
    -n 1 -t 4
matches "run: a note says how to bind" "$err" "^ithaca: note: rank 0 has 4 threads, but .* run on 2 of the machine's 8 cores: try mpirun --bind-to none$"

expect "run: text instead of JSON" 0 "$ITHACA" run -m $NEEDLE -f "$work/hay.txt" -n 32 --temp 0
same "run: text on stdout is the answer and nothing else" "$(cat "$work/answer")" "$(cat "$out")"
matches "run: timings on stderr" "$err" "^ithaca: prompt [0-9]+ tokens in .* answer [0-9]+ tokens in .* threads"
expect "run: --quiet" 0 "$ITHACA" run -m $NEEDLE -f "$work/hay.txt" -n 4 --temp 0 --quiet
same "run: --quiet says nothing" "" "$(cat "$err")"

expect "run on 2 ranks" 0 scripts/on_ranks.sh 2 "$ITHACA" run -m $NEEDLE -f "$work/hay.txt" -n 32 --temp 0 --json
shape "run on 2 ranks: ranks and mesh" "$out" "j['ranks'] == 2 and j['mesh'] == '2x1' and j['shares'] is None"
same "run on 2 ranks: the same bits" "$(field "$work/run.json" "(j['ids'], j['logits_sha256'])")" "$(field "$out" "(j['ids'], j['logits_sha256'])")"

for by in 1,3 0,1 threads measured; do
    expect "run on 2 ranks, shares by $by" 0 scripts/on_ranks.sh 2 "$ITHACA" run -m $NEEDLE -f "$work/hay.txt" -n 32 --temp 0 --json --weights-by $by
    same "shares by $by: the same bits" "$(field "$work/run.json" "(j['ids'], j['logits_sha256'])")" "$(field "$out" "(j['ids'], j['logits_sha256'])")"
    shape "shares by $by: sum" "$out" "abs(sum(j['shares']) - 1) < 1e-9 and len(j['shares']) == 2"
    [[ $by != 0,1 ]] || shape "shares by $by: nothing for rank 0" "$out" "j['shares'] == [0, 1]"
done
expect "run on 2 ranks, shares of 3" 1 scripts/on_ranks.sh 2 "$ITHACA" run -m $NEEDLE -f "$work/hay.txt" -n 4 --weights-by 1,3,1
matches "run: what shares are" "$err" "shares '1,3,1': expected threads, measured, or 2 whole numbers up to 100000, one per rank, not all 0"
expect "run on 2 ranks, shares as text" 0 scripts/on_ranks.sh 2 "$ITHACA" run -m $NEEDLE -f "$work/hay.txt" -n 4 --temp 0 --weights-by 1,3
matches "run: shares on stderr" "$err" "^ithaca: shares of tokens and rows: 25.0% 75.0%$"

ITHACA_RANKS_PER_NODE=1 expect "run: --profile" 0 scripts/on_ranks.sh 2 "$ITHACA" run -m $NEEDLE -f "$work/hay.txt" -n 32 --temp 0 --json --profile \
    --placement sharded --speculate off
part="{'seconds', 'weights_s', 'products_s', 'attention_s', 'exchange_s', 'wait_s', 'rest_s', 'stall_s', 'read_bytes', 'unpacked_bytes', 'gathered_bytes'}"
shape "run: profile" "$out" "j['distribution'].startswith('sharded over 2 nodes')" \
    "set(j['profile']) == {'rank', 'prefill', 'decode'} and j['profile']['rank'] == 0" \
    "all(set(j['profile'][p]) == $part | {'passes', 'tokens', 'layers', 'outside'} for p in ('prefill', 'decode'))" \
    "all(set(l) == $part for l in j['profile']['prefill']['layers'])" \
    "j['profile']['prefill']['tokens'] == j['prompt_tokens'] and j['profile']['decode']['passes'] >= len(j['ids']) - 1" \
    "all(l['gathered_bytes'] > 0 and l['products_s'] > 0 for l in j['profile']['prefill']['layers'])" \
    "j['profile']['prefill']['read_bytes'] == 0 and j['profile']['prefill']['seconds'] < j['prefill_s']"
same "run: sharded, the same bits" "$(field "$work/run.json" "(j['ids'], j['logits_sha256'])")" "$(field "$out" "(j['ids'], j['logits_sha256'])")"
expect "run: --profile as a table" 0 "$ITHACA" run -m $NEEDLE -f "$work/hay.txt" -n 4 --temp 0 --profile
matches "run: a line for prefill" "$err" "^ithaca: prefill +1 "
matches "run: a line for decode" "$err" "^ithaca: decode +[1-9]"

expect "plan: ends well" 0 "$ITHACA" plan -m synthetic:qwen3-0.6b:q4_0 --nodes 3 --ranks-per-node 2 --ctx 4096 --mem 4GiB -t 2 --read-gbps 10 --gops 1000 --json
shape "plan: a row for 1, 2 and 3 nodes" "$out" "[p['ranks'] for p in j['plans']] == [2, 4, 6]" \
    "[p['mesh'] for p in j['plans']] == ['2x1', '4x1', '2x3'] and all(p['distribution'] == 'replicated' for p in j['plans'])" \
    "all(p['memory']['node_bytes'] == p['memory']['node_weights_bytes'] + 2 * p['memory']['rank_session_bytes'] for p in j['plans'])" \
    "all(p['token_layer_bytes']['ulysses_prefill'] < p['token_layer_bytes']['tensor_parallel'] for p in j['plans'])" \
    "all(a['prefill_s'] > b['prefill_s'] for a, b in zip(j['plans'], j['plans'][1:]))"
expect "plan: little memory" 0 "$ITHACA" plan -m synthetic:qwen3-8b:q4_0 --nodes 4 --ctx 4096 --mem 3GiB -t 2 --read-gbps 10 --gops 1000 --json
shape "plan: streamed on one, sharded on more" "$out" "[p['distribution'] for p in j['plans']] == ['streamed', 'sharded', 'sharded']"

expect "plan: shares" 0 "$ITHACA" plan -m synthetic:qwen3-0.6b:q4_0 --nodes 3 --weights-by 2,1,0 --ctx 4096 --mem 4GiB -t 2 --read-gbps 10 --gops 1000 --json
shape "plan: shares by numbers, of as many ranks" "$out" "[p['ranks'] for p in j['plans']] == [3]" \
    "[round(s, 5) for s in j['plans'][0]['shares']] == [0.66667, 0.33333, 0]"
expect "plan: by threads" 0 "$ITHACA" plan -m synthetic:qwen3-0.6b:q4_0 --nodes 2 --weights-by threads --ctx 4096 --mem 4GiB -t 2 --read-gbps 10 --gops 1000 --json
shape "plan: nodes are alike" "$out" "[p['shares'] for p in j['plans']] == [[1], [0.5, 0.5]]"

expect "score: ends well" 0 "$ITHACA" score -m $NEEDLE -f "$work/hay.txt" --json
cp "$out" "$work/score.json"
shape "score: fields" "$work/score.json" \
    "set(j) == {'tokens', 'nll', 'mean_nll', 'perplexity', 'top', 'logits_sha256', 'notes'} and j['notes'] == []" \
    "len(j['nll']) == j['tokens'] - 1 and all(x >= 0 for x in j['nll'])" \
    "abs(sum(j['nll']) / len(j['nll']) - j['mean_nll']) < 1e-5" \
    "abs(__import__('math').exp(j['mean_nll']) / j['perplexity'] - 1) < 1e-6" \
    "len(j['top']) == 10 and all(set(t) == {'id', 'logit', 'logprob'} for t in j['top'])" \
    "all(a['logit'] >= b['logit'] for a, b in zip(j['top'], j['top'][1:]))" \
    "all(abs((t['logit'] - t['logprob']) - (j['top'][0]['logit'] - j['top'][0]['logprob'])) < 1e-4 for t in j['top'])" \
    "sum(__import__('math').exp(t['logprob']) for t in j['top']) <= 1 + 1e-6" "$hex64"

expect "score: --top 3 by --ids" 0 bash -c "$ITHACA tokenize -m $NEEDLE -f $work/hay.txt | $ITHACA score -m $NEEDLE --ids - --top 3 --json"
shape "score: --top 3" "$out" "len(j['top']) == 3"
same "score: ids and text agree" "$(field "$work/score.json" "(j['nll'], j['logits_sha256'])")" "$(field "$out" "(j['nll'], j['logits_sha256'])")"
expect "score: --top 0" 0 "$ITHACA" score -m $NEEDLE -f "$work/hay.txt" --top 0 --json
shape "score: no top" "$out" "j['top'] == []"

# Two windows of 100: entry i of the first 100 tokens is the same as in the whole. Only the second
# half of each window counts.
expect "score: windows" 0 "$ITHACA" score -m $NEEDLE -f "$work/hay.txt" --window 200 --json
shape "score: windows count second halves" "$out" "j['tokens'] == 400 and len(j['nll']) == 2 * 99"
same "score: a window is the text's beginning" "$(field "$work/score.json" "j['nll'][100:199]")" "$(field "$out" "j['nll'][:99]")"
expect "score: windows on 2 ranks" 0 scripts/on_ranks.sh 2 "$ITHACA" score -m $NEEDLE -f "$work/hay.txt" --window 200 --json
shape "score: windows on 2 ranks end" "$out" "len(j['nll']) == 2 * 99"

expect "score: one token" 0 bash -c "echo 5 | $ITHACA score -m $NEEDLE --ids - --json"
shape "score: one token predicts nothing" "$out" "j['tokens'] == 1 and j['nll'] == [] and j['mean_nll'] is None and len(j['top']) == 10"

expect "inspect: ends well" 0 "$ITHACA" inspect -m $NEEDLE --json
shape "inspect: tensors" "$out" "len(j['tensors']) > 40 and all({'name', 'type', 'shape', 'bytes'} <= set(t) for t in j['tensors'])"
expect "inspect: text" 0 "$ITHACA" inspect -m $NEEDLE
matches "inspect: text names the architecture" "$out" "qwen3"
matches "inspect: text names the quantization" "$out" "^quantization +BF16$"

expect "inspect: a GGUF file" 0 "$ITHACA" inspect tests/golden/qwen3-gqa8-yarn-mixed.gguf --json
shape "inspect: how many matrices of which type" "$out" "sum(j['quantization'].values()) == sum(len(t['shape']) > 1 for t in j['tensors'])" \
    "len(j['quantization']) > 1 and all(n == sum(t['type'] == q and len(t['shape']) > 1 for t in j['tensors']) for q, n in j['quantization'].items())"
expect "inspect: a GGUF file, text" 0 "$ITHACA" inspect tests/golden/qwen3-gqa8-yarn-mixed.gguf
matches "inspect: mixed quantization" "$out" "^quantization +[A-Z0-9_]+ \([0-9]+\), [A-Z0-9_]+ \([0-9]+\)"
expect "pack: ends well" 0 "$ITHACA" pack $NEEDLE -o "$work/needle.ith" --json
shape "pack: fields" "$out" \
    "sorted(j) == ['bytes', 'key_means', 'key_means_missing', 'layouts', 'notes', 'output', 'seconds']" \
    "j['key_means'] is True and j['key_means_missing'] == ''"
expect "version: ends well" 0 "$ITHACA" version --json
shape "version: fields" "$out" "j['version'] and 'simd' in j"
expect "version on 2 ranks" 0 scripts/on_ranks.sh 2 "$ITHACA" version
same "version on 2 ranks: printed once" 1 "$(grep -c '^ithaca [0-9]' "$out")"
