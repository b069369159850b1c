"""big_model.py NEEDLE FOLDER - makes a model with the needle model's vocabulary and tokenizer that is
larger than the program itself, so that there is a budget under which its layers are streamed. Its
weights are zeros, in a sparse file."""
import json
import os
import shutil
import struct
import sys

needle, folder = sys.argv[1:3]
HIDDEN, FFN, LAYERS, HEADS, KV, DIM = 256, 1024, 24, 4, 4, 64

os.makedirs(folder)
for name in os.listdir(needle):
    if name.startswith("tokenizer") or name in ("generation_config.json", "chat_template.jinja"):
        shutil.copy(os.path.join(needle, name), folder)
config = json.load(open(os.path.join(needle, "config.json")))
config.update(hidden_size=HIDDEN, intermediate_size=FFN, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
              num_key_value_heads=KV, head_dim=DIM, max_window_layers=LAYERS)
json.dump(config, open(os.path.join(folder, "config.json"), "w"))

shapes = {"model.embed_tokens.weight": [config["vocab_size"], HIDDEN], "model.norm.weight": [HIDDEN]}
for i in range(LAYERS):
    at = f"model.layers.{i}."
    for name, shape in {
        "input_layernorm": [HIDDEN], "post_attention_layernorm": [HIDDEN],
        "self_attn.q_norm": [DIM], "self_attn.k_norm": [DIM],
        "self_attn.q_proj": [HEADS * DIM, HIDDEN], "self_attn.k_proj": [KV * DIM, HIDDEN],
        "self_attn.v_proj": [KV * DIM, HIDDEN], "self_attn.o_proj": [HIDDEN, HEADS * DIM],
        "mlp.gate_proj": [FFN, HIDDEN], "mlp.up_proj": [FFN, HIDDEN], "mlp.down_proj": [HIDDEN, FFN],
    }.items():
        shapes[at + name + ".weight"] = shape

header, end = {}, 0
for name, shape in shapes.items():
    n = 2
    for d in shape:
        n *= d
    header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [end, end + n]}
    end += n
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
with open(os.path.join(folder, "model.safetensors"), "wb") as f:
    f.write(struct.pack("<Q", len(text)) + text)
    f.truncate(8 + len(text) + end)
