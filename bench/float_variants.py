#!/usr/bin/env python3
"""Makes float checkpoints to measure quantizers with, from a GGUF of SmolLM2 (a Llama whose matrices are
all Q4_1, except the embedding).

    float_variants.py models/SmolLM2-135M-Instruct.Q4_1.gguf OUT

writes Hugging Face folders in float32 under OUT:
    grid      the GGUF's own numbers: they lie on 4-bit grids
    folded    the same function off the grid: norms folded into the matrices that follow, channels between v and o, and between up and
              down, scaled by random factors whose inverses stand on the other side
    rotated   folded, and the residual stream turned by a random orthogonal matrix (QuaRot, arXiv 2404.00456)
    *-q4_0, *-q4_1   each with the matrices of its layers rounded to nearest by gguf-py, and widened again: --quant w4 finds these grids
and the tokenizer, from tests/models/smollm2-tokenizer. Needs numpy, gguf, safetensors, and the zstd program.
"""
import json
import os
import subprocess
import sys

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, quants
from safetensors.numpy import save_file

NORMS = {"an": ("attn_norm", "input_layernorm"), "fn": ("ffn_norm", "post_attention_layernorm")}
MATRICES = {"q": ("attn_q", "self_attn.q_proj"), "k": ("attn_k", "self_attn.k_proj"), "v": ("attn_v", "self_attn.v_proj"),
            "o": ("attn_output", "self_attn.o_proj"), "g": ("ffn_gate", "mlp.gate_proj"), "u": ("ffn_up", "mlp.up_proj"),
            "d": ("ffn_down", "mlp.down_proj")}


class Model:
    """Hyperparameters as config.json wants them, and tensors: w["q"][layer]..., embed, norm, head (None: tied)."""

    def __init__(self, path):
        reader = GGUFReader(path)
        value = lambda key: reader.fields["llama." + key].parts[reader.fields["llama." + key].data[0]].tolist()[0]
        tensors = {t.name: quants.dequantize(t.data, t.tensor_type).astype(np.float64).reshape(t.shape[::-1].tolist())
                   for t in reader.tensors}
        self.layers, self.hidden, self.ffn = value("block_count"), value("embedding_length"), value("feed_forward_length")
        self.heads, self.kv_heads = value("attention.head_count"), value("attention.head_count_kv")
        self.head_dim = self.hidden // self.heads
        self.embed, self.norm, self.head = tensors["token_embd.weight"], tensors["output_norm.weight"], None
        self.w = {k: [tensors[f"blk.{i}.{name}.weight"] for i in range(self.layers)]
                  for k, (name, _) in (NORMS | MATRICES).items()}
        self.w["q"] = [self.halves(w, self.heads) for w in self.w["q"]]
        self.w["k"] = [self.halves(w, self.kv_heads) for w in self.w["k"]]
        self.config = dict(
            architectures=["LlamaForCausalLM"], model_type="llama", hidden_size=self.hidden, intermediate_size=self.ffn,
            num_hidden_layers=self.layers, num_attention_heads=self.heads, num_key_value_heads=self.kv_heads,
            head_dim=self.head_dim, rms_norm_eps=value("attention.layer_norm_rms_epsilon"), rope_theta=value("rope.freq_base"),
            max_position_embeddings=value("context_length"), vocab_size=self.embed.shape[0], hidden_act="silu",
            torch_dtype="float32", bos_token_id=1, eos_token_id=2)

    @staticmethod
    def halves(w, heads):
        """GGUF's rows of rotary pairs side by side -> Hugging Face's, half a head apart."""
        return w.reshape(heads, w.shape[0] // heads // 2, 2, -1).swapaxes(1, 2).reshape(w.shape)

    def save(self, folder, matrices=None):
        w = matrices or self.w
        tensors = {"model.embed_tokens.weight": self.embed, "model.norm.weight": self.norm}
        if self.head is not None:
            tensors["lm_head.weight"] = self.head
        for k, (_, name) in (NORMS | MATRICES).items():
            for i in range(self.layers):
                tensors[f"model.layers.{i}.{name}.weight"] = w[k][i]
        os.makedirs(folder, exist_ok=True)
        save_file({k: np.ascontiguousarray(t, dtype=np.float32) for k, t in tensors.items()}, folder + "/model.safetensors",
                  metadata={"format": "pt"})
        with open(folder + "/config.json", "w") as f:
            json.dump(self.config | {"tie_word_embeddings": self.head is None}, f, indent=1)
        subprocess.run(["zstd", "-dqf", "tests/models/smollm2-tokenizer/tokenizer.json.zst", "-o", folder + "/tokenizer.json"],
                       check=True)

    def save_rounded(self, folder, kind):
        rounded = lambda w: quants.dequantize(quants.quantize(w.astype(np.float32), kind), kind).reshape(w.shape)
        self.save(folder, self.w | {k: [rounded(w) for w in self.w[k]] for k in MATRICES})

    def fold(self, rng):
        w, group = self.w, self.heads // self.kv_heads
        self.head, self.norm = self.embed * self.norm, np.ones(self.hidden)
        for i in range(self.layers):
            for norm, readers in (("an", "qkv"), ("fn", "gu")):
                for k in readers:
                    w[k][i] = w[k][i] * w[norm][i]
                w[norm][i] = np.ones(self.hidden)
            s = np.exp(0.3 * rng.standard_normal(self.ffn))
            w["u"][i], w["d"][i] = w["u"][i] * s[:, None], w["d"][i] / s
            s = np.exp(0.3 * rng.standard_normal((self.kv_heads, self.head_dim)))
            w["v"][i] = w["v"][i] * s.reshape(-1, 1)
            w["o"][i] = w["o"][i] / np.repeat(s[:, None], group, axis=1).reshape(-1)

    def rotate(self, rng):
        turn = np.linalg.qr(rng.standard_normal((self.hidden, self.hidden)))[0]
        self.embed, self.head = self.embed @ turn, self.head @ turn
        for k in "qkvgu":
            self.w[k] = [w @ turn for w in self.w[k]]
        for k in "od":
            self.w[k] = [turn.T @ w for w in self.w[k]]


def main():
    path, out = sys.argv[1:]
    model, rng = Model(path), np.random.default_rng(1)
    for name, change in (("grid", None), ("folded", model.fold), ("rotated", model.rotate)):
        if change:
            change(rng)
        model.save(f"{out}/{name}")
        for kind in ("Q4_0", "Q4_1"):
            model.save_rounded(f"{out}/{name}-{kind.lower()}", GGMLQuantizationType[kind])


main()
