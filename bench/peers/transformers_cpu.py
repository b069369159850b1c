#!/usr/bin/env python3
"""transformers_cpu.py - Hugging Face Transformers on the CPU, as a benchmark document.

    bench/peers/transformers_cpu.py SHAPE.json -o FILE [--types bf16,f32] [--contexts 512,2048,8192]
                                    [--threads T] [--decode 16] [--repetitions 3]

Random weights of the shape, so nothing is downloaded: SDPA and a dynamic cache, eagerly, which is
what its guides begin with. A prompt is prefilled from nothing, then so many tokens are decoded behind
it one by one, greedily. Needs PyTorch and Transformers 5. FILE is rewritten after each result, and
may be read by `ithaca compare` beside those of other engines.
"""

import argparse
import gc
import json
import os
import resource
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "gpu"))

import record  # noqa: E402
import shapes  # noqa: E402

SEED = 1


def numbers(text):
    values = [int(v) for v in text.split(",")]
    if not values or values != sorted(set(values)) or values[0] < 1:
        raise argparse.ArgumentTypeError(f"expected ascending numbers, not {text}")
    return values


def types(text):
    values = text.split(",")
    if not set(values) <= {"bf16", "f32"}:
        raise argparse.ArgumentTypeError(f"expected bf16, f32 or both, not {text}")
    return values


def parse():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("shape")
    p.add_argument("-o", "--out", required=True)
    p.add_argument("--types", type=types, default=["bf16", "f32"])
    p.add_argument("--contexts", type=numbers, default=[512, 2048, 8192])
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--decode", type=int, default=16)
    p.add_argument("--repetitions", type=int, default=3)
    args = p.parse_args()
    if min(args.threads, args.decode, args.repetitions) < 1:
        p.error("--threads, --decode and --repetitions must be 1 or more")
    return args


def build(torch, transformers, shape, dtype, length):
    config = shapes.config(shape, length)
    config._attn_implementation = "sdpa"
    torch.manual_seed(SEED)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        return getattr(transformers, shape["architectures"][0])(config).eval()
    finally:
        torch.set_default_dtype(before)


def describe(recorder, args, name, shape, kind, versions):
    """Engine, machine, model and run of the recorder's results."""
    document, started = recorder.document, record.now()
    document["engines"]["Transformers"] = {
        "name": "Hugging Face Transformers", "version": versions["transformers"], "commit": None,
        "packages": {"torch": versions["torch"]}}
    document["machines"]["here"] = {"nodes": 1, "host": record.host(), "gpus": []}
    document["models"][f"{name} {kind}"] = {
        "architecture": shape["architectures"][0], "weight_type": kind, "kv_type": kind,
        "source": "random weights", "shape": shape}
    document["runs"][recorder.run] = {
        "engine": "Transformers", "machine": "here", "model": f"{name} {kind}", "started": started,
        "placement": {"ranks": 1, "devices": 0, "threads": args.threads}, "ceilings": {},
        "detail": {"name": name}, "seed": SEED}


def row(phase, depth, tokens, seconds):
    """Seconds: of a prompt; of one token."""
    times = record.spread(seconds)
    count = tokens if phase == "prefill" else 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"phase": phase, "mode": "eager", "depth": depth, "tokens": tokens, "batch": 1,
            "status": "measured", "seconds": times, "tokens_per_second": count / times["median"],
            "memory": {"peak": peak, "scope": "rank"}, "energy": None, "detail": {}}


def measure(torch, model, shape, context, args):
    """(seconds of each prefill to its first token, seconds of each decoded token)."""
    generator = torch.Generator().manual_seed(SEED + context)
    ids = torch.randint(0, shape["vocab_size"], (1, context), generator=generator)
    prefill, decode = [], []
    for i in range(args.repetitions + 1):  # the first one warms up
        start = time.perf_counter()
        out = model(ids, use_cache=True, logits_to_keep=1)
        token = out.logits[0, -1].argmax().item()
        first = time.perf_counter() - start
        start = time.perf_counter()
        for _ in range(args.decode):
            out = model(torch.tensor([[token]]), past_key_values=out.past_key_values, use_cache=True)
            token = out.logits[0, -1].argmax().item()
        if i > 0:
            prefill.append(first)
            decode.append((time.perf_counter() - start) / args.decode)
        del out
        gc.collect()
    return prefill, decode


def main():
    args = parse()
    name = os.path.basename(args.shape).removesuffix(".json")
    try:
        with open(args.shape, encoding="utf-8") as f:
            shape = json.load(f)
    except (OSError, ValueError) as e:
        sys.exit(f"transformers_cpu.py: {args.shape}: {e}")
    import torch
    import transformers

    torch.set_num_threads(args.threads)
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    parts = []
    for kind in args.types:
        recorder = record.Recorder(args.out, f"{name}, Transformers, {kind}, {args.threads} threads")
        describe(recorder, args, name, shape, kind, versions)
        parts.append(recorder.document)
        dtype = {"bf16": torch.bfloat16, "f32": torch.float32}[kind]
        model = build(torch, transformers, shape, dtype, args.contexts[-1] + args.decode + 1)
        with torch.inference_mode():
            for context in args.contexts:
                prefill, decode = measure(torch, model, shape, context, args)
                prompt = row("prefill", 0, context, prefill)
                recorder.document["results"] += [
                    {"run": recorder.run, **prompt, "ttft_seconds": prompt["seconds"]},
                    {"run": recorder.run, **row("decode", context, args.decode, decode)}]
                record.write(args.out, record.merge(parts))
        del model
        gc.collect()


if __name__ == "__main__":
    main()
