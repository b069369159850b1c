"""shapes.py - what a shape costs, and how engines, machines and models are described."""

import json
import os
import time

import record

TINY = {
    "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "num_hidden_layers": 2,
    "hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 16, "vocab_size": 512, "rope_theta": 1000000,
    "rms_norm_eps": 1e-06, "tie_word_embeddings": True,
}
TINY_HYBRID = {
    **TINY, "architectures": ["Qwen3_5ForCausalLM"], "model_type": "qwen3_5_text",
    "num_hidden_layers": 4, "full_attention_interval": 4, "linear_num_key_heads": 2,
    "linear_num_value_heads": 4, "linear_key_head_dim": 16, "linear_value_head_dim": 16,
    "linear_conv_kernel_dim": 4, "partial_rotary_factor": 0.25,
}


def load(folder, name):
    if name == "tiny":
        return dict(TINY)
    if name == "tiny-hybrid":
        return dict(TINY_HYBRID)
    with open(os.path.join(folder, f"{name}.json"), encoding="utf-8") as f:
        return json.load(f)


def config(shape, length):
    """The Transformers configuration of a shape, for contexts of up to `length` tokens."""
    from transformers import AutoConfig

    keys = {k: v for k, v in shape.items() if k not in ("model_type", "architectures")}
    keys["max_position_embeddings"] = max(length, shape.get("max_position_embeddings", 0))
    return AutoConfig.for_model(shape["model_type"], **keys)


def full_layers(shape):
    """The number of layers with attention over all keys."""
    return shape["num_hidden_layers"] // shape.get("full_attention_interval", 1)


def linear_weights(shape):
    """(weights of every token's matrix products without the head, weights of the head)."""
    h, d = shape["hidden_size"], shape["head_dim"]
    q, kv = shape["num_attention_heads"] * d, shape["num_key_value_heads"] * d
    hybrid = "full_attention_interval" in shape
    attention = h * (q * (2 if hybrid else 1) + 2 * kv) + q * h
    total = shape["num_hidden_layers"] * 3 * h * shape["intermediate_size"]
    total += full_layers(shape) * attention
    if hybrid:
        k = shape["linear_num_key_heads"] * shape["linear_key_head_dim"]
        v = shape["linear_num_value_heads"] * shape["linear_value_head_dim"]
        recurrent = h * (2 * k + 2 * v + 2 * shape["linear_num_value_heads"]) + v * h
        total += (shape["num_hidden_layers"] - full_layers(shape)) * recurrent
    return total, h * shape["vocab_size"]


def state_bytes(shape):
    """Bytes of the recurrent states (bf16; none in a model of attention alone)."""
    if "full_attention_interval" not in shape:
        return 0
    layers = shape["num_hidden_layers"] - full_layers(shape)
    per = shape["linear_num_value_heads"] * shape["linear_key_head_dim"]
    return 2 * layers * per * shape["linear_value_head_dim"]


def kv_bytes(shape, tokens):
    """Bytes of keys and values in bf16."""
    return 4 * full_layers(shape) * shape["num_key_value_heads"] * shape["head_dim"] * tokens


def operations(shape, depth, tokens):
    """Floating-point operations of the matrix products and of causal attention, last logits only."""
    body, head = linear_weights(shape)
    pairs = tokens * depth + tokens * (tokens + 1) / 2
    attention = 4 * full_layers(shape) * shape["num_attention_heads"] * shape["head_dim"] * pairs
    return 2.0 * body * tokens + 2.0 * head + attention


def decode_bytes(shape, depth):
    """Bytes that one decoded token must read: weights, keys, values and states."""
    body, head = linear_weights(shape)
    return 2 * (body + head) + kv_bytes(shape, depth) + state_bytes(shape)


def chosen_backend(bench, config):
    """What SDPA takes on this device for a causal prompt of this shape."""
    torch = bench.torch
    try:
        make = lambda h: torch.randn(1, h, 256, config.head_dim, device=bench.device,
                                     dtype=torch.bfloat16)
        q, k = make(config.num_attention_heads), make(config.num_key_value_heads)
        choice = torch._fused_sdp_choice(q, k, k, None, 0.0, True, enable_gqa=True)
        return torch.nn.attention.SDPBackend(choice).name.lower()
    except Exception as e:
        return f"sdpa ({type(e).__name__})"


def ceilings(bench):
    """Rates of one large bf16 product and of one large copy: what the device can do at best."""
    torch = bench.torch
    n, size = (8192, 1 << 32) if bench.device.type == "cuda" else (512, 1 << 24)
    a, b = (torch.randn(n, n, device=bench.device).bfloat16() for _ in "ab")
    source = torch.randint(0, 127, (size,), device=bench.device, dtype=torch.int8)
    target = torch.empty_like(source)

    def best(call):
        times = []
        for _ in range(8):
            bench.sync()
            start = time.perf_counter()
            call()
            bench.sync()
            times.append(time.perf_counter() - start)
        return sorted(times)[4]

    flops = 2 * n**3 / best(lambda: a @ b)
    moved = 2 * size / best(lambda: target.copy_(source))
    del a, b, source, target
    bench.clear()
    return {"bf16_flops": flops, "memory_bytes_per_second": moved}


def versions(names):
    import importlib.metadata as metadata

    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def importable(name):
    try:
        __import__(name)
        return True
    except Exception:
        return False


def describe(recorder, bench, ranks=1):
    """Fills the document's tables and gives the bench its ceilings."""
    torch, args, document = bench.torch, bench.args, recorder.document
    packages = versions(("torch", "transformers", "triton", "flash-attn", "fla-core", "vllm",
                         "sglang", "nvidia-cudnn-cu13", "nvidia-nccl-cu13", "nvidia-ml-py"))
    fla = bool(args.site) and importable("fla.ops.gated_delta_rule")
    engine = "transformers-fla" if fla else "transformers"
    document["engines"][engine] = {
        "name": "Hugging Face Transformers" + (" with flash-linear-attention" if fla else ""),
        "version": packages.get("transformers", "unknown"), "commit": None, "packages": packages}
    host = record.host()
    machine = {"host": host, "gpus": []}
    name = host["cpu"]
    if bench.device.type == "cuda":
        p = torch.cuda.get_device_properties(bench.device)
        name = f"{ranks} x {p.name}" if ranks > 1 else p.name
        machine["gpus"] = ranks * [{
            "name": p.name, "memory_bytes": p.total_memory,
            "multiprocessors": p.multi_processor_count, "cuda": torch.version.cuda,
            "driver": bench.meter.driver(), "power_limit_w": bench.meter.power_limit()}]
    del host["memory_bytes"]  # of a virtual machine it may grow while it runs
    document["machines"][name] = machine
    body, head = linear_weights(bench.shape)
    document["models"][args.shape] = {
        "architecture": bench.shape["architectures"][0], "weight_type": "bf16", "kv_type": "bf16",
        "source": "random weights", "weights_read": body + head,
        "kv_bytes_per_token": kv_bytes(bench.shape, 1), "shape": bench.shape}
    found = ceilings(bench)
    document["runs"][recorder.run] = {
        "engine": engine, "machine": name, "model": args.shape, "repeat": args.run,
        "started": record.now(), "placement": {"ranks": ranks, "devices": ranks},
        "seed": args.seed, "idle_w": bench.meter.idle(), "energy_unread": bench.meter.reason,
        "ceilings": found}

    def share(operations, moved, seconds):
        least = max(operations / found["bf16_flops"] / ranks,
                    moved / found["memory_bytes_per_second"] / ranks)
        return least / seconds

    bench.share = share
