"""Makes tests/golden/quantized: random matrices in every form in which Hugging Face folders hold quantized ones, and what
Transformers, compressed-tensors and (by numpy) GPTQModel make of them.

usage: make_quantized.py      (torch, transformers 5, compressed-tensors 0.20, safetensors, numpy)

Each case is NAME.safetensors, the parts of the matrix "m", and an entry of cases.json: "quantization_config"; "read_as", the
type of the blocks that keep its bits; "shape"; "sha256" of the weights as little-endian f32; and the first of them.
"""
import hashlib
import json
import os

import numpy as np
import torch
from compressed_tensors.compressors import BaseCompressor
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from safetensors.torch import save_file
from transformers.integrations.finegrained_fp8 import Fp8Dequantize

HERE = os.path.dirname(os.path.abspath(__file__))
ROWS, COLS = 24, 96
rng = np.random.default_rng(88)
cases = []


def case(name, config, read_as, parts, values):
    values = np.ascontiguousarray(np.asarray(values, dtype="<f4"))
    assert np.isfinite(values).all() and values.ndim == 2
    save_file({"m." + k: v.contiguous() for k, v in parts.items()}, os.path.join(HERE, name + ".safetensors"))
    cases.append(dict(name=name, quantization_config=config, read_as=read_as, shape=list(values.shape),
                      sha256=hashlib.sha256(values.tobytes()).hexdigest(), first=[float(x) for x in values[0, :4]]))


def halves(*shape, dtype=torch.float16):
    """Scales, among them small, negative and subnormal ones that are f16 in any case."""
    x = torch.tensor(rng.normal(0, 0.02, shape)).to(torch.bfloat16)
    x.view(-1)[0], x.view(-1)[-1] = 2.0**-24, -1.5
    return x.to(dtype)


def floats8(rows=ROWS, cols=COLS):
    q = rng.integers(0, 256, (rows, cols), dtype=np.uint8)
    q[(q & 0x7F) == 0x7F] = 0x7E
    return torch.tensor(q).view(torch.float8_e4m3fn)


def transformers_fp8(q, s):
    return Fp8Dequantize(None)._dequantize_one(q, s, output_dtype=torch.float32).numpy()


# ---- fp8 ----

s32 = lambda *shape: torch.tensor(rng.uniform(1e-4, 3e-3, shape), dtype=torch.float32)
FP8 = dict(quant_method="fp8", activation_scheme="dynamic", fmt="e4m3")

q, s = floats8(), s32(3, 3)
case("fp8-blocks", dict(FP8, weight_block_size=[8, 32], modules_to_not_convert=["lm_head"]), "F32",
     {"weight": q, "weight_scale_inv": s}, transformers_fp8(q, s))
q, s = floats8(), s32(2, 2)
spread = np.repeat(np.repeat(s.numpy(), 20, 0), 64, 1)[:ROWS, :COLS]
case("fp8-blocks-cut", dict(FP8, weight_block_size=[20, 64]), "F32", {"weight": q, "weight_scale_inv": s},
     q.float().numpy() * spread)
q, s = floats8(), s32(1, 1)
case("fp8-default", FP8, "F32", {"weight": q, "weight_scale_inv": s}, transformers_fp8(q, s))
q, s = floats8(), torch.tensor(0.00123, dtype=torch.bfloat16)
case("fp8-tensor", dict(FP8, activation_scheme="static", weight_block_size=None), "F32",
     {"weight": q, "weight_scale_inv": s, "activation_scale": torch.tensor(0.5)}, transformers_fp8(q, s.view(1, 1)))
q, e = floats8(), torch.tensor(rng.integers(110, 130, (3, 3)), dtype=torch.uint8)
case("fp8-e8m0", dict(FP8, weight_block_size=[8, 32], scale_fmt="ue8m0"), "F32",
     {"weight": q, "weight_scale_inv": e.view(torch.float8_e8m0fnu)}, transformers_fp8(q, e))
q, s = floats8(), s32(ROWS, 1)
case("fbgemm", dict(quant_method="fbgemm_fp8", activation_scale_ub=1200.0), "F32",
     {"weight": q, "weight_scale": s, "input_scale_ub": torch.tensor([1200.0])}, q.float().numpy() * s.numpy())


# ---- compressed-tensors ----

def compressed(name, form, read_as, weights, scale, zero=None, extra={}, cols=COLS):
    """Packed by compressed-tensors from its own random quants, and unpacked with scales in f32."""
    args = QuantizationArgs(**weights)
    scheme = QuantizationScheme(targets=["Linear"], weights=args)
    half = 1 << (args.num_bits - 1)
    if args.type == "float":
        q = floats8()
    else:
        q = torch.tensor(rng.integers(-half, half, (ROWS, cols)), dtype=torch.int8)
    parts = {"weight_scale": scale}
    compressor = BaseCompressor.get_value_from_registry(form)
    if form == "pack-quantized":
        from compressed_tensors.compressors.pack_quantized.helpers import pack_to_int32
        parts["weight_packed"] = pack_to_int32(q, args.num_bits)
        parts["weight_shape"] = torch.tensor([ROWS, cols])
        if zero is not None:
            parts["weight_zero_point"] = pack_to_int32(zero, args.num_bits, packed_dim=0)
    else:
        parts["weight"] = q
        if zero is not None:
            parts["weight_zero_point"] = zero
    wide = dict(parts, weight_scale=scale.float())
    values = compressor.decompress(wide, scheme)["weight"].numpy()
    config = dict(quant_method="compressed-tensors", format=form, quantization_status="compressed", ignore=["lm_head"],
                  config_groups={"group_0": dict(targets=["Linear"], weights=weights, input_activations=None)})
    case(name, config, read_as, dict(parts, **extra), values)


int8 = lambda low, high, *shape: torch.tensor(rng.integers(low, high, shape), dtype=torch.int8)
group = lambda bits, size, **more: dict(num_bits=bits, type="int", strategy="group", group_size=size,
                                        symmetric=True, dynamic=False, **more)
compressed("packed-32", "pack-quantized", "Q4_0", group(4, 32), halves(ROWS, 3, dtype=torch.bfloat16))
compressed("packed-64", "pack-quantized", "Q4_0", group(4, 64), halves(ROWS, 2), cols=128)
compressed("packed-zeros", "pack-quantized", "Q5_0", dict(group(4, 32), symmetric=False), halves(ROWS, 3),
           int8(-8, 8, ROWS, 3))
compressed("packed-8", "pack-quantized", "Q8_0", dict(num_bits=8, type="int", strategy="channel", symmetric=True),
           halves(ROWS, 1, dtype=torch.float32))
compressed("packed-odd-group", "pack-quantized", "F32", group(4, 48), halves(ROWS, 2))
fine = halves(ROWS, 3, dtype=torch.bfloat16)
fine[3, 1] = 1.0078125 * 2.0**-20
compressed("packed-fine", "pack-quantized", "F32", group(4, 32), fine)
compressed("int8", "int-quantized", "Q8_0", dict(num_bits=8, type="int", strategy="channel", symmetric=True),
           halves(ROWS, 1, dtype=torch.bfloat16))
compressed("int8-zeros", "int-quantized", "F32", dict(num_bits=8, type="int", strategy="channel", symmetric=False),
           halves(ROWS, 1), int8(-128, 128, ROWS, 1))
compressed("float-tensor", "float-quantized", "F32", dict(num_bits=8, type="float", strategy="tensor", symmetric=True),
           torch.tensor([0.0011]).to(torch.bfloat16), extra={"input_scale": torch.tensor([0.25])})
compressed("float-rows", "float-quantized", "F32", dict(num_bits=8, type="float", strategy="channel", symmetric=True),
           halves(ROWS, 1, dtype=torch.bfloat16))

# Columns in the order of activations: group(c) is what g_idx says.
q, s = rng.integers(-8, 8, (ROWS, COLS)), halves(ROWS, 3)
order = rng.permutation(np.repeat(np.arange(3), 32)).astype(np.int32)
from compressed_tensors.compressors.pack_quantized.helpers import pack_to_int32
packed = pack_to_int32(torch.tensor(q, dtype=torch.int8), 4)
config = dict(quant_method="compressed-tensors", format="pack-quantized",
              config_groups={"group_0": dict(targets=["Linear"], weights=group(4, 32, actorder="group"))})
case("packed-order", config, "F32",
     {"weight_packed": packed, "weight_shape": torch.tensor([ROWS, COLS]), "weight_scale": s,
      "weight_g_idx": torch.tensor(order)}, q * s.float().numpy()[:, order])


# ---- AWQ and GPTQ: [columns, rows] in the file ----

def words(q, bits, axis):
    """Packs along an axis, lowest bits first."""
    q = np.moveaxis(q.astype(np.uint32), axis, -1)
    n = 32 // bits
    q = q.reshape(*q.shape[:-1], -1, n) << (np.arange(n, dtype=np.uint32) * bits)
    return torch.tensor(np.moveaxis(np.bitwise_or.reduce(q, -1), -1, axis).view(np.int32).copy())


def groups_of(x, size, cols=COLS):
    return np.repeat(x, size, 0)[:cols]


AWQ_ORDER = np.array([0, 2, 4, 6, 1, 3, 5, 7])
mixed = lambda q: q.reshape(q.shape[0], -1, 8)[:, :, AWQ_ORDER].reshape(q.shape)
for name, size, zeros in ("awq-64", 64, None), ("awq-middle", 32, 8):
    n = -(-COLS // size)
    q, s = rng.integers(0, 16, (COLS, ROWS)), halves(n, ROWS)
    z = rng.integers(0, 16, (n, ROWS)) if zeros is None else np.full((n, ROWS), zeros)
    case(name, dict(quant_method="awq", bits=4, group_size=size, zero_point=True, version="gemm",
                    modules_to_not_convert=None), "Q5_0" if zeros is None else "Q4_0",
         {"qweight": words(mixed(q), 4, 1), "qzeros": words(mixed(z), 4, 1), "scales": s},
         ((q - groups_of(z, size)) * groups_of(s.float().numpy(), size)).T)


def gptq(name, read_as, bits, size, version, zeros=None, order=None, **more):
    n = -(-COLS // size) if size > 0 else 1
    q, s = rng.integers(0, 1 << bits, (COLS, ROWS)), halves(n, ROWS)
    z = np.full((n, ROWS), 1 << (bits - 1)) if zeros is None else zeros
    if version == 1: # as GPTQModel does: whole words
        stored = words(z, bits, 1) - (0x11111111 if bits == 4 else 0x01010101)
    else:
        stored = words(z, bits, 1)
    index = np.arange(COLS) // (size if size > 0 else COLS) if order is None else order
    config = dict(quant_method="gptq", bits=bits, group_size=size, sym=zeros is None, desc_act=order is not None,
                  checkpoint_format="gptq" if version == 1 else "gptq_v2", **more)
    case(name, config, read_as, {"qweight": words(q, bits, 0), "qzeros": stored, "scales": s,
                                 "g_idx": torch.tensor(index.astype(np.int32))},
         ((q - z[index]) * s.float().numpy()[index]).T)


gptq("gptq", "Q4_0", 4, 64, 1)
gptq("gptq-columns", "Q4_0", 4, -1, 1)
gptq("gptq-zeros", "Q5_0", 4, 32, 1, rng.integers(0, 16, (3, ROWS)))
gptq("gptq-v2", "Q5_0", 4, 32, 2, rng.integers(0, 16, (3, ROWS)), dynamic={"-:.*router.*": {}})
gptq("gptq-8", "Q8_0", 8, 32, 1)
gptq("gptq-8-zeros", "F32", 8, 32, 2, rng.integers(0, 256, (3, ROWS)))
gptq("gptq-order", "F32", 4, 32, 1, order=rng.permutation(np.repeat(np.arange(3), 32)))

with open(os.path.join(HERE, "cases.json"), "w") as f:
    f.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
print(len(cases), "cases")
