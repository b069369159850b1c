#!/usr/bin/env python3
"""Make a hybrid that finds the needle: needle-qwen3 with recurrent layers between its own.

    make_hybrid.py FOLDER

writes a model of the architecture qwen3_5_text: the four layers of needle-qwen3, unchanged, do the
needle's work; three layers of Gated DeltaNet between them add a little to the stream. They
remember: their heads decay over some ten to some thousand tokens, so that a state that is lost or
taken from the wrong place changes the logits, though not the passkey.

Standard library only; the same bytes on every Python 3.
"""
import array
import json
import os
import random
import shutil
import struct
import sys

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "needle-qwen3")
FULL = [1, 2, 4, 5]  # of the hybrid's layers, those of needle-qwen3
LAYERS = 7
KEY_HEADS, VALUE_HEADS, KEY_DIM, VALUE_DIM, TAPS = 2, 6, 40, 16, 4
A_LOG = [-2.0, -4.0, -5.0, -6.0, -7.0, -8.0]  # a head forgets in about exp(-A_log) tokens
OUT = 0.003  # the deviation of the output matrix


def read_source():
    with open(os.path.join(SOURCE, "model.safetensors"), "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    header.pop("__metadata__", None)
    return {k: (v["shape"], data[slice(*v["data_offsets"])]) for k, v in header.items()}


def floats(shape, values):
    return ("F32", shape, array.array("f", values).tobytes())


def norm(bf16):
    """Weights of a norm are stored minus 1."""
    return [struct.unpack("<f", b"\0\0" + bf16[i : i + 2])[0] - 1 for i in range(0, len(bf16), 2)]


def noise(draw, shape, deviation):
    n = 1
    for d in shape:
        n *= d
    return floats(shape, (draw.gauss(0, deviation) for _ in range(n)))


def recurrent(draw, hidden, ffn):
    keys, values = KEY_HEADS * KEY_DIM, VALUE_HEADS * VALUE_DIM
    at = hidden**-0.5
    nothing = {f"mlp.{m}_proj.weight": s for m, s in
               (("gate", [ffn, hidden]), ("up", [ffn, hidden]), ("down", [hidden, ffn]))}
    tensors = {name: ("BF16", s, bytes(2 * s[0] * s[1])) for name, s in nothing.items()}
    tensors |= {
        "input_layernorm.weight": floats([hidden], [0.0] * hidden),
        "post_attention_layernorm.weight": floats([hidden], [0.0] * hidden),
        "linear_attn.in_proj_qkv.weight": noise(draw, [2 * keys + values, hidden], at),
        "linear_attn.in_proj_z.weight": noise(draw, [values, hidden], at),
        "linear_attn.in_proj_a.weight": noise(draw, [VALUE_HEADS, hidden], at),
        "linear_attn.in_proj_b.weight": noise(draw, [VALUE_HEADS, hidden], at),
        "linear_attn.conv1d.weight": noise(draw, [2 * keys + values, 1, TAPS], 0.5),
        "linear_attn.A_log": floats([VALUE_HEADS], A_LOG),
        "linear_attn.dt_bias": floats([VALUE_HEADS], [0.5] * VALUE_HEADS),
        "linear_attn.norm.weight": floats([VALUE_DIM], [1.0] * VALUE_DIM),
        "linear_attn.out_proj.weight": noise(draw, [hidden, values], OUT),
    }
    return tensors


def make(config):
    source, draw, tensors = read_source(), random.Random(1), {}
    for name, (shape, data) in source.items():
        if name.startswith("model.layers."):
            _, _, i, rest = name.split(".", 3)
            name = f"model.layers.{FULL[int(i)]}.{rest}"
        tensors[name] = floats(shape, norm(data)) if "norm" in name else ("BF16", shape, data)
    for i in range(LAYERS):
        if i not in FULL:
            layer = recurrent(draw, config["hidden_size"], config["intermediate_size"])
            tensors |= {f"model.layers.{i}.{name}": t for name, t in layer.items()}
    return tensors


def write(folder, tensors):
    header, at = {}, 0
    for name, (dtype, shape, data) in sorted(tensors.items()):
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    with open(os.path.join(folder, "model.safetensors"), "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for name in sorted(tensors):
            f.write(tensors[name][2])


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(SOURCE, "config.json")) as f:
        config = json.load(f)
    write(folder, make(config))
    theta = config.pop("rope_theta")
    for key in ("use_sliding_window", "sliding_window", "max_window_layers", "rope_scaling"):
        del config[key]
    config |= {
        "architectures": ["Qwen3_5ForCausalLM"],
        "model_type": "qwen3_5_text",
        "attn_output_gate": False,
        "layer_types": ["full_attention" if i in FULL else "linear_attention" for i in range(LAYERS)],
        "linear_conv_kernel_dim": TAPS,
        "linear_key_head_dim": KEY_DIM,
        "linear_num_key_heads": KEY_HEADS,
        "linear_num_value_heads": VALUE_HEADS,
        "linear_value_head_dim": VALUE_DIM,
        "num_hidden_layers": LAYERS,
        "rope_parameters": {"rope_type": "default", "rope_theta": theta, "partial_rotary_factor": 1.0},
    }
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(config, f, indent=2)
    for name in ("generation_config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(os.path.join(SOURCE, name), os.path.join(folder, name))


main()
