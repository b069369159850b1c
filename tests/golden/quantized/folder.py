"""Makes a small model as quantizers write it, and the same one with plain F32 weights: FOLDER/stored and FOLDER/plain.

usage: folder.py KIND MODEL FOLDER      (Python's standard library only)

KIND: fp8, fp8-tensor, packed, packed-zeros, int8, float8, awq, gptq, gptq-zeros, gptq-order
MODEL: a file of tests/golden/architectures, or a folder, whose configuration and shapes are taken

Quants, scales and zero points are random. All matrices but the embedding and the head are quantized.
"""
import json
import math
import os
import random
import re
import struct
import sys

kind, model, folder = sys.argv[1:]
rng = random.Random(kind)
floor = lambda n, by: -(-n // by)

# ---- Numbers ----

f32 = lambda xs: struct.pack(f"<{len(xs)}f", *xs)
f16 = lambda xs: struct.pack(f"<{len(xs)}e", *xs)
bf16 = lambda xs: b"".join(struct.pack("<f", x)[2:] for x in xs)
u32 = lambda xs: struct.pack(f"<{len(xs)}I", *xs)
PACK = {"F32": f32, "F16": f16, "BF16": bf16, "I32": u32, "I8": bytes, "F8_E4M3": bytes}


def scale(spread):
    """About the spread; eight significant bits, as bf16 and f16 have them."""
    return (128 + rng.getrandbits(7)) * 2.0 ** round(-7.5 + math.log2(spread))


def f8(x):
    e, m = x >> 3 & 15, x & 7
    return (-1 if x & 128 else 1) * (m * 2.0**-9 if e == 0 else (8 + m) * 2.0 ** (e - 10))


def words(rows, bits):
    """Lists of quants, each packed into u32, lowest bits first."""
    n = 32 // bits
    return [[sum(q << bits * i for i, q in enumerate(row[k:k + n])) for k in range(0, len(row), n)] for row in rows]


flat = lambda rows: [x for row in rows for x in row]
turned = lambda rows: [list(column) for column in zip(*rows)]


# ---- A matrix: {part: (type, shape, numbers)} and its weights ----

def floats(rows, cols, block, part, kind_of_scale):
    down, across = floor(rows, block[0]), floor(cols, block[1])
    q = [[rng.getrandbits(1) << 7 | rng.randrange(5 << 3, 10 << 3) for _ in range(cols)] for _ in range(rows)]
    s = [[scale(0.3 / cols**0.5) for _ in range(across)] for _ in range(down)]
    shape = [] if block == (rows, cols) else [down, across]
    return ({"weight": ("F8_E4M3", [rows, cols], flat(q)), part: (kind_of_scale, shape, flat(s))},
            [f8(q[r][c]) * s[r // block[0]][c // block[1]] for r in range(rows) for c in range(cols)])


def integers(rows, cols, bits, group, zeros, order=False):
    n = floor(cols, group)
    q = [[rng.getrandbits(bits) for _ in range(cols)] for _ in range(rows)]
    z = [[rng.getrandbits(bits) if zeros else 1 << bits - 1 for _ in range(n)] for _ in range(rows)]
    s = [[scale(4 / (1 << bits) / cols**0.5) for _ in range(n)] for _ in range(rows)]
    g = [c // group for c in range(cols)]
    if order:
        rng.shuffle(g)
    return q, z, s, g, [(q[r][c] - z[r][g[c]]) * s[r][g[c]] for r in range(rows) for c in range(cols)]


def make(rows, cols):
    if kind == "fp8":
        return floats(rows, cols, (48, 32), "weight_scale_inv", "F32")
    if kind == "fp8-tensor":
        return floats(rows, cols, (rows, cols), "weight_scale_inv", "BF16")
    if kind == "float8":
        return floats(rows, cols, (1, cols), "weight_scale", "BF16")
    zeros = kind in ("packed-zeros", "awq", "gptq-zeros")
    q, z, s, g, weights = integers(rows, cols, 8 if kind == "int8" else 4, cols if kind == "int8" else 32, zeros,
                                   kind == "gptq-order")
    n = len(s[0])
    if kind == "int8":
        parts = {"weight": ("I8", [rows, cols], [x ^ 128 for x in flat(q)]), "weight_scale": ("BF16", [rows, n], flat(s))}
    elif kind.startswith("packed"):
        parts = {"weight_packed": ("I32", [rows, cols // 8], flat(words(q, 4))), "weight_scale": ("BF16", [rows, n], flat(s)),
                 "weight_shape": ("I32", [2], [rows, cols])}
        if zeros:
            parts["weight_zero_point"] = ("I32", [rows // 8, n], flat(turned(words(turned(z), 4))))
    elif kind == "awq":
        mix = lambda m: [[row[k + i] for k in range(0, rows, 8) for i in (0, 2, 4, 6, 1, 3, 5, 7)] for row in turned(m)]
        parts = {"qweight": ("I32", [cols, rows // 8], flat(words(mix(q), 4))),
                 "qzeros": ("I32", [n, rows // 8], flat(words(mix(z), 4))), "scales": ("F16", [n, rows], flat(turned(s)))}
    else:
        stored = [w - 0x11111111 & 0xFFFFFFFF for w in flat(words(turned(z), 4))]
        parts = {"qweight": ("I32", [cols // 8, rows], flat(turned(words(q, 4)))), "qzeros": ("I32", [n, rows // 8], stored),
                 "scales": ("F16", [n, rows], flat(turned(s))), "g_idx": ("I32", [cols], g)}
    return parts, weights


def configuration():
    group = dict(num_bits=8 if kind in ("int8", "float8") else 4, type="float" if kind == "float8" else "int",
                 strategy="channel" if kind in ("int8", "float8") else "group", symmetric=kind != "packed-zeros",
                 group_size=None if kind in ("int8", "float8") else 32)
    if kind.startswith("fp8"):
        return dict(quant_method="fp8", activation_scheme="dynamic", modules_to_not_convert=["lm_head"],
                    weight_block_size=[48, 32] if kind == "fp8" else None)
    if kind.startswith("packed") or kind in ("int8", "float8"):
        return dict(quant_method="compressed-tensors", quantization_status="compressed", ignore=["lm_head"],
                    format={"int8": "int-quantized", "float8": "float-quantized"}.get(kind, "pack-quantized"),
                    config_groups={"group_0": dict(targets=["Linear"], weights=group)})
    if kind == "awq":
        return dict(quant_method="awq", bits=4, group_size=32, zero_point=True, version="gemm")
    return dict(quant_method="gptq", bits=4, group_size=32, desc_act=kind == "gptq-order", sym=kind != "gptq-zeros")


# ---- Folders ----

def shapes():
    if not os.path.isdir(model):
        golden = json.load(open(model))
        return golden["config"], [t[:2] for t in golden["tensors"]]
    raw = open(os.path.join(model, "model.safetensors"), "rb").read()
    header = json.loads(raw[8:8 + struct.unpack("<Q", raw[:8])[0]])
    return (json.load(open(os.path.join(model, "config.json"))),
            sorted([k, v["shape"]] for k, v in header.items() if k != "__metadata__"))


def write(name, config, tensors):
    header, data = {}, []
    at = 0
    for key, (dtype, shape, numbers) in tensors.items():
        data.append(PACK[dtype](numbers))
        header[key] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data[-1])]}
        at += len(data[-1])
    text = json.dumps(header).encode()
    os.makedirs(os.path.join(folder, name), exist_ok=True)
    with open(os.path.join(folder, name, "model.safetensors"), "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text + b"".join(data))
    json.dump(config, open(os.path.join(folder, name, "config.json"), "w"))


config, listed = shapes()
stored, plain = {}, {}
for name, shape in listed:
    size = 1
    for n in shape:
        size *= n
    if len(shape) == 2 and name.endswith(".weight") and not re.search(r"embed|lm_head|vision|mm_|\.gate\.", name):
        parts, weights = make(*shape)
        stored.update({name[:-6] + part: value for part, value in parts.items()})
    else:
        centre = 1 if "norm" in name and not name.endswith("bias") and "gemma" not in config["model_type"] else 0
        spread = 0.2 if len(shape) < 2 else 1 if "embed" in name else 2.2 / shape[-1] ** 0.5
        weights = [struct.unpack("<f", f32([rng.uniform(-spread, spread) + centre]))[0] for _ in range(size)]
        stored[name] = ("F32", shape, weights)
    plain[name] = ("F32", shape, weights)
write("stored", dict(config, quantization_config=configuration()), stored)
write("plain", config, plain)
