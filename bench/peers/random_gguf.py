#!/usr/bin/env python3
"""random_gguf.py - a GGUF file of a dense Qwen3 shape with arbitrary Q4_0 weights, for peers.

    bench/peers/random_gguf.py bench/shapes/qwen3-0.6b.json FILE.gguf

Speed does not depend on what weights are. The file has no tokenizer ("no_vocab"), so that only
programs that need no text can use it, such as llama-bench. Python's standard library is enough.
"""

import json
import random
import struct
import sys

ALIGNMENT, QK, F32, Q4_0 = 32, 32, 0, 2
U32, FLOAT, TEXT = 4, 6, 8


def text(value):
    return struct.pack("<Q", len(value)) + value.encode()


def entry(key, kind, value):
    body = text(value) if kind == TEXT else struct.pack("<I" if kind == U32 else "<f", value)
    return text(key) + struct.pack("<I", kind) + body


def entries(shape):
    heads = {"block_count": shape["num_hidden_layers"], "embedding_length": shape["hidden_size"],
             "context_length": shape["max_position_embeddings"],
             "feed_forward_length": shape["intermediate_size"],
             "attention.head_count": shape["num_attention_heads"],
             "attention.head_count_kv": shape["num_key_value_heads"],
             "attention.key_length": shape["head_dim"], "attention.value_length": shape["head_dim"],
             "vocab_size": shape["vocab_size"]}
    yield entry("general.architecture", TEXT, "qwen3")
    yield entry("general.name", TEXT, "arbitrary weights")
    yield entry("general.file_type", U32, 2)
    yield entry("tokenizer.ggml.model", TEXT, "no_vocab")
    for key, value in heads.items():
        yield entry(f"qwen3.{key}", U32, value)
    yield entry("qwen3.rope.freq_base", FLOAT, shape["rope_theta"])
    yield entry("qwen3.attention.layer_norm_rms_epsilon", FLOAT, shape["rms_norm_eps"])


def tensors(shape):
    """(name, columns, rows); rows 0: a vector of F32."""
    h, d, f = shape["hidden_size"], shape["head_dim"], shape["intermediate_size"]
    q, kv = shape["num_attention_heads"] * d, shape["num_key_value_heads"] * d
    yield "token_embd.weight", h, shape["vocab_size"]
    for layer in range(shape["num_hidden_layers"]):
        for name, columns, rows in (
                ("attn_norm", h, 0), ("attn_q", h, q), ("attn_k", h, kv), ("attn_v", h, kv),
                ("attn_q_norm", d, 0), ("attn_k_norm", d, 0), ("attn_output", q, h),
                ("ffn_norm", h, 0), ("ffn_gate", h, f), ("ffn_up", h, f), ("ffn_down", f, h)):
            yield f"blk.{layer}.{name}.weight", columns, rows
    yield "output_norm.weight", h, 0
    if not shape.get("tie_word_embeddings"):
        yield "output.weight", h, shape["vocab_size"]


def size(columns, rows):
    return columns * 4 if rows == 0 else columns * rows // QK * 18


def aligned(n):
    return (n + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT


def table(shape):
    offset = 0
    for name, columns, rows in tensors(shape):
        sizes = [columns] if rows == 0 else [columns, rows]
        yield (text(name) + struct.pack(f"<I{len(sizes)}Q", len(sizes), *sizes) +
               struct.pack("<IQ", F32 if rows == 0 else Q4_0, offset))
        offset += aligned(size(columns, rows))


def blocks(columns, rows, generator):
    """Scales of 1/128, and arbitrary quants; a row repeats after many."""
    some = b"".join(b"\x00\x20" + generator.randbytes(16) for _ in range(columns // QK * 64))
    whole, rest = divmod(size(columns, rows), len(some))
    for _ in range(whole):
        yield some
    yield some[:rest]


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: random_gguf.py SHAPE.json FILE.gguf")
    with open(sys.argv[1], encoding="utf-8") as f:
        shape = json.load(f)
    if shape["architectures"] != ["Qwen3ForCausalLM"]:
        sys.exit(f"random_gguf.py: {sys.argv[1]} is no dense Qwen3")
    generator = random.Random(1)
    heads, named = list(entries(shape)), list(table(shape))
    with open(sys.argv[2], "wb") as out:
        out.write(b"GGUF" + struct.pack("<IQQ", 3, len(named), len(heads)))
        out.write(b"".join(heads) + b"".join(named))
        out.write(b"\0" * (aligned(out.tell()) - out.tell()))
        for _, columns, rows in tensors(shape):
            if rows == 0:
                out.write(struct.pack("<f", 1.0) * columns)
            else:
                out.writelines(blocks(columns, rows, generator))
            out.write(b"\0" * (aligned(out.tell()) - out.tell()))


main()
