"""dense.py - the compiled baseline: a dense Qwen3 as fast as plain PyTorch makes it.

The weights are those of the Transformers model; Q, K and V, and gate and up, are joined into one
matrix each. A layer is two functions compiled by torch.compile with the attention between them: SDPA
with the fastest backend of this device for a prompt, flash decoding over a static cache for one
token. The whole decoding step, sampling included, is one CUDA graph.
"""

import time

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel


def rms(x, weight, eps):
    f = x.float()
    f = f * torch.rsqrt(f.pow(2).mean(-1, keepdim=True) + eps)
    return weight * f.to(x.dtype)


def rotate(x, cos, sin):
    a, b = x.chunk(2, -1)
    return x * cos + torch.cat((-b, a), -1) * sin


def sync(device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def sdpa(q, k, v, backend, expand):
    """Causal attention of a whole prompt; q [tokens, heads, dim], k and v [tokens, kv heads, dim]."""
    q, k, v = (t.transpose(0, 1).unsqueeze(0) for t in (q, k, v))
    if expand:
        k, v = (t.repeat_interleave(q.shape[1] // k.shape[1], 1) for t in (k, v))
    with sdpa_kernel(backend):
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=not expand)
    return out.squeeze(0).transpose(0, 1)


def exact_prefill(q, k, v, rows):
    """float32 reference of the last `rows` tokens' attention."""
    n, heads, _ = q.shape
    q = q[-rows:].float().transpose(0, 1)
    k, v = (t.float().repeat_interleave(heads // t.shape[1], 1).transpose(0, 1) for t in (k, v))
    s = q @ k.transpose(1, 2) * q.shape[-1] ** -0.5
    at = torch.arange(n, device=q.device)
    s = s.masked_fill(at[None, None, :] > at[-rows:, None], float("-inf"))
    return (s.softmax(-1) @ v).transpose(0, 1)


def masked_step(q, k, v, keys, limit):
    """Decoding by SDPA over the first `limit` rows with a mask: the fallback of every device."""
    mask = torch.arange(limit, device=q.device) < keys
    q, k, v = q[None, :, None], k[None, :limit].transpose(1, 2), v[None, :limit].transpose(1, 2)
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[None, None, None], enable_gqa=True)
    return out[0, :, 0]


def triton_step(q, k, v, keys, limit):
    """Our Triton kernel; the limit plays no part."""
    import flash_decode

    return flash_decode.attend(q, k, v, keys)


def flash_step(q, k, v, keys, limit):
    """PyTorch's FlashAttention-2 with a device-side number of keys (its flash decoding)."""
    k, v = k[:limit], v[:limit]
    ends = torch.arange(2, dtype=torch.int32, device=q.device)
    out = torch.ops.aten._flash_attention_forward(
        q[None], k, v, ends, ends * limit, 1, limit, 0.0, False, False,
        scale=q.shape[-1] ** -0.5, seqused_k=keys.to(torch.int32),
    )
    return out[0][0]


STEPS = {"triton split-kv": triton_step, "flash varlen": flash_step, "sdpa masked": masked_step}
PROMPTS = {
    "math": (SDPBackend.MATH, True),
    "flash gqa": (SDPBackend.FLASH_ATTENTION, False),
    "flash expanded": (SDPBackend.FLASH_ATTENTION, True),
    "cudnn gqa": (SDPBackend.CUDNN_ATTENTION, False),
    "cudnn expanded": (SDPBackend.CUDNN_ATTENTION, True),
}


def clock(call, device, repeats=5):
    call()
    sync(device)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        sync(device)
        times.append(time.perf_counter() - start)
    return sorted(times)[repeats // 2]


def pick(candidates, call, exact, device):
    """The fastest candidate within 2% of the reference; and what became of each."""
    seen, best = {}, None
    for name, how in candidates.items():
        try:
            got = call(how).float()
            error = float((got - exact).norm() / exact.norm())
            if not error < 0.02:
                seen[name] = f"wrong: relative error {error:.2g}"
                continue
            seconds = clock(lambda: call(how), device)
            seen[name] = {"seconds": seconds, "relative_error": error}
            if best is None or seconds < seen[best]["seconds"]:
                best = name
        except Exception as e:  # a backend that this device, version or shape does not have
            seen[name] = f"{type(e).__name__}: {e}"[:200]
    return best, seen


def random(shape, seed, device):
    generator = torch.Generator(device=device).manual_seed(seed)
    return torch.randn(*shape, generator=generator, device=device).bfloat16()


def pick_prompt(heads, kv_heads, dim, device, tokens):
    """The fastest right way for a prompt of so many tokens: a name of PROMPTS, and all timings."""
    q = random((tokens, heads, dim), 1, device)
    k, v = (random((tokens, kv_heads, dim), seed, device) for seed in (2, 3))
    rows = min(64, tokens)
    return pick(PROMPTS, lambda how: sdpa(q, k, v, *how)[-rows:], exact_prefill(q, k, v, rows),
                device)


def pick_step(heads, kv_heads, dim, device, tokens):
    """The fastest right way for one token over so many: a name of STEPS, and all timings."""
    q = random((heads, dim), 4, device)
    k, v = (random((tokens, kv_heads, dim), seed, device) for seed in (5, 6))
    used = tokens - 3
    keys = torch.tensor([used], device=device)
    exact = exact_prefill(q[None], k[:used], v[:used], 1)[0]
    return pick(STEPS, lambda how: how(q, k, v, keys, tokens), exact, device)


class Dense:
    """A compiled dense Qwen3. Takes the weights out of a Transformers model, which is used up."""

    def __init__(self, model, length, prompt_way, step_way, compiled=True, cache=True):
        config = model.config
        weight = model.lm_head.weight
        self.device = weight.device
        self.heads, self.kv_heads = config.num_attention_heads, config.num_key_value_heads
        self.dim, self.eps = config.head_dim, config.rms_norm_eps
        self.prompt_way, self.step_way = PROMPTS[prompt_way], STEPS[step_way]
        self.head, self.norm = weight.data, model.model.norm.weight.data
        self.embed = model.model.embed_tokens.weight.data
        self.layers = [self._take(layer) for layer in model.model.layers]
        self._rope(model, config, length)
        self.length = length
        self.caches = [self._cache(length) for _ in self.layers] if cache else None
        self.ids = torch.zeros(1, dtype=torch.long, device=self.device)
        self.keys = torch.ones(1, dtype=torch.long, device=self.device)
        self._functions(compiled)

    def _take(self, layer):
        a, m = layer.self_attn, layer.mlp
        taken = {
            "qkv": torch.cat([p.weight.data for p in (a.q_proj, a.k_proj, a.v_proj)]),
            "o": a.o_proj.weight.data,
            "gate_up": torch.cat([m.gate_proj.weight.data, m.up_proj.weight.data]),
            "down": m.down_proj.weight.data,
            "q_norm": a.q_norm.weight.data,
            "k_norm": a.k_norm.weight.data,
            "norm1": layer.input_layernorm.weight.data,
            "norm2": layer.post_attention_layernorm.weight.data,
        }
        for p in (a.q_proj, a.k_proj, a.v_proj, m.gate_proj, m.up_proj):
            p.weight = None
        return taken

    def _rope(self, model, config, length):
        at = torch.arange(length, device=self.device)[None]
        cos, sin = model.model.rotary_emb(self.embed[:1, :1], at)
        self.cos, self.sin = cos[0], sin[0]

    def _cache(self, length):
        shape = (length, self.kv_heads, self.dim)
        return tuple(torch.zeros(shape, dtype=self.head.dtype, device=self.device) for _ in "kv")

    def _functions(self, compiled):
        heads, kv_heads, dim, eps = self.heads, self.kv_heads, self.dim, self.eps

        def before(x, norm, qkv, q_norm, k_norm, cos, sin):
            y = F.linear(rms(x, norm, eps), qkv).view(-1, heads + 2 * kv_heads, dim)
            q, k, v = y.split((heads, kv_heads, kv_heads), 1)
            cos, sin = cos[:, None], sin[:, None]
            return (rotate(rms(q, q_norm, eps), cos, sin).contiguous(),
                    rotate(rms(k, k_norm, eps), cos, sin).contiguous(), v.contiguous())

        def after(x, attended, o, norm, gate_up, down):
            x = x + F.linear(attended, o)
            gate, up = F.linear(rms(x, norm, eps), gate_up).chunk(2, -1)
            return x + F.linear(F.silu(gate) * up, down)

        self.before = torch.compile(before) if compiled else before
        self.after = torch.compile(after) if compiled else after

    def _run(self, x, cos, sin, attend):
        if x.shape[0] > 1:
            for t in (x, cos, sin):
                torch._dynamo.maybe_mark_dynamic(t, 0)
        for i, w in enumerate(self.layers):
            q, k, v = self.before(x, w["norm1"], w["qkv"], w["q_norm"], w["k_norm"], cos, sin)
            attended = attend(i, q, k, v).reshape(x.shape[0], -1)
            del q, k, v
            if x.shape[0] > 1:
                torch._dynamo.maybe_mark_dynamic(attended, 0)
                torch._dynamo.maybe_mark_dynamic(x, 0)
            x = self.after(x, attended, w["o"], w["norm2"], w["gate_up"], w["down"])
        return x

    def _logits(self, x):
        return F.linear(rms(x, self.norm, self.eps), self.head)

    def _attend_prompt(self, i, q, k, v):
        n = k.shape[0]
        if self.caches:
            self.caches[i][0][:n] = k
            self.caches[i][1][:n] = v
        return sdpa(q, k, v, *self.prompt_way)

    @torch.no_grad()
    def prefill(self, ids):
        """Logits [1, vocabulary] of the last of the tokens ids [n]; the caches hold the prompt."""
        n = ids.shape[0]
        x = self._run(self.embed[ids], self.cos[:n].clone(), self.sin[:n].clone(),
                      self._attend_prompt)
        return self._logits(x[-1:])

    def start(self, token, depth):
        """The next step decodes this token behind `depth` cached ones."""
        self.ids.copy_(token.view(1))
        self.keys.fill_(depth + 1)

    @torch.no_grad()
    def step(self, limit):
        """Decodes one token with at most `limit` keys; its greedy successor is left in ids."""
        at = self.keys - 1

        def attend(i, q, k, v):
            keys, values = self.caches[i]
            keys.index_copy_(0, at, k)
            values.index_copy_(0, at, v)
            return self.step_way(q[0], keys, values, self.keys, limit)[None]

        x = self._run(self.embed[self.ids], self.cos[at], self.sin[at], attend)
        self.ids.copy_(self._logits(x).argmax(-1))
        self.keys.add_(1)

    def capture(self, limit):
        """A callable that does step(limit): as a CUDA graph where there is CUDA. Moves the state."""
        if self.device.type != "cuda":
            return lambda: self.step(limit)
        stream = torch.cuda.Stream(self.device)
        stream.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(stream):
            for _ in range(3):
                self.step(limit)
        torch.cuda.current_stream(self.device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.step(limit)
        return graph.replay
