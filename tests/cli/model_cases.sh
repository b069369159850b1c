#!/bin/bash
# model_cases.sh - models whose files hold more, less or other things than usual: they give the
# values of Transformers, say what they leave out, or are refused by name.
. tests/tap.sh

cases=tests/cases
tiny=$cases/tiny-qwen3
prompt=$cases/prompt.ids

# variant NAME PYTHON: a copy of a folder as $work/NAME, edited by Python: `config` and `generation`
# are the JSON files, `tensors` is {name: [dtype, shape, bytes]}
variant() { # NAME FOLDER PYTHON
    cp -r "$2" "$work/$1"
    python3 - "$work/$1" "$3" <<'PY'
import json, os, struct, sys
folder, edit = sys.argv[1:]
path = lambda name: os.path.join(folder, name)
config, generation = json.load(open(path("config.json"))), {}
raw = open(path("model.safetensors"), "rb").read()
n = struct.unpack("<Q", raw[:8])[0]
header, data = json.loads(raw[8:8 + n]), raw[8 + n:]
tensors = {k: [v["dtype"], v["shape"], data[slice(*v["data_offsets"])]]
           for k, v in header.items() if k != "__metadata__"}
exec(edit)
header, data = {}, b""
for name, (dtype, shape, values) in tensors.items():
    header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
    data += values
text = json.dumps(header).encode()
open(path("model.safetensors"), "wb").write(struct.pack("<Q", len(text)) + text + data)
json.dump(config, open(path("config.json"), "w"))
json.dump(generation, open(path("generation_config.json"), "w"))
PY
}

score() { expect "$1: runs" 0 "$ITHACA" score -m "$2" --ids $prompt --exact --json; }
nll() { same "$1: the value of Transformers" "$2" "$(field "$out" 'round(j["mean_nll"], 6)')"; }

refused() { # NAME MODEL REGEX
    expect "$1: refused" 1 "$ITHACA" score -m "$2" --ids $prompt -q
    matches "$1: named, in one line" "$err" "$3"
    same "$1: one line" 1 "$(wc -l <"$err")"
}

# ---- What is decided between contradictions, and said ----

score "own head" $cases/own-head
nll "own head" 6.496563
matches "own head: noted" "$err" 'note: .*tie_word_embeddings.*lm_head\.weight'
same "own head: noted in JSON" True "$(field "$out" '"lm_head.weight" in j["notes"][0]')"
variant same-head $cases/own-head 'tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]'
score "equal head" "$work/same-head"
nll "equal head" 6.092338
same "equal head: nothing to note" '[]' "$(field "$out" 'j["notes"]')"

# The pack of such a model has the head.
expect "own head: packed" 0 "$ITHACA" pack $cases/own-head -o "$work/own.ith" --quant f32 -q
expect "own head: runs from a pack" 0 "$ITHACA" score -m "$work/own.ith" --ids $prompt --exact --json
nll "own head, packed" 6.496563

variant adapter $tiny ''
echo '{"peft_type": "LORA"}' >"$work/adapter/adapter_config.json"
score "adapter" "$work/adapter"
nll "adapter" 5.994346
matches "adapter: noted" "$err" 'note: .*adapter_config\.json.* is not applied'
mkdir "$work/adapter-alone"
echo '{"peft_type": "LORA"}' >"$work/adapter-alone/adapter_config.json"
refused "adapter alone" "$work/adapter-alone" 'has an adapter .*is no model'

# ---- Names ----

variant base $cases/own-head 'tensors = {k[6:]: v for k, v in tensors.items() if k != "lm_head.weight"}'
score "names without model." "$work/base"
nll "names without model." 6.092338
variant base-class "$work/base" 'config["architectures"] = ["Qwen3Model"]'
score "the class without a head" "$work/base-class"
nll "the class without a head" 6.092338
variant compiled $tiny 'tensors = {"_orig_mod." + k: v for k, v in tensors.items()}'
refused "other prefix" "$work/compiled" 'model\.embed_tokens\.weight is missing; there is one named _orig_mod'

# ---- Tensors that nobody binds ----

for name in self_attn.q_proj.bias self_attn.o_proj.bias mlp.down_proj.bias self_attn.sinks; do
    variant "left-$name" $tiny "tensors['model.layers.0.$name'] = ['BF16', [32], bytes(64)]"
    refused "left over: $name" "$work/left-$name" "model\.layers\.0\.$name"
done
variant left-f64 $tiny "tensors['model.bias'] = ['F64', [1], bytes(8)]"
refused "left over: of a type that is not read" "$work/left-f64" 'model\.bias'
variant left-lm $cases/own-head 'config["tie_word_embeddings"] = False; tensors["lm_head.bias"] = ["F32", [300], bytes(1200)]'
refused "left over: a bias of the head" "$work/left-lm" 'lm_head\.bias'
variant unread $tiny 'v = tensors["model.norm.weight"]; tensors["model.norm.weight"] = ["F64", v[1], bytes(8 * v[1][0])]'
refused "bound, of a type that is not read" "$work/unread" 'model\.norm\.weight has type F64'
variant harmless $tiny '
tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = ["F64", [8], bytes(64)]
tensors["model.position_ids"] = ["I64", [1, 2, 1, 1], bytes(16)]
tensors["model.mask"] = ["BOOL", [3], bytes(3)]'
score "harmless tensors" "$work/harmless"
nll "harmless tensors" 5.994346

# ---- Settings that nobody reads ----

while read -r key value; do
    variant "key-$key" $tiny "config['$key'] = $value"
    refused "setting: $key" "$work/key-$key" "\"$key\""
done <<'END'
attention_bias True
mlp_bias True
num_experts 4
final_logit_softcapping 30.0
embedding_multiplier 12
is_causal False
use_qk_norm False
END

# ---- Sampling and the end ----

ids() { expect "$1: runs" 0 "$ITHACA" run -m "$2" --ids "$3" -n 12 --exact --json -q; }
penalized='[247, 65, 45, 172, 276, 46, 61, 119, 57, 58, 134, 96]'
variant penalty $tiny 'generation = {"repetition_penalty": 1.3}'
ids "penalty of a greedy model" "$work/penalty" $cases/penalty.ids
same "penalty of a greedy model: ids" "$penalized" "$(field "$out" 'j["ids"]')"
variant sampled $tiny 'generation = {"repetition_penalty": 1.3, "do_sample": True, "top_k": 1}'
ids "penalty of a sampling model" "$work/sampled" $cases/penalty.ids
same "penalty of a sampling model: ids" "$penalized" "$(field "$out" 'j["ids"]')"
expect "penalty from a pack: packed" 0 "$ITHACA" pack "$work/penalty" -o "$work/penalty.ith" --quant f32 -q
ids "penalty from a pack" "$work/penalty.ith" $cases/penalty.ids
same "penalty from a pack: ids" "$penalized" "$(field "$out" 'j["ids"]')"

variant nine-ends $tiny 'generation = {"eos_token_id": [2, 3, 5, 6, 7, 8, 9, 10, 4]}'
ids "nine tokens that end" "$work/nine-ends" $prompt
same "nine tokens that end: ids" '[114, 85, 134, 148] stop' "$(field "$out" 'str(j["ids"]) + " " + j["finish"]')"
rm -r "$work/nine-ends"/tokenizer*
ids "no tokenizer" "$work/nine-ends" $prompt
same "no tokenizer: generation_config.json ends the answer" "stop" "$(field "$out" 'j["finish"]')"
variant asks $tiny 'generation = {"no_repeat_ngram_size": 3, "suppress_tokens": [5], "bad_words_ids": [],
  "num_beams": 1, "typical_p": 1.0, "forced_eos_token_id": None, "min_new_tokens": 4, "max_length": 20}'
ids "settings that are not done" "$work/asks" $prompt
same "settings that are not done: one note" \
    "generation_config.json asks for what Ithaca does not do, so answers differ from those of Transformers: min_new_tokens, no_repeat_ngram_size, suppress_tokens" \
    "$(field "$out" '"; ".join(j["notes"]).split("/")[-1]')"
variant many-ends $tiny 'generation = {"eos_token_id": list(range(65))}'
refused "65 tokens that end" "$work/many-ends" 'more than 64 tokens end an answer'

# ---- Numbers that are none, or out of range ----

llama=$cases/tiny-llama
echo 1 2 3 >"$work/ids"
prompt=$work/ids
expect "the sound file runs" 0 "$ITHACA" run -m $llama/fine.gguf --ids "$prompt" -n 2 -q
refused "NaN in a norm" $llama/nan-norm.gguf 'tensor .*norm\.weight has a number that is NaN or infinite'
refused "NaN in a scale" $llama/nan-scale.gguf 'tensor .* has a weight that is NaN'
refused "infinity in a scale" $llama/inf-scale.gguf 'tensor .* has a weight that is NaN'
refused "a frequency divided by 0" $llama/rope-freq-0.gguf 'rope_freqs\.weight: number [0-9]+ is 0'
refused "a frequency divided by NaN" $llama/rope-freq-nan.gguf 'rope_freqs\.weight: number [0-9]+ is -?nan'
refused "a context of 2^40" $llama/ctx40small.gguf 'context length is 1099511627776'
expect "a context of 2^40: plan" 1 "$ITHACA" plan -m $llama/ctx40small.gguf --gops 1 --read-gbps 1
expect "the largest context: plan" 0 "$ITHACA" plan -m $llama/fine.gguf -c 134217728 --gops 1 --read-gbps 1
expect "too large a context: plan" 1 "$ITHACA" plan -m $llama/fine.gguf -c 134217729 --gops 1 --read-gbps 1
expect "scaled beyond the largest context" 1 "$ITHACA" plan -m $llama/fine.gguf --rope-scaling yarn:1000000:1000000 --gops 1 --read-gbps 1

# Finite weights whose products exceed a float: noticed in the pass, on any number of ranks.
prompt=$cases/prompt.ids
variant overflow $tiny '
import struct
big = struct.pack("<f", 1e38)[2:]
v = tensors["model.layers.0.mlp.down_proj.weight"]; v[2] = big * (len(v[2]) // 2)
v = tensors["model.layers.0.mlp.up_proj.weight"]; v[2] = big * (len(v[2]) // 2)'
for kv in q8 f32; do
    expect "overflow with $kv keys: an error" 1 "$ITHACA" run -m "$work/overflow" --ids $prompt --quant bf16 --kv $kv -n 2 -q
    matches "overflow with $kv keys: the layer is named" "$err" 'NaN, infinity .* in layer 0, in its mlp'
done
expect "overflow on 2 ranks: an error" 1 scripts/on_ranks.sh 2 "$ITHACA" run -m "$work/overflow" --ids $prompt --quant bf16 --kv f32 -n 2 -q
matches "overflow on 2 ranks: the layer is named" "$err" 'NaN, infinity .* in layer 0, in its mlp'
expect "overflow: score" 1 "$ITHACA" score -m "$work/overflow" --ids $prompt --exact -q
matches "overflow: score names the layer" "$err" 'NaN, infinity .* in layer 0, in its mlp'
variant overflow-head $tiny '
import struct
v = tensors["lm_head.weight"]; v[2] = struct.pack("<f", 3e38)[2:] * (len(v[2]) // 2)'
expect "overflow of the head: an error" 1 "$ITHACA" run -m "$work/overflow-head" --ids $prompt --quant bf16 -n 2 -q
matches "overflow of the head: named" "$err" 'NaN, infinity .*lm_head\.weight'

# Logits are finite, but lie further apart than a float reaches: a score is not
variant far-apart $tiny '
import struct
v = tensors["lm_head.weight"]; rows, cols = v[1]
v[2] = b"".join(struct.pack("<f", 1.5e38 if row % 2 else -1.5e38)[2:] + bytes(2 * cols - 2) for row in range(rows))'
expect "logits far apart: run" 0 "$ITHACA" run -m "$work/far-apart" --ids $prompt --exact -n 2 -q
expect "logits far apart: score" 1 "$ITHACA" score -m "$work/far-apart" --ids $prompt --exact -q
matches "logits far apart: named" "$err" 'number too large .*lm_head\.weight'

# A soft cap makes infinity finite again: Gemma 2 of the tensors at hand
capped='
import struct
config.update(model_type="gemma2", architectures=["Gemma2ForCausalLM"], hidden_activation="gelu_pytorch_tanh",
              final_logit_softcapping=30.0, attn_logit_softcapping=50.0, query_pre_attn_scalar=16,
              sliding_window=4096, tie_word_embeddings=False)
for key in ("hidden_act", "use_sliding_window", "max_window_layers"): config.pop(key, None)
for name in [n for n in tensors if n.endswith(("q_norm.weight", "k_norm.weight"))]: del tensors[name]
for name in [n for n in tensors if n.endswith("post_attention_layernorm.weight")]:
    for other in ("pre_feedforward_layernorm", "post_feedforward_layernorm"):
        tensors[name.replace("post_attention_layernorm", other)] = tensors[name]
v = tensors["lm_head.weight"]'
variant capped $tiny "$capped"
variant capped-overflow $tiny "$capped; v[2] = struct.pack('<f', 3e38)[2:] * (len(v[2]) // 2)"
expect "a soft cap: runs" 0 "$ITHACA" run -m "$work/capped" --ids $prompt --quant bf16 -n 2 -q
for level in ref avx2 avx512bw avx512; do
    ITHACA_SIMD=$level expect "overflow under a soft cap, $level: an error" 1 "$ITHACA" run -m "$work/capped-overflow" --ids $prompt --quant bf16 -n 2 -q
    matches "overflow under a soft cap, $level: named" "$err" 'NaN, infinity .*lm_head\.weight|ITHACA_SIMD'
done
expect "overflow under a soft cap: score" 1 "$ITHACA" score -m "$work/capped-overflow" --ids $prompt --exact -q
matches "overflow under a soft cap: score names the head" "$err" 'NaN, infinity .*lm_head\.weight'

# Numbers that int8 or a norm would make finite again: filled NAME TENSOR FLOAT
filled() {
    variant "$1" $tiny "
import struct
v = tensors['$2']; v[2] = struct.pack('<f', float('$3'))[2:] * (len(v[2]) // 2)"
}
mlp='in layer 0, in its mlp' attention='in layer 0, in its attention' layer=model.layers.0
while IFS='|' read -r name tensor value place; do
    filled "$name" "$tensor" "$value"
    for options in "--quant w8 --kv q8" "--quant w4 --kv f32" "--quant bf16 --kv q8" "--quant bf16 --kv bf16"; do
        expect "$name $options: an error" 1 "$ITHACA" run -m "$work/$name" --ids $prompt $options -n 2 -q
        matches "$name $options: the place is named" "$err" "(number too large .*$place: |tensor $tensor has a weight .* too large for w)"
    done
done <<END
huge-norm|$layer.post_attention_layernorm.weight|1e30|$mlp
huge-embed|model.embed_tokens.weight|1e25|in model.embed_tokens.weight
huge-q-norm|$layer.self_attn.q_norm.weight|1e30|$attention
huge-k-norm|$layer.self_attn.k_norm.weight|1e30|$attention
huge-v-proj|$layer.self_attn.v_proj.weight|1e30|$attention
huge-q-proj|$layer.self_attn.q_proj.weight|1e22|$attention
huge-out-norm|model.norm.weight|3e38|in the product with lm_head.weight
END
for level in ref avx2 avx512bw avx512; do
    ITHACA_SIMD=$level expect "huge-norm, $level: an error" 1 "$ITHACA" run -m "$work/huge-norm" --ids $prompt --quant w8 -n 2 -q
    matches "huge-norm, $level: the place is named" "$err" "number too large .*$mlp: |ITHACA_SIMD"
done
