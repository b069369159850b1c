#!/bin/bash
# pack.sh - a pack has the logits of the model it was made from, for every kind of input, layout and
# compression, on any number of ranks. It is never half there.
source "$(dirname "$0")/../tap.sh"

one_line() { same "$1: one line" 1 "$(grep -c '^ithaca: ' "$err")"; }

echo 5 9 17 3 88 2 41 7 63 20 31 8 >"$work/ids"
sha() { "$ITHACA" score -m "$1" --ids "$work/ids" --json "${@:2}" 2>"$err" | sed 's/.*"logits_sha256":"\([0-9a-f]*\)".*/\1/'; }

# same_logits NAME MODEL "PACK OPTIONS" [SCORE OPTIONS]: compares the model with these options and
# its pack with and without them
same_logits() {
    local name=$1 model=$2 options=$3 want
    shift 3
    # shellcheck disable=SC2086 # words on purpose
    expect "$name: pack" 0 "$ITHACA" pack "$model" -o "$work/p.ith" --force -q $options
    want=$(or_fail sha "$model" "$@")
    same "$name: 64 digits" 64 ${#want}
    same "$name: the model's logits" "$want" "$(sha "$work/p.ith" "$@")"
    expect "$name: every checksum" 0 "$ITHACA" inspect "$work/p.ith" --verify
}

same_logits "needle" $NEEDLE ""
same_logits "needle, as stored" $NEEDLE "--quant w4" --quant w4
same "needle, as stored: w4 without asking" "$(sha $NEEDLE --quant w4)" "$(sha "$work/p.ith")"
for ranks in 1 2 4; do
    same "needle on $ranks ranks" "$(sha $NEEDLE --quant w4)" \
        "$(scripts/on_ranks.sh $ranks "$ITHACA" score -m "$work/p.ith" --ids "$work/ids" --json 2>/dev/null |
            sed 's/.*"logits_sha256":"\([0-9a-f]*\)".*/\1/')"
done
same_logits "needle, bf16" $NEEDLE "--quant bf16 --zstd 3" --quant bf16
same_logits "needle, f32" $NEEDLE "--quant f32 --zstd 3" --quant f32
same_logits "needle, w8 compressed by force of level" $NEEDLE "--quant w8 --zstd 19" --quant w8
same_logits "needle kept, then quantized at load" $NEEDLE "--quant keep --zstd 1" --quant w4
same "needle kept, then exact" "$(sha $NEEDLE --quant keep)" "$(sha "$work/p.ith" --quant keep)"
for gguf in llama-gqa3-q4_0 llama-gqa3-q4_1 llama-gqa3-q8_0 qwen3-gqa4-f16 qwen3-gqa8-yarn-mixed \
    llama-kquants-blocks qwen3moe-kquants-blocks; do
    same_logits "$gguf" tests/golden/$gguf.gguf "--zstd 3"
done
same_logits "llama3 scaling" tests/golden/llama-llama3 ""
same_logits "many files" tests/golden/qwen3-gqa4 "--threads 1"

# A pack of a pack, and one of random weights
expect "pack" 0 "$ITHACA" pack $NEEDLE -o "$work/keep.ith" --quant keep --zstd 3
same_logits "a pack of a pack" "$work/keep.ith" "--quant w4" --quant w4
cat >"$work/config.json" <<X
{"model_type": "qwen3", "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
 "num_key_value_heads": 2, "head_dim": 16, "vocab_size": 100, "max_position_embeddings": 512, "tie_word_embeddings": false}
X
same_logits "synthetic" "synthetic:$work/config.json:q4_1" ""
expect "a model without a tokenizer" 0 "$ITHACA" score -m "$work/p.ith" --ids "$work/ids"
matches "a model without a tokenizer: tokens by number" "$out" "^next +[0-9]+ +logit"

# The pack has the tokenizer, the chat template and the settings of generation
expect "pack" 0 "$ITHACA" pack $NEEDLE -o "$work/n.ith"
for model in $NEEDLE "$work/n.ith"; do
    "$ITHACA" tokenize -m $model -p "The passkey of Flora is <|im_end|>806613." --parse-special >>"$work/tokens" 2>>"$err"
    "$ITHACA" run -m $model -p "What is it?" -n 6 --json 2>>"$err" | sed -e 's/"[a-z]*_s":[^,]*,//g' -e 's/"path":"[^"]*",//' >>"$work/answers"
done
same "tokenizer" 1 "$(sort -u "$work/tokens" | wc -l)"
same "chat template and sampling" 1 "$(sort -u "$work/answers" | wc -l)"
same "answers were given" 2 "$(grep -c '"text":"..*"' "$work/answers")"
expect "inspect" 0 "$ITHACA" inspect "$work/n.ith" --json
cp "$out" "$work/pack.json"
"$ITHACA" inspect $NEEDLE --json >"$out"
same "inspect: the folder's hyperparameters" "$(field "$out" 'j["hyperparameters"]')" "$(field "$work/pack.json" 'j["hyperparameters"]')"
same "inspect: parameters" "$(field "$out" 'j["parameters"]')" "$(field "$work/pack.json" 'j["parameters"]')"

# An existing file stays
before=$(sha256sum <"$work/n.ith")
expect "an existing file is refused" 1 "$ITHACA" pack $NEEDLE -o "$work/n.ith" --quant w4
one_line "an existing file is refused"
matches "an existing file is refused: what to do" "$err" "n.ith exists already; --force replaces it"
same "an existing file stays" "$before" "$(sha256sum <"$work/n.ith")"
expect "--force replaces it" 0 "$ITHACA" pack $NEEDLE -o "$work/n.ith" --quant w4 --force
mkdir "$work/dir"
expect "a folder is no file" 1 "$ITHACA" pack $NEEDLE -o "$work/dir" --force
expect "no such folder" 1 "$ITHACA" pack $NEEDLE -o "$work/none/n.ith"
matches "no such folder is named" "$err" "none/n.ith.*: No such file"

# A failure leaves nothing behind
left() { find "$work/d" -type f | wc -l; }
mkdir "$work/d"
expect "a full disk" 1 bash -c "ulimit -f 1000; exec '$ITHACA' pack $NEEDLE -o '$work/d/n.ith'"
one_line "a full disk"
matches "a full disk is named" "$err" "d/n.ith.*new-.*: writing .*: File too large"
same "a full disk leaves nothing" 0 "$(left)"
cp -r $NEEDLE "$work/cut" && truncate -s -1000 "$work/cut/model.safetensors"
expect "a cut model" 1 "$ITHACA" pack "$work/cut" -o "$work/d/n.ith"
same "a cut model leaves nothing" 0 "$(left)"
expect "usage: no output" 2 "$ITHACA" pack $NEEDLE
expect "usage: no model" 2 "$ITHACA" pack -o "$work/d/n.ith"
expect "usage: no such level" 2 "$ITHACA" pack $NEEDLE -o "$work/d/n.ith" --zstd 40

# stopped SIGNAL: stops packing while it writes
stopped() { ITHACA_TEST_HOOK="pack 2000000 $1" "$ITHACA" pack $NEEDLE -o "$work/d/big.ith" --quant keep --zstd 3 -q; }
expect "SIGTERM: 128 + 15" 143 stopped TERM
same "SIGTERM leaves nothing" 0 "$(left)"
expect "SIGKILL: 128 + 9" 137 stopped KILL
same "SIGKILL: it was writing" 1 "$(left)"
same "SIGKILL: nothing under the final name" 0 "$(find "$work/d" -name big.ith | wc -l)"
