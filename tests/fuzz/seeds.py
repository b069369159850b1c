#!/usr/bin/env python3
"""seeds.py - makes inputs of the targets config, model and gguf from tests/golden/architectures: for
each architecture its config.json, its model with one layer, and that as a GGUF file (gguf_text.h).

    python3 tests/fuzz/seeds.py FOLDER

They go to FOLDER/TARGET, beside which the corpus of the repository has none of them.
"""
import glob
import json
import os
import re
import sys

OUT = os.path.abspath(sys.argv[1])
os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
CUT = "\n--8<--\n"
VOCABULARY = 32

# Tensors' names in GGUF files; the norms depend on how many of them a layer has.
NAMES = {"lm_head": "output", "embed_tokens": "token_embd", "q_proj": "attn_q", "k_proj": "attn_k",
         "v_proj": "attn_v", "qkv_proj": "attn_qkv", "o_proj": "attn_output", "q_norm": "attn_q_norm",
         "k_norm": "attn_k_norm", "gate_proj": "ffn_gate", "up_proj": "ffn_up", "c_fc": "ffn_up",
         "gate_up_proj": "ffn_up", "down_proj": "ffn_down", "c_proj": "ffn_down",
         "query_layernorm": "attn_q_norm", "key_layernorm": "attn_k_norm",
         "input_layernorm": "attn_norm", "post_self_attn_layernorm": "post_attention_norm",
         "post_mlp_layernorm": "post_ffw_norm", "pre_feedforward_layernorm": "ffn_norm",
         "post_feedforward_layernorm": "post_ffw_norm", "norm": "output_norm",
         "q_a_proj": "attn_q_a", "q_a_layernorm": "attn_q_a_norm", "q_b_proj": "attn_q_b",
         "kv_a_proj_with_mqa": "attn_kv_a_mqa", "kv_a_layernorm": "attn_kv_a_norm",
         "kv_b_proj": "attn_kv_b"}
KEYS = {"num_hidden_layers": "block_count", "max_position_embeddings": "context_length",
        "hidden_size": "embedding_length", "intermediate_size": "feed_forward_length",
        "num_attention_heads": "attention.head_count",
        "num_key_value_heads": "attention.head_count_kv", "head_dim": "attention.key_length",
        "sliding_window": "attention.sliding_window", "logit_scale": "logit_scale",
        "attn_logit_softcapping": "attn_logit_softcapping",
        "final_logit_softcapping": "final_logit_softcapping", "logits_scaling": "logit_scale",
        "embedding_multiplier": "embedding_scale", "residual_multiplier": "residual_scale",
        "attention_multiplier": "attention.scale", "kv_lora_rank": "attention.kv_lora_rank",
        "q_lora_rank": "attention.q_lora_rank", "qk_rope_head_dim": "rope.dimension_count",
        "v_head_dim": "attention.value_length"}


def write(target, name, *parts):
    os.makedirs(f"{OUT}/{target}", exist_ok=True)
    text = [part if isinstance(part, str) else json.dumps(part, separators=(",", ":")) for part in parts]
    with open(f"{OUT}/{target}/{name}", "w") as file:
        file.write(CUT.join(text))


def family(config):
    """The family's name in GGUF files: that of the source that has the class."""
    for path in glob.glob("src/formats/arch_*.c"):
        text = open(path).read()
        name = re.search(r'\.name = "([^"]*)"', text)
        if name and re.search(r'\{"[^"]*",\s*"%s"\}' % config["architectures"][0], text):
            return name[1]
    raise SystemExit("no family of " + config["architectures"][0])


def one_layer(case):
    """Configuration and tensors with one layer and few tokens, so that a run is short."""
    config = json.loads(json.dumps(case["config"]))
    text = config.get("text_config", config)
    text.update(num_hidden_layers=1, vocab_size=VOCABULARY)
    for key in ("layer_types", "no_rope_layers"):
        if key in text:
            text[key] = text[key][:1]
    tensors = {}
    for name, shape, *_ in case["tensors"]:
        if not re.search(r"layers\.[1-9]", name):
            tensors[name] = [VOCABULARY if n == 256 else n for n in shape]
    return config, tensors


def gguf_name(name, names):
    *_, word, kind = name.split(".")
    if word not in NAMES and word != "post_attention_layernorm":  # of images, of each head
        return None
    if word == "post_attention_layernorm":
        other = any("feedforward_layernorm" in each or "post_mlp" in each for each in names)
        word = "post_attention_norm" if other and "post_self_attn" not in "".join(names) else "ffn_norm"
    else:
        word = NAMES[word]
    return ("blk.0." if ".layers." in name else "") + word + "." + kind


def as_gguf(config, tensors):
    name, text = family(config), config.get("text_config", config)
    norm = "layer_norm_epsilon" if "layer_norm_eps" in text or "norm_epsilon" in text else "layer_norm_rms_epsilon"
    pairs = {"general.architecture": name, f"{name}.attention.{norm}": 1e-5}
    pairs.update({f"{name}.{to}": text[key] for key, to in KEYS.items() if text.get(key) is not None})
    if "qk_nope_head_dim" in text:
        pairs[f"{name}.attention.key_length"] = text["qk_nope_head_dim"] + text["qk_rope_head_dim"]
    named = {gguf_name(each, tensors): ["F32"] + shape[::-1] for each, shape in tensors.items()}
    named.pop(None, None)
    return {"kv": pairs, "tensors": named}


for path in sorted(glob.glob("tests/golden/architectures/*.json")):
    seed, case = os.path.basename(path)[:-5], json.load(open(path))
    config, tensors = one_layer(case)
    write("config", seed, case["config"])
    write("model", "hf-" + seed, config, {name: ["F32"] + shape for name, shape in tensors.items()})
    write("gguf", "text-" + seed, as_gguf(config, tensors))
