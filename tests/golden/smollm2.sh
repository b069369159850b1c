#!/bin/bash
# smollm2.sh - a real model, SmolLM2-135M-Instruct (Q4_1, downloaded by scripts/model.sh). It
# answers; its perplexity on English text is that of Transformers on the exact path, and near
# llama.cpp's on the quantized one; and its 3 KV heads run on 3 ranks with the same bits as on one,
# for any threads, chunk and instruction set.
. tests/tap.sh

model=models/SmolLM2-135M-Instruct.Q4_1.gguf
text=tests/golden/text/gpl-3.txt
reference=tests/golden/smollm2/reference.json
# The largest relative distances of perplexity: from Transformers, whose sums have another order,
# and from llama.cpp, whose 8-bit activations differ from our 8-bit activations and attention.
exact_tolerance=0.0005 llama_tolerance=0.005

if ! scripts/model.sh >"$out" 2>"$err"; then
    note <"$err"
    echo "ok smollm2 # SKIP the model could not be downloaded"
    exit 0
fi

near() { # NAME GOT WANT RELATIVE
    if python3 -c 'import sys; g, w, t = map(float, sys.argv[1:]); sys.exit(not abs(g / w - 1) <= t)' "$2" "$3" "$4"; then
        ok "$1: $2 for $3"
    else
        not_ok "$1: $2, expected $3 within $4"
    fi
}

expect "smollm2: run" 0 "$ITHACA" run -m $model -p "What is the capital of Germany?" -n 40 --temp 0
matches "smollm2: the capital of Germany is Berlin" "$out" Berlin

same "smollm2: the text's ids" "$(field $reference 'j["text_ids"]')" \
    "$("$ITHACA" tokenize -m $model -f $text --json >"$out" 2>"$err"; field "$out" 'j["ids"]')"

# The first 512 tokens on the exact path, nll by nll.
field $reference '" ".join(map(str, j["ids"]))' >"$work/ids"
expect "smollm2: exact score" 0 "$ITHACA" score -m $model --ids "$work/ids" --exact --json
cp "$out" "$work/exact.json"
if python3 - "$work/exact.json" $reference <<'PY'; then
import json, sys
got, want = (json.load(open(p))["nll"] for p in sys.argv[1:])
worst = max(abs(a - b) for a, b in zip(got, want))
print("# largest nll difference from Transformers: %.2g" % worst)
sys.exit(not (len(got) == len(want) == 511 and worst <= 2e-4))
PY
    ok "smollm2: exact nll"
else
    not_ok "smollm2: exact nll"
fi

# Perplexity in windows of 2,048, second halves counted, as llama-perplexity does it
# (bench/peers/README.md).
perplexity() { "$ITHACA" score -m $model -f $text --window 2048 --json "$@" >"$out" 2>"$err" && field "$out" 'j["perplexity"]'; }
near "smollm2: perplexity against llama.cpp" "$(perplexity)" "$(field $reference 'j["llama_cpp"]["perplexity"]')" $llama_tolerance
if [ -n "${ITHACA_LONG:-}" ]; then
    near "smollm2: exact perplexity against Transformers" "$(perplexity --exact)" "$(field $reference 'j["perplexity"]["perplexity"]')" \
        $exact_tolerance
fi

# The same bits: 3 ranks, threads, chunks, instruction sets.
bits() { or_fail "$@" score -m $model --ids "$work/ids" --json >"$out" 2>"$err" && field "$out" '[j["logits_sha256"], sum(j["nll"])]'; }
on() { scripts/on_ranks.sh "$1" "$ITHACA" "${@:2}"; }
want=$(bits "$ITHACA")
[ -z "${ITHACA_LONG:-}" ] || same "smollm2: same bits on 3 ranks" "$want" "$(bits on 3)"
same "smollm2: same bits on 3 ranks, 2 threads, chunks of 100" "$want" "$(
    on 3 score -m $model --ids "$work/ids" --threads 2 --chunk 100 --json >"$out" 2>"$err"
    field "$out" '[j["logits_sha256"], sum(j["nll"])]'
)"
expect "smollm2: pack" 0 "$ITHACA" pack $model -o "$work/smollm2.ith" --quiet
for ranks in 1 3; do
    [ "$ranks" = 1 ] && [ -z "${ITHACA_LONG:-}" ] && continue
    same "smollm2: same bits from a pack on $ranks ranks" "$want" "$(
        on $ranks score -m "$work/smollm2.ith" --ids "$work/ids" --json >"$out" 2>"$err"
        field "$out" '[j["logits_sha256"], sum(j["nll"])]'
    )"
done
"$ITHACA" version --json >"$out"
for level in $(field "$out" '" ".join(reversed(j["simd_available"][:-1]))'); do
    [ "$level" = ref ] && [ -z "${ITHACA_LONG:-}" ] && continue
    same "smollm2: same bits with ITHACA_SIMD=$level" "$want" "$(ITHACA_SIMD=$level bits "$ITHACA")"
done
same "smollm2: same bits on 2 ranks" "$want" "$(bits on 2)"
