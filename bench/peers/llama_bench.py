#!/usr/bin/env python3
"""llama_bench.py - what llama.cpp's llama-bench prints (-o jsonl) as a benchmark document.

    llama-bench ... -o jsonl | bench/peers/llama_bench.py --like ITHACA.json > LLAMA.json

llama-bench says neither the model's shape nor how many cores the machine has. Both are those of the
document ITHACA.json, which `ithaca bench model -o` wrote on this machine with the same shape: one of
several machines or shapes is refused. So is a line of a llama-bench that used a GPU, or could have:
its figures would stand beside the CPU's as if they were the CPU's.
"""

import json
import os
import re
import statistics
import sys

CPU_BACKENDS = {"", "CPU", "BLAS"}


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values),
            "values": values}


def result(run, line):
    prompt, answer = line["n_prompt"], line["n_gen"]
    if (prompt > 0) == (answer > 0):
        sys.exit("llama_bench.py: expected lines of prompts (-p) and of answers (-n), not of both")
    per = 1e9 * (answer or 1)
    seconds = spread([ns / per for ns in line["samples_ns"]])
    return {"run": run, "phase": "prefill" if prompt else "decode", "mode": "default",
            "depth": line.get("n_depth", 0), "tokens": prompt or answer, "batch": 1,
            "status": "measured", "seconds": seconds,
            "tokens_per_second": (prompt or 1) / seconds["median"], "memory": None, "energy": None,
            "detail": {"flash_attention": line.get("flash_attn")}}


def weight_type(model_type):
    """q4_k of "qwen3 0.6B Q4_K - Medium", f32 of "llama 1B all F32"."""
    found = re.findall(r"\b(?:I?Q\d\w*|TQ\d\w*|MXFP4\w*|NVFP4\w*|BF16|F16|F32)\b", model_type)
    if not found:
        sys.exit(f"llama_bench.py: no type of weights in {model_type!r}")
    return found[-1].lower()


def check_line(line):
    layers = line.get("n_gpu_layers", 0)
    backends = {b.strip() for b in line.get("backends", "").split(",")}
    if layers > 0:
        sys.exit(f"llama_bench.py: n_gpu_layers is {layers}: expected llama-bench -ngl 0, on the CPU")
    if not backends <= CPU_BACKENDS:
        others = ", ".join(sorted(backends - CPU_BACKENDS))
        sys.exit(f"llama_bench.py: backends: {others}: expected a llama-bench that has the CPU alone")


def only(like, table):
    """The one entry of a table, whatever its name. Models may differ in their types."""
    entries = list(like[table].values())
    if table == "models":
        entries = [{k: m.get(k) for k in ("architecture", "shape")} for m in entries]
    if not entries or any(entry != entries[0] for entry in entries):
        sys.exit(f"llama_bench.py: --like: expected one of {table}, not {len(entries)}")
    return entries[0]


def convert(lines, like):
    shape = only(like, "models")
    for line in lines:
        check_line(line)
    document = {"schema": "ithaca-bench/1", "created": lines[0]["test_time"], "engines": {},
                "machines": {"here": only(like, "machines")}, "models": {},
                "runs": {}, "results": []}
    for line in lines:
        engine, types = f"llama.cpp {line['build_number']}", weight_type(line["model_type"])
        name = os.path.basename(line["model_filename"]).removesuffix(".gguf")
        model = f"{name} {types}, {line['type_k']} cache"
        run = f"{model}, llama.cpp, {line['n_threads']} threads"
        document["engines"][engine] = {"name": "llama.cpp", "version": str(line["build_number"]),
                                       "commit": line["build_commit"], "packages": {}}
        document["models"][model] = {
            "architecture": shape["architecture"], "weight_type": types,
            "kv_type": line["type_k"], "source": os.path.basename(line["model_filename"]),
            "weight_bytes": line["model_size"], "shape": shape["shape"]}
        document["runs"].setdefault(run, {
            "engine": engine, "machine": "here", "model": model, "started": line["test_time"],
            "placement": {"ranks": 1, "devices": 0, "threads": line["n_threads"]}, "ceilings": {}})
        document["results"].append(result(run, line))
    return document


def main():
    if len(sys.argv) != 3 or sys.argv[1] != "--like":
        sys.exit("usage: llama-bench ... -o jsonl | llama_bench.py --like ITHACA.json")
    with open(sys.argv[2], encoding="utf-8") as f:
        like = json.load(f)
    lines = [json.loads(line) for line in sys.stdin if line.startswith("{")]
    if not lines:
        sys.exit("llama_bench.py: llama-bench printed no results")
    json.dump(convert(lines, like), sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
