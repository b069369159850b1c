"""The forward pass of Qwen2, Qwen3, with experts too, and Llama in float64, written from the papers and independent of Transformers' code.

It tells how far float32 itself is from the truth (`f64_distance` in the reference files), and it is a second witness: a
fault in make_golden.py or in Transformers would show as a large distance.
"""
import numpy as np


def rms_norm(x, weight, eps):
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps) * weight


def rotate(x, cos, sin):
    """x [tokens, heads, d]: channel i turns with channel i + d/2."""
    a, b = np.split(x, 2, axis=-1)
    return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)


def attention(q, k, v):
    """Causal; q [n, heads, d], k and v [n, kv_heads, d]; query head h reads key head h / (heads / kv_heads)."""
    n, heads, d = q.shape
    group = heads // k.shape[1]
    out = np.empty_like(q)
    future = np.triu(np.ones((n, n), dtype=bool), 1)
    for h in range(heads):
        s = q[:, h] @ k[:, h // group].T / np.sqrt(d)
        s[future] = -np.inf
        p = np.exp(s - s.max(axis=1, keepdims=True))
        out[:, h] = (p / p.sum(axis=1, keepdims=True)) @ v[:, h // group]
    return out.reshape(n, heads * d)


def mlp(h, gate, up, down):
    g = h @ gate.T
    return (g / (1 + np.exp(-g)) * (h @ up.T)) @ down.T


def experts(h, router, gate_up, down, used, normalized):
    """gate_up [n, 2 * ffn, hidden]: gate, then up; down [n, hidden, ffn]. Every token through the `used` likeliest."""
    p = np.exp(h @ router.T)
    p /= p.sum(axis=1, keepdims=True)
    chosen = np.argsort(-p, axis=1, kind="stable")[:, :used]
    out = np.zeros_like(h)
    for t, x in enumerate(h):
        weight = p[t, chosen[t]] / (p[t, chosen[t]].sum() if normalized else 1)
        for e, a in zip(chosen[t], weight):
            out[t] += a * mlp(x, *np.split(gate_up[e], 2), down[e])
    return out


def forward(weights, ids, n_layers, head_dim, eps, inv_freq, rope_scale, angle_type, used=0, normalized=False):
    """weights: Hugging Face names to arrays. inv_freq [head_dim / 2] radians per position; positions times frequencies are
    rounded to angle_type (Transformers: float32). Returns logits [tokens, vocab]."""
    w = {name: np.asarray(x, dtype=np.float64) for name, x in weights.items()}
    angle = np.outer(np.arange(len(ids)).astype(angle_type), inv_freq.astype(angle_type)).astype(np.float64)[:, None, :]
    cos, sin = np.cos(angle) * rope_scale, np.sin(angle) * rope_scale
    x = w["model.embed_tokens.weight"][ids]
    for i in range(n_layers):
        def mat(name):
            return w[f"model.layers.{i}.{name}.weight"]

        h = rms_norm(x, mat("input_layernorm"), eps)
        q, k, v = ((h @ mat(f"self_attn.{m}_proj").T + w.get(f"model.layers.{i}.self_attn.{m}_proj.bias", 0.0))
                   .reshape(len(ids), -1, head_dim) for m in "qkv")
        if f"model.layers.{i}.self_attn.q_norm.weight" in w:
            q, k = rms_norm(q, mat("self_attn.q_norm"), eps), rms_norm(k, mat("self_attn.k_norm"), eps)
        x = x + attention(rotate(q, cos, sin), rotate(k, cos, sin), v) @ mat("self_attn.o_proj").T
        h = rms_norm(x, mat("post_attention_layernorm"), eps)
        layer = f"model.layers.{i}.mlp.experts."
        if layer + "down_proj" in w:
            x = x + experts(h, mat("mlp.gate"), w[layer + "gate_up_proj"], w[layer + "down_proj"], used, normalized)
        else:
            x = x + mlp(h, *(mat(f"mlp.{m}_proj") for m in ("gate", "up", "down")))
    x = rms_norm(x, w["model.norm.weight"], eps)
    return x @ w.get("lm_head.weight", w["model.embed_tokens.weight"]).T


def nll(logits, ids):
    """-ln p(ids[i + 1] | ids[0..i]) for every i but the last."""
    z = logits[:-1]
    top = z.max(axis=1)
    return top + np.log(np.exp(z - top[:, None]).sum(axis=1)) - z[np.arange(len(ids) - 1), ids[1:]]
