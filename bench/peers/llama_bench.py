#!/usr/bin/env python3
"""llama_bench.py - what llama.cpp's llama-bench prints (-o jsonl) as a benchmark document.

    llama-bench ... -o jsonl | bench/peers/llama_bench.py --like ITHACA.json > LLAMA.json

llama-bench says neither the model's shape nor how many cores the machine has. Both are those of the
document ITHACA.json, which `ithaca bench model -o` wrote on this machine with the same shape.
"""

import json
import os
import statistics
import sys


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


def convert(lines, like):
    document = {"schema": "ithaca-bench/1", "created": lines[0]["test_time"], "engines": {},
                "machines": {"here": next(iter(like["machines"].values()))}, "models": {},
                "runs": {}, "results": []}
    shape = next(iter(like["models"].values()))
    for line in lines:
        engine, types = f"llama.cpp {line['build_number']}", line["model_type"].split()[-1].lower()
        model = f"{os.path.basename(line['model_filename'])}, {line['type_k']} cache"
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


main()
