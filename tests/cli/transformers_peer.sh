#!/bin/bash
# transformers_peer.sh - Transformers on the CPU beside Ithaca: one document by the schema, one model
# in the report. PEERS_PYTHON names a Python that has PyTorch and Transformers.
source "$(dirname "$0")/../tap.sh"

python=${PEERS_PYTHON:-$(type -P python3)}
peer() { "$python" bench/peers/transformers_cpu.py "$@"; }

# What is wrong is said before PyTorch is loaded.
expect "no such shape" 1 peer "$work/none.json" -o "$work/t.json"
matches "is named in one line" <(wc -l <"$err"; cat "$err") "transformers_cpu.py: .*none.json"
expect "an unknown type" 2 peer bench/shapes/qwen3-0.6b.json -o "$work/t.json" --types w4
matches "is named" "$err" 'expected bf16, f32 or both, not w4'
expect "contexts that fall" 2 peer bench/shapes/qwen3-0.6b.json -o "$work/t.json" --contexts 512,64
expect "no threads" 2 peer bench/shapes/qwen3-0.6b.json -o "$work/t.json" --threads 0

if ! "$python" -c 'import torch, transformers' 2>/dev/null; then
    echo "ok transformers on the CPU # SKIP no PyTorch and Transformers for $python"
    exit 0
fi
python3 - "$work/tiny.json" <<'PY'
import json
import sys

shape = json.load(open("bench/shapes/qwen3-0.6b.json"))
shape.update(num_hidden_layers=2, hidden_size=128, intermediate_size=256, num_attention_heads=4,
             num_key_value_heads=2, head_dim=32, vocab_size=512)
json.dump(shape, open(sys.argv[1], "w"))
PY
expect "two types, two contexts" 0 peer "$work/tiny.json" -o "$work/t.json" --contexts 16,48 --decode 3 --repetitions 2 \
    --threads 1
same "each has a prompt and an answer" "[('decode', 16, 3), ('decode', 48, 3), ('prefill', 0, 16), ('prefill', 0, 48)] 8" \
    "$(field "$work/t.json" "f\"{sorted({(r['phase'], r['depth'], r['tokens']) for r in j['results']})} {len(j['results'])}\"")"
same "of two repetitions, without the first" "{2}" "$(field "$work/t.json" "{len(r['seconds']['values']) for r in j['results']}")"
command python3 -c 'import jsonschema' 2>/dev/null &&
    expect "it keeps to the schema" 0 command python3 bench/schema/validate.py "$work/t.json"
expect "Ithaca, the same shape" 0 "$ITHACA" bench model --shape "$work/tiny.json" -t 1 --depths 0 --prompt 16 --decode 2 \
    --repetitions 1 --quiet -o "$work/here.json"
expect "a report" 0 "$ITHACA" compare "$work/here.json" "$work/t.json" -o "$work/report"
same "they are one model" 1 "$(grep -c '^## .*: decoding$' "$work/report/report.md")"
matches "its rows" "$work/report/report.md" '^\| Hugging Face Transformers, eager, bf16 weights, 1 rank of 1 thread, .* \| 48 \|'
matches "its rows" "$work/report/report.md" '^\| Hugging Face Transformers, eager, f32 weights, 1 rank of 1 thread, .* \| 16 \|'
