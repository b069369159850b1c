#!/usr/bin/env python3
"""make_gguf.py - makes the GGUF files of this folder, bit for bit as make_golden.py made them, so that the repository
need not hold them.

    make_gguf.py [NAME.gguf ...]       all, without names
    make_gguf.py --heads               writes heads/NAME from files that are there

heads/NAME is what cannot be computed: the file up to its tensors. The tensors of most are those of the folder beside, in
other types. Those of NAME-blocks.gguf are random bytes of numpy's generator; of them, the head is followed by all F32
tensors, and by the scales of the blocks of each matrix.

Standard library only; the same bytes on every Python 3.
"""
import array
import json
import math
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
F32, F16, Q4_0, Q4_1, Q8_0, BF16 = 0, 1, 2, 3, 8, 30
ALIGN = 32
# Of the types of random blocks: their number, elements and bytes of a block, and where the bytes of its scales are.
BLOCKS = [("Q4_K", 12, 256, 144, range(0, 4)), ("Q6_K", 14, 256, 210, range(208, 210)), ("Q5_0", 6, 32, 22, range(0, 2)),
          ("Q5_K", 13, 256, 176, range(0, 4)), ("IQ4_XS", 23, 256, 136, range(0, 2)), ("Q5_1", 7, 32, 24, range(0, 4)),
          ("Q3_K", 11, 256, 110, range(108, 110)), ("MXFP4", 39, 32, 17, range(0, 1)), ("Q2_K", 10, 256, 84, range(80, 84)),
          ("IQ4_NL", 20, 32, 18, range(0, 2))]
SIZES = {1: 4, 0: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
U64 = (1 << 64) - 1
U128 = (1 << 128) - 1
U32 = (1 << 32) - 1


# ---- GGUF's header ----

class Head:
    """The header's tensors as (name, dimensions, type, offset), and where their data begins."""

    def __init__(self, data):
        self.data, self.at = data, 8
        n_tensors, n_pairs = self.take("<QQ")
        for _ in range(n_pairs):
            self.text()
            self.skip(*self.take("<I"))
        self.tensors = []
        for _ in range(n_tensors):
            name = self.text()
            dims = self.take(f"<{self.take('<I')[0]}Q")
            self.tensors.append((name, dims, *self.take("<IQ")))
        self.end = (self.at + ALIGN - 1) // ALIGN * ALIGN

    def take(self, form):
        values = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return values

    def text(self):
        n = self.take("<Q")[0]
        self.at += n
        return self.data[self.at - n:self.at].decode()

    def skip(self, kind):
        if kind == 8:
            self.text()
        elif kind == 9:
            of, n = self.take("<IQ")
            for _ in range(n):
                self.skip(of)
        else:
            self.at += SIZES[kind]


def size_of(dims, kind):
    elements, per_block, block_bytes = math.prod(dims), 1, 4
    for _, number, per_block, block_bytes, _ in BLOCKS:
        if number == kind:
            return elements // per_block * block_bytes
    per_block, block_bytes = {F32: (1, 4), F16: (1, 2), BF16: (1, 2), Q4_0: (32, 18), Q4_1: (32, 20), Q8_0: (32, 34)}[kind]
    return elements // per_block * block_bytes


# ---- Quantizing as gguf-py does, in single precision ----

def singles(values):
    return array.array("f", values)


def single(x):
    return singles([x])[0]


def half(x):
    return struct.pack("<e", x)


def by_blocks(x, quantize):
    return b"".join(quantize(x[at:at + 32]) for at in range(0, len(x), 32))


def nibbles(q):
    return bytes(q[i] | q[i + 16] << 4 for i in range(16))


def q8_0(b):
    d = single(max(map(abs, b)) / 127)
    inverse = single(1 / d) if d != 0 else 0.0
    y = singles([v * inverse for v in b])
    q = [math.floor(abs(v)) for v in y]
    q = [n + math.floor(2 * (abs(v) - n)) for n, v in zip(q, y)]  # both exact
    return half(d) + struct.pack("32b", *(n if v >= 0 else -n for n, v in zip(q, y)))


def q4_0(b):
    d = single(max(b, key=abs) / -8)
    inverse = single(1 / d) if d != 0 else 0.0
    return half(d) + nibbles(
        [max(0, min(15, int(v))) for v in singles([v + 8.5 for v in singles([v * inverse for v in b])])])


def q4_1(b):
    least = min(b)
    d = single(single(max(b) - least) / 15)
    inverse = single(1 / d) if d != 0 else 0.0
    return half(d) + half(least) + nibbles(
        [max(0, min(15, int(v))) for v in singles([v + 0.5 for v in singles([v * inverse for v in singles([v - least for v in b])])])])


def bf16(x):
    bits = array.array("I", singles(x).tobytes())
    return array.array("H", [(b + 0x7FFF + (b >> 16 & 1)) >> 16 for b in bits]).tobytes()


CONVERT = {F32: lambda x: singles(x).tobytes(), F16: lambda x: struct.pack(f"<{len(x)}e", *x), BF16: bf16,
           Q8_0: lambda x: by_blocks(x, q8_0), Q4_0: lambda x: by_blocks(x, q4_0), Q4_1: lambda x: by_blocks(x, q4_1)}


# ---- The tensors of a folder ----

HF = {"token_embd": "embed_tokens", "output_norm": "norm", "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
      "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm", "attn_q": "self_attn.q_proj",
      "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj",
      "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj", "ffn_gate_inp": "mlp.gate"}


def read_folder(path):
    """name: values, as a list or array of floats."""
    out = {}
    for name in sorted(os.listdir(path)):
        if not name.endswith(".safetensors"):
            continue
        with open(os.path.join(path, name), "rb") as f:
            header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
            data = f.read()
        for tensor, v in header.items():
            if tensor == "__metadata__":
                continue
            raw = data[slice(*v["data_offsets"])]
            if v["dtype"] == "BF16":
                raw = array.array("I", [h << 16 for h in array.array("H", raw)]).tobytes()
            out[tensor] = struct.unpack(f"<{len(raw) // 2}e", raw) if v["dtype"] == "F16" else array.array("f", raw)
    return out


def pairs(x, heads, cols):
    """Rows of each head from halves to pairs: GGUF's llama turns neighbours."""
    dim = len(x) // cols // heads
    rows = [h * dim + i + half_ * dim // 2 for h in range(heads) for i in range(dim // 2) for half_ in range(2)]
    return [v for r in rows for v in x[r * cols:(r + 1) * cols]]


def values_of(name, dims, folder, config):
    parts = name.split(".")
    layer = f"model.layers.{parts[1]}." if parts[0] == "blk" else "model."
    stem, kind = parts[-2], parts[-1]
    if stem == "output":
        return folder["lm_head.weight"]
    if stem.endswith("_exps"):
        of = f"{layer}mlp.experts.%d.{stem[4:-5]}_proj.weight"
        return [v for e in range(dims[2]) for v in folder[of % e]]
    x = folder[f"{layer}{HF[stem]}.{kind}"]
    if config["model_type"] == "llama" and stem in ("attn_q", "attn_k"):
        return pairs(x, config["num_attention_heads" if stem == "attn_q" else "num_key_value_heads"], dims[0])
    return x


def from_folder(head, name):
    path = os.path.join(HERE, name.rsplit("-", 1)[0])
    folder = read_folder(path)
    with open(os.path.join(path, "config.json"), encoding="utf-8") as f:
        config = json.load(f)
    return [CONVERT[kind](values_of(tensor, dims, folder, config)) for tensor, dims, kind, _ in head.tensors]


# ---- Random blocks: numpy.random.default_rng(seed), which is PCG64 (O'Neill 2014) seeded by SeedSequence ----

def seed_state(seed):
    hashed = 0x43B0D7E5

    def mixed(value):
        nonlocal hashed
        value ^= hashed
        hashed = hashed * 0x931E8875 & U32
        value = value * hashed & U32
        return value ^ value >> 16

    pool = [mixed(v) for v in (seed, 0, 0, 0)]
    for source in range(4):
        for to in range(4):
            if to != source:
                v = (0xCA01F9DD * pool[to] - 0x4973F715 * mixed(pool[source])) & U32
                pool[to] = v ^ v >> 16
    out, hashed = [], 0x8B51F9DD
    for i in range(8):
        v = pool[i % 4] ^ hashed
        hashed = hashed * 0x58F38DED & U32
        v = v * hashed & U32
        out.append(v ^ v >> 16)
    return [out[i] | out[i + 1] << 32 for i in range(0, 8, 2)]


def random_bytes(seed, n):
    words, factor = seed_state(seed), 0x2360ED051FC65DA44385DF649FCCF645
    step = (words[2] << 64 | words[3]) << 1 & U128 | 1
    state = ((step + (words[0] << 64 | words[1])) * factor + step) & U128
    out = []
    for _ in range((n + 7) // 8):
        state = (state * factor + step) & U128
        v, turn = (state >> 64 ^ state) & U64, state >> 122
        out.append((v >> turn | v << (64 - turn)) & U64)
    return struct.pack(f"<{len(out)}Q", *out)[:n]


def matrices_of(head):
    """(tensor's number, seed, type) of each matrix: a layer's experts' up takes the fifth seed after their gate's."""
    seed = 0
    for i, (name, _, kind, _) in enumerate(head.tensors):
        if kind == F32:
            continue
        up = ".ffn_up_exps." in name
        used = seed - 1 + 5 if up else seed
        seed += not up
        yield i, used, BLOCKS[used % len(BLOCKS)]


def random_blocks(head, rest):
    out = []
    for _, dims, kind, _ in head.tensors:
        n = size_of(dims, kind) if kind == F32 else 0
        out.append(rest[:n])
        rest = rest[n:]
    for i, seed, (_, _, _, block, scales) in matrices_of(head):
        _, dims, kind, _ = head.tensors[i]
        data = bytearray(random_bytes(seed, size_of(dims, kind)))
        for k, at in enumerate(scales):
            data[at::block] = rest[k:k + 1] * (len(data) // block)
        rest = rest[len(scales):]
        out[i] = bytes(data)
    return out


# ---- Files ----

def make(name):
    with open(os.path.join(HERE, "heads", name), "rb") as f:
        data = f.read()
    head = Head(data)
    tensors = random_blocks(head, data[head.end:]) if name.endswith("-blocks") else from_folder(head, name)
    with open(os.path.join(HERE, name + ".gguf.new"), "wb") as f:
        f.write(data[:head.end])
        for (_, _, _, offset), values in zip(head.tensors, tensors):
            f.write(bytes(head.end + offset - f.tell()) + values)
        f.write(bytes(-f.tell() % ALIGN))
    os.replace(os.path.join(HERE, name + ".gguf.new"), os.path.join(HERE, name + ".gguf"))


def write_head(name):
    with open(os.path.join(HERE, name + ".gguf"), "rb") as f:
        data = f.read()
    head = Head(data)
    out = data[:head.end]
    if name.endswith("-blocks"):
        for _, dims, kind, offset in head.tensors:
            out += data[head.end + offset:][:size_of(dims, kind)] if kind == F32 else b""
        for i, _, (_, number, _, _, scales) in matrices_of(head):
            at = head.end + head.tensors[i][3]
            assert head.tensors[i][2] == number, head.tensors[i]
            out += bytes(data[at + k] for k in scales)
    os.makedirs(os.path.join(HERE, "heads"), exist_ok=True)
    with open(os.path.join(HERE, "heads", name), "wb") as f:
        f.write(out)


def main():
    if sys.argv[1:] == ["--heads"]:
        for each in sorted(os.listdir(HERE)):
            if each.endswith(".gguf"):
                write_head(each[:-5])
        return
    for each in sys.argv[1:] or sorted(os.listdir(os.path.join(HERE, "heads"))):
        make(os.path.basename(each).removesuffix(".gguf"))


main()
