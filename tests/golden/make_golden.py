#!/usr/bin/env python3
"""Makes the tiny random checkpoints of this folder, and what Transformers computes for them in float32.

usage: make_golden.py [--out DIR] [CASE ...]        all cases without arguments; README.md describes the files
The repository has the safetensors files packed: make_weights.c, which knows fill() too.
A case rope-... is a reference only: what a checkpoint that is there says with its RoPE scaled otherwise.
Needs torch, transformers (5 or later), gguf and numpy. The same versions give the same files.
"""
import argparse, json, math, pathlib, shutil, tempfile
import numpy as np, torch, transformers, gguf
import forward64

# Gaps between the best and second-best logit along the greedy continuation must be wider than this,
# which is far above the noise of any float32 sum. A seed that gives less is skipped.
LEAST_MARGIN = 0.02
GREEDY_PREFIX, GREEDY_TOKENS = 100, 48
ROPE = {  # in the keys of Transformers 5; each theta stands in its case
    "yarn": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 160},
    "llama3": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
               "original_max_position_embeddings": 512},
    "linear": {"rope_type": "linear", "factor": 2.5},
    "plain": {"rope_type": "default"}}


def case(arch, heads, kv, head_dim, hidden, ffn, vocab, layers, tied, dtype, style, *, n_ids=400, theta=1e4, rope="plain",
         ctx=2048, shard=None, seed=1, old_type_key=False, gguf=None, experts=None, folder=True):
    return dict(locals())


# style: which Transformers wrote config.json, 4 or 5 (other_config.json says the same in the other style).
# gguf: file name suffix -> type of each matrix (norms and routers are always F32). experts: of a layer, of a token, their ffn, whether weights are
# normalized, layers without them. folder: whether the checkpoint is kept beside the GGUF files. seed: where the search for clear margins starts.
CASES = {
    "qwen2-bias": case("qwen2", 6, 2, 16, 96, 224, 503, 3, True, "bfloat16", 4, theta=1e6, gguf={"q8_0": "Q8_0"}),
    "qwen3-gqa1": case("qwen3", 4, 4, 16, 72, 200, 503, 3, True, "float32", 4, theta=1e6, seed=2),
    "qwen3-gqa4": case("qwen3", 16, 4, 16, 96, 224, 512, 3, False, "bfloat16", 5, theta=1e6, n_ids=1100, shard="300KB", seed=23,
                       gguf={"f16": "F16", "q4_0": "Q4_0"}),
    "qwen3-gqa8-yarn": case("qwen3", 32, 4, 16, 64, 160, 640, 3, True, "float16", 4, theta=1e4, n_ids=600, rope="yarn",
                            ctx=640, seed=7, gguf={"mixed": "mixed"}),
    "qwen3-headdim": case("qwen3", 6, 3, 32, 72, 200, 503, 3, False, "float16", 5, theta=1e6, seed=4),
    "qwen3moe-norm": case("qwen3moe", 8, 4, 16, 64, 96, 512, 2, False, "bfloat16", 5, theta=1e6, experts=(8, 3, 64, True, []),
                          gguf={"f16": "F16", "q4_0": "Q4_0"}),
    "qwen3moe-dense": case("qwen3moe", 4, 2, 16, 72, 112, 503, 3, True, "float16", 4, theta=1e6, experts=(6, 2, 40, False, [1])),
    "llama-gqa3": case("llama", 12, 4, 16, 192, 224, 503, 2, False, "bfloat16", 5,
                       seed=136, gguf={"q8_0": "Q8_0", "q4_0": "Q4_0", "q4_1": "Q4_1"}),
    "llama-llama3": case("llama", 8, 4, 16, 128, 160, 503, 2, True, "bfloat16", 4, theta=5e5, rope="llama3", ctx=4096),
    "llama-kquants": case("llama", 8, 4, 32, 256, 512, 503, 2, False, "bfloat16", 5, gguf={"blocks": "blocks"}, folder=False, n_ids=300),
    "qwen3moe-kquants": case("qwen3moe", 8, 2, 32, 256, 256, 503, 1, True, "bfloat16", 5, theta=1e6, experts=(4, 2, 256, True, []),
                             gguf={"blocks": "blocks"}, folder=False, n_ids=300),
    "llama-linear": case("llama", 6, 2, 16, 96, 200, 503, 3, True, "float16", 4, rope="linear", old_type_key=True, seed=3),
}

# RoPE scaling that replaces config.json's: checkpoint, Ithaca's --rope-scaling, and the same for
# Transformers.
SCALED = {
    "rope-yarn": ("qwen3-gqa1", "yarn:4:128", {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128}),
    "rope-linear": ("qwen3-gqa1", "linear:3", {"rope_type": "linear", "factor": 3.0}),
    "rope-none": ("qwen3-gqa8-yarn", "none", {"rope_type": "default"}),
}


# ---- Checkpoints ----

def make_config(c):
    kind = {"qwen2": transformers.Qwen2Config, "qwen3": transformers.Qwen3Config, "qwen3moe": transformers.Qwen3MoeConfig, "llama": transformers.LlamaConfig}[c["arch"]]
    more = {}
    if c["experts"]:
        n, used, ffn, norm, dense = c["experts"]
        more = dict(num_experts=n, num_experts_per_tok=used, moe_intermediate_size=ffn, norm_topk_prob=norm, mlp_only_layers=dense)
    return kind(vocab_size=c["vocab"], hidden_size=c["hidden"], intermediate_size=c["ffn"], num_hidden_layers=c["layers"],
                num_attention_heads=c["heads"], num_key_value_heads=c["kv"], head_dim=c["head_dim"],
                max_position_embeddings=c["ctx"], rms_norm_eps=1e-5 if c["arch"] == "llama" else 1e-6,
                tie_word_embeddings=c["tied"], rope_parameters={"rope_theta": c["theta"], **ROPE[c["rope"]]},
                bos_token_id=c["vocab"] - 3, eos_token_id=c["vocab"] - 1, pad_token_id=None, **more)


def fill(model, c, seed):
    """Random weights that make attention sharp and logits spread: neither is true of the usual 0.02 * N(0, 1)."""
    gen = torch.Generator().manual_seed(seed)
    for name, p in sorted(model.named_parameters()):
        if name.endswith(("q_norm.weight", "k_norm.weight")):
            p.data = 1.0 + 0.8 * torch.rand(p.shape, generator=gen)
        elif name.endswith(".bias"):
            p.data = torch.randn(p.shape, generator=gen)
        elif p.dim() == 1:
            p.data = 0.5 + torch.rand(p.shape, generator=gen)
        else:
            gain = (3.0 if "lm_head" in name or "embed" in name and c["tied"] else 1.3 if "q_proj" in name or "k_proj" in name
                    else 1.5 if "o_proj" in name or "down_proj" in name or "mlp.gate.weight" in name else 1.0)
            scale = 1.0 if "embed" in name and not c["tied"] else gain / math.sqrt(p.shape[-1])
            p.data = scale * torch.randn(p.shape, generator=gen)


def restyle(config, style, c):
    """config.json (as Transformers 5 writes it) in the given style."""
    out = dict(config)
    if style == 5:
        return out
    rope = dict(out.pop("rope_parameters"))
    out["rope_theta"] = rope.pop("rope_theta")
    if rope["rope_type"] == "default":
        rope = None
    elif c["old_type_key"]:
        rope = {"type": rope.pop("rope_type"), **rope}
    out["rope_scaling"] = rope
    out["torch_dtype"] = out.pop("dtype")
    if "num_local_experts" in out:
        out["num_experts"] = out.pop("num_local_experts")
    if c["arch"] in ("llama", "qwen2") and c["head_dim"] * c["heads"] == c["hidden"]:
        out.pop("head_dim")  # older files leave it to be hidden_size / num_attention_heads
    out.pop("layer_types", None)
    out["transformers_version"] = "4.51.0"
    return out


def dump_config(path, config):
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def save(c, seed, folder):
    model = transformers.AutoModelForCausalLM.from_config(make_config(c), dtype=torch.float32)
    fill(model, c, seed)
    shutil.rmtree(folder, ignore_errors=True)
    model.to(getattr(torch, c["dtype"])).save_pretrained(folder, max_shard_size=c["shard"] or "1GB")
    config = json.loads((folder / "config.json").read_text())
    dump_config(folder / "config.json", restyle(config, c["style"], c))
    dump_config(folder / "other_config.json", restyle(config, 9 - c["style"], c))
    for f in folder.iterdir():
        f.chmod(0o644)


def load(folder, rope=None):
    """In float32 from the file: a model cast to bf16 and back would keep rounded RoPE frequencies."""
    config = transformers.AutoConfig.from_pretrained(folder)
    if rope is not None:
        config.rope_parameters = {"rope_theta": config.rope_parameters["rope_theta"], **rope}
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, config=config, dtype=torch.float32, attn_implementation="eager",
                                                              **({"experts_implementation": "eager"} if hasattr(config, "num_experts") else {}))
    return model.eval()


def check_other_style(folder, ids, logits):
    with tempfile.TemporaryDirectory() as tmp:
        for f in folder.iterdir():
            if f.name != "config.json":
                (pathlib.Path(tmp) / ("config.json" if f.name == "other_config.json" else f.name)).symlink_to(f.resolve())
        if not torch.equal(run(load(tmp), ids), logits):
            raise SystemExit(f"{folder}: config.json and other_config.json give different logits")


# ---- References ----

def run(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids]), use_cache=False).logits[0]


def greedy(model, ids):
    ids, margins = list(ids), []
    for _ in range(GREEDY_TOKENS):
        best = run(model, ids)[-1].double().topk(2)
        margins.append((best.values[0] - best.values[1]).item())
        ids.append(best.indices[0].item())
    return ids[-GREEDY_TOKENS:], min(margins)


def float64_distance(model, ids, nll, angle_type):
    """The largest difference of `nll` from that of a pass in float64."""
    cfg, rope = model.config, model.model.rotary_emb
    weights = {k: v.numpy() for k, v in model.state_dict().items()}
    head_dim = getattr(cfg, "head_dim", None) or cfg.hidden_size // cfg.num_attention_heads
    logits = forward64.forward(weights, np.array(ids), cfg.num_hidden_layers, head_dim, cfg.rms_norm_eps,
                               rope.inv_freq.numpy(), float(rope.attention_scaling), angle_type,
                               getattr(cfg, "num_experts_per_tok", 0), getattr(cfg, "norm_topk_prob", False))
    return digits(np.abs(forward64.nll(logits, np.array(ids)) - nll).max())


def attention_spread(model, ids):
    """Effective number of keys that the last token reads, exp(entropy): the mean over heads and layers."""
    with torch.no_grad():
        maps = model(torch.tensor([ids]), use_cache=False, output_attentions=True).attentions
    p = torch.stack([m[0, :, -1] for m in maps]).double()
    return (-(p * p.clamp_min(1e-300).log()).sum(-1)).exp().mean().item()


def digits(x):
    return float(f"{x:.9g}")


def reference(model, ids):
    logits = run(model, ids)
    logp = torch.log_softmax(logits.double(), dim=-1)
    nll = -logp[torch.arange(len(ids) - 1), torch.tensor(ids[1:])]
    top = logits[-1].topk(10)
    greedy_ids, margin = greedy(model, ids[:GREEDY_PREFIX])
    return {"transformers": transformers.__version__, "torch": torch.__version__.split("+")[0],
            "n_vocab": model.config.vocab_size, "ids": ids, "nll": [digits(x) for x in nll.tolist()],
            "mean_nll": digits(nll.mean().item()),
            "top": [{"id": i, "logit": digits(z), "logprob": digits(logp[-1, i].item())}
                    for i, z in zip(top.indices.tolist(), top.values.tolist())],
            "greedy_prefix": GREEDY_PREFIX, "greedy_ids": greedy_ids, "greedy_margin": digits(margin),
            "logit_std": digits(logits.double().std().item()), "attention_spread": digits(attention_spread(model, ids)),
            "f64_distance": float64_distance(model, ids, nll.numpy(), np.float32),
            "f64_angles_distance": float64_distance(model, ids, nll.numpy(), np.float64)}


def write_reference(path, ref):
    lines = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in ref.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


# ---- GGUF ----

NAMES = {"embed_tokens": "token_embd", "norm": "output_norm", "lm_head": "output", "input_layernorm": "attn_norm",
         "post_attention_layernorm": "ffn_norm", "q_norm": "attn_q_norm", "k_norm": "attn_k_norm", "q_proj": "attn_q",
         "k_proj": "attn_k", "v_proj": "attn_v", "o_proj": "attn_output", "gate_proj": "ffn_gate", "up_proj": "ffn_up",
         "down_proj": "ffn_down", "gate": "ffn_gate_inp"}
MIXED = ["F32", "BF16", "F16", "Q8_0", "Q4_0", "Q4_1"]
# Types that gguf-py does not quantize, or not all: random blocks. Where a block has d and m, the deviation of its elements if d
# is 1, and the m / d that makes their mean 0.
BLOCKS = {"Q4_K": ([0, 2], 259, 7.5), "Q6_K": ([208], 1364, 0), "Q5_0": ([0], 9.23, 0), "Q5_K": ([0, 2], 524, 15.5),
          "IQ4_XS": ([0], 1245, 0), "Q5_1": ([0, 2], 9.23, -15.5), "Q3_K": ([108], 43.3, 0), "MXFP4": ([], 5.84, 0),
          "Q2_K": ([80, 82], 13.9, 1.5), "IQ4_NL": ([0], 67.2, 0)}


def gguf_name(name):
    parts = name.split(".")
    return (f"blk.{parts[2]}." if parts[1] == "layers" else "") + f"{NAMES[parts[-2]]}.{parts[-1]}"


def interleave(x, heads):
    """Rows of each head from halves (i, i + d/2) to pairs: what GGUF's llama stores, whose RoPE turns neighbours."""
    return x.reshape(heads, 2, -1, x.shape[1]).swapaxes(1, 2).reshape(x.shape)


def deinterleave(x, heads):
    return x.reshape(heads, -1, 2, x.shape[1]).swapaxes(1, 2).reshape(x.shape)


def write_vocab(w, n):
    """Byte-level BPE: 256 bytes, pairs of letters with their merges, three special tokens at the end."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    pairs = [(a, b) for a in "abcdefghijklmnopqrstuvwxyz" for b in "abcdefghijklmnopqrstuvwxyz"][:n - 259]
    tokens = [chr(b) for b in printable] + [chr(256 + i) for i in range(len(others))] + [a + b for a, b in pairs]
    w.add_tokenizer_model("gpt2")
    w.add_token_list(tokens + ["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    w.add_token_types([1] * len(tokens) + [3] * 3)
    w.add_token_merges([f"{a} {b}" for a, b in pairs])
    w.add_bos_token_id(n - 3); w.add_eos_token_id(n - 1); w.add_add_bos_token(False)


def write_hparams(w, c):
    w.add_name("tiny random model"); w.add_context_length(c["ctx"]); w.add_embedding_length(c["hidden"])
    w.add_block_count(c["layers"]); w.add_feed_forward_length(c["ffn"]); w.add_head_count(c["heads"])
    w.add_head_count_kv(c["kv"]); w.add_key_length(c["head_dim"]); w.add_value_length(c["head_dim"])
    w.add_rope_freq_base(c["theta"]); w.add_layer_norm_rms_eps(1e-5 if c["arch"] == "llama" else 1e-6)
    if c["experts"]:
        w.add_expert_count(c["experts"][0]); w.add_expert_used_count(c["experts"][1])
        w.add_expert_feed_forward_length(c["experts"][2])
    if c["arch"] == "llama":
        w.add_rope_dimension_count(c["head_dim"]); w.add_vocab_size(c["vocab"])
    if c["rope"] == "yarn":
        w.add_rope_scaling_type(gguf.RopeScalingType.YARN); w.add_rope_scaling_factor(ROPE["yarn"]["factor"])
        w.add_rope_scaling_orig_ctx_len(ROPE["yarn"]["original_max_position_embeddings"])


def quantize(x, kind, i):
    """Blocks of tensor i (kind "blocks": matrix i), and their type: those of x, or for kind "blocks" random ones with the deviation of x."""
    if kind != "blocks":
        qt = gguf.GGMLQuantizationType[kind if kind != "mixed" else MIXED[i % len(MIXED)]]
        return gguf.quants.quantize(np.ascontiguousarray(x), qt), qt
    name = list(BLOCKS)[i % len(BLOCKS)]
    qt, (halves, deviation, ratio) = gguf.GGMLQuantizationType[name], BLOCKS[name]
    size, n_bytes = gguf.GGML_QUANT_SIZES[qt]
    blocks = np.random.default_rng(i).integers(0, 256, (*x.shape[:-1], x.shape[-1] // size, n_bytes), dtype=np.uint8)
    for at, factor in zip(halves, (1, ratio)):
        blocks[..., at:at + 2] = np.frombuffer(np.float16(factor * x.std() / deviation).tobytes(), np.uint8)
    if name == "MXFP4":
        blocks[..., 0] = round(128 + math.log2(x.std() / deviation))
    return blocks.reshape(*x.shape[:-1], -1), qt


def write_experts(w, name, x, kind, i):
    """All experts' gate and up, or down; returns the values that the blocks hold."""
    layer = name.split(".")[2]
    parts = {"gate": x[:, :x.shape[1] // 2], "up": x[:, x.shape[1] // 2:]} if "gate_up" in name else {"down": x}
    back = []
    for j, (part, values) in enumerate(parts.items()):
        blocks, qt = quantize(values, kind, i + 5 * j)
        w.add_tensor(f"blk.{layer}.ffn_{part}_exps.weight", blocks, raw_dtype=qt)
        back.append(gguf.quants.dequantize(blocks, qt).astype(np.float32).reshape(values.shape))
    return np.concatenate(back, axis=1)


def write_gguf(model, c, kind, path):
    """Writes the file and puts the values that its blocks hold into `model`."""
    w = gguf.GGUFWriter(path, c["arch"])
    write_hparams(w, c)
    w.add_tokenizer_pre("smollm" if c["arch"] == "llama" else "qwen2")
    write_vocab(w, c["vocab"])
    matrices = 0
    for i, (name, p) in enumerate(model.named_parameters()):
        x = p.detach().numpy()
        if x.ndim == 1 or "mlp.gate.weight" in name:
            w.add_tensor(gguf_name(name), x.astype(np.float32))
            continue
        i, matrices = matrices if kind == "blocks" else i, matrices + 1
        if x.ndim == 3:
            p.data = torch.from_numpy(write_experts(w, name, x, kind, i))
            continue
        heads = c["heads"] if "q_proj" in name else c["kv"] if "k_proj" in name else 0
        turned = heads and c["arch"] == "llama"
        blocks, qt = quantize(interleave(x, heads) if turned else x, kind, i)
        w.add_tensor(gguf_name(name), blocks, raw_dtype=qt)
        back = gguf.quants.dequantize(blocks, qt).astype(np.float32).reshape(x.shape)
        p.data = torch.from_numpy(np.ascontiguousarray(deinterleave(back, heads) if turned else back))
    w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()


# ---- Cases ----

def build(name, c, seed, out):
    """Writes the case's files; yields the path of each reference with the model that it describes."""
    folder = out / name
    save(c, seed, folder)
    if c["folder"]:
        yield folder / "reference.json", load(folder)
    for suffix, kind in (c["gguf"] or {}).items():
        model = load(folder)
        write_gguf(model, c, kind, out / f"{name}-{suffix}.gguf")
        yield out / f"{name}-{suffix}.json", model


def make(name, c, out):
    """Tries seeds upwards from the case's until every greedy continuation, the GGUF files' too, has clear margins."""
    ids = np.random.default_rng(sum(name.encode())).integers(0, c["vocab"], c["n_ids"]).tolist()
    seed = c["seed"]
    while not all(greedy(model, ids[:GREEDY_PREFIX])[1] >= LEAST_MARGIN for _, model in build(name, c, seed, out)):
        seed += 1
    for path, model in build(name, c, seed, out):
        ref = {"seed": seed, **reference(model, ids)}
        write_reference(path, ref)
        print(f"{path.relative_to(out)}: seed {seed}, mean nll {ref['mean_nll']:.4f}, least margin {ref['greedy_margin']:.4f}, "
              f"logits' std {ref['logit_std']:.2f}, keys read {ref['attention_spread']:.1f}, from float64 "
              f"{ref['f64_distance']:.1e}, with float64 angles {ref['f64_angles_distance']:.1e}", flush=True)
    if c["folder"]:
        check_other_style(out / name, ids, run(load(out / name), ids))
    else:
        shutil.rmtree(out / name)


def make_scaled(name, out):
    folder, spec, rope = SCALED[name]
    model = load(out / folder, rope)
    ref = {"model": folder, "rope_scaling": spec, **reference(model, json.loads((out / folder / "reference.json").read_text())["ids"])}
    write_reference(out / f"{name}.json", ref)
    print(f"{name}: mean nll {ref['mean_nll']:.4f}, least margin {ref['greedy_margin']:.4f}, from float64 {ref['f64_distance']:.1e}", flush=True)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("cases", nargs="*", metavar="CASE", help=", ".join([*CASES, *SCALED]))
    ap.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent)
    a = ap.parse_args()
    torch.set_num_threads(1)  # one fixed order of sums
    transformers.utils.logging.disable_progress_bar()
    for name in a.cases or [*CASES, *SCALED]:
        if name in CASES:
            make(name, CASES[name], a.out)
        else:
            make_scaled(name, a.out)


if __name__ == "__main__":
    main()
